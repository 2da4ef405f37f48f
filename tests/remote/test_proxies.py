"""Which proxy, by the environment."""

import pytest

from lamina.errors import Invalid, Unsupported
from lamina.remote.proxies import proxy_for

BOTH = {"HTTPS_PROXY": "http://proxy:3128", "http_proxy": "proxy:8080"}


def test_https_and_http_have_proxies_of_their_own() -> None:
    assert proxy_for("https", "registry.example", 443, BOTH) == "http://proxy:3128"
    assert proxy_for("http", "registry.example", 80, BOTH) == "http://proxy:8080"
    assert proxy_for("https", "registry.example", 443, {}) == ""
    assert proxy_for("https", "r.example", 443, {"all_proxy": "https://p"}) == "https://p"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "::1", "x.localhost"])
def test_loopback_never_goes_through_a_proxy(host: str) -> None:
    assert proxy_for("https", host, 5000, BOTH) == ""


@pytest.mark.parametrize(
    ("rules", "host", "port", "direct"),
    [
        ("example.com", "example.com", 443, True),
        ("example.com", "sub.example.com", 443, True),
        ("example.com", "badexample.com", 443, False),
        (".example.com", "sub.example.com", 443, True),
        (".example.com", "example.com", 443, False),
        ("*.example.com", "sub.example.com", 443, True),
        ("example.com:5000", "example.com", 5000, True),
        ("example.com:5000", "example.com", 443, False),
        ("10.0.0.0/8", "10.1.2.3", 443, True),
        ("10.0.0.0/8", "11.1.2.3", 443, False),
        ("10.0.0.0/8", "example.com", 443, False),
        ("fd00::/8", "fd00::1", 443, True),
        ("[fd00::1]:5000", "fd00::1", 5000, True),
        ("other, EXAMPLE.com", "example.com", 443, True),
        ("*", "anything", 443, True),
    ],
)
def test_no_proxy_has_names_suffixes_ports_and_networks(
    rules: str, host: str, port: int, direct: bool
) -> None:
    assert (proxy_for("https", host, port, {**BOTH, "NO_PROXY": rules}) == "") is direct


def test_a_socks_proxy_is_refused_clearly() -> None:
    with pytest.raises(Unsupported, match="socks5"):
        proxy_for("https", "registry.example", 443, {"HTTPS_PROXY": "socks5://p:1080"})


@pytest.mark.parametrize("proxy", ["http://a:pw@[::1", "http://a:pw@host:x", "http://a:pw@:1"])
def test_a_proxy_without_an_address_is_refused_without_its_password(proxy: str) -> None:
    with pytest.raises(Invalid, match="is no address") as caught:
        proxy_for("https", "reg.example", 443, {"https_proxy": proxy})
    assert "pw" not in str(caught.value)
    assert "NAME:PASSWORD@HOST:PORT" in caught.value.hint
