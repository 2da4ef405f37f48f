"""Where people's webhooks may be: not inside the network the hub stands in."""

import asyncio
import socket

import pytest

from lamina.errors import Invalid
from lamina.hub.guard import AddressForbidden, GuardedResolver, check_address, check_url

PRIVATE = (
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.3.4", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "224.0.0.1", "255.255.255.255", "240.0.0.1", "192.0.0.1", "198.18.0.1",
    "::", "::1", "fe80::1", "fc00::1", "fd12::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
    "64:ff9b::7f00:1", "64:ff9b::a00:1", "2002:7f00:1::", "2002:a00:1::1", "2001:db8::1",
    "::127.0.0.1", "::ffff:0:7f00:1", "64:ff9b:1::a00:1", "fec0::1", "5f00::1",
)  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_refused_however_they_are_wrapped(address):
    with pytest.raises(AddressForbidden):
        check_address(address, ())


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "64:ff9b::5db8:d822"])
def test_public_addresses_pass_unchanged(address):
    assert check_address(address, ()) == address


def test_the_operator_opens_networks_and_nothing_beside_them():
    allowed = ("10.1.0.0/16", "fd00::/8")
    for address in ("10.1.2.3", "::ffff:10.1.2.3", "fd00::5"):
        assert check_address(address, allowed) == address
    for address in ("10.2.0.1", "127.0.0.1", "fc00::1"):
        with pytest.raises(AddressForbidden, match="private network"):
            check_address(address, allowed)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/", "http://127.1/", "http://2130706433/", "http://0x7f000001/",
        "http://0x7f.0.0.1/", "http://017700000001/", "http://[::1]:80/",
        "http://[::ffff:7f00:1]/", "http://10.0.0.1:8080/x", "http://169.254.169.254./latest",
    ],
)  # fmt: skip
def test_an_address_in_figures_is_refused_before_anything_is_sent(url):
    with pytest.raises(AddressForbidden):
        check_url(url, ())


@pytest.mark.parametrize(
    "url",
    [
        "", "ftp://a.example/", "file:///etc/passwd", "https://", "https:///x", "a.example/hook",
        "https://u:p@a.example/", "https://a.example:0/", "https://a.example:99999/",
        "https://a.example/ x", "https://a.example/\r\nX: y", "https://\u00e4.example/",
        "http://127.0.0.%31/", "http://127.0.0.1%00.example/", "http://[fe80::1%25eth0]/",
        "http://a.example\\@127.0.0.1/", "http://a.example\\.b/", "http://a,b.example/",
        "https://a.example/" + "x" * 2000, "https://[::1/",
    ],
)  # fmt: skip
def test_what_is_no_address_of_a_webhook_is_refused(url):
    with pytest.raises(Invalid):
        check_url(url, ())


def test_a_name_passes_until_it_is_looked_up():
    assert check_url("https://localhost:8443/x?y=z", ()) == "https://localhost:8443/x?y=z"


def test_a_name_that_leads_inside_is_refused_when_it_is_looked_up():
    async def look(allowed):
        return await GuardedResolver(allowed).resolve("localhost", 80, socket.AF_INET)

    with pytest.raises(AddressForbidden):
        asyncio.run(look(()))
    (found,) = {row["host"] for row in asyncio.run(look(("127.0.0.0/8",)))}
    assert found == "127.0.0.1"
