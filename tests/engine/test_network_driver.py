import pytest

from lamina.engine.network_driver import check_driver, check_ipv6, check_options, driver_order
from lamina.errors import Denied, Invalid, NotFound, Unsupported
from lamina.runtime.net import ipv6

BRIDGE = "com.docker.network.bridge."


@pytest.mark.parametrize(
    ("driver", "kind", "words"),
    [
        ("host", Denied, 'only one instance of "host" network is allowed'),
        ("none", Denied, 'only one instance of "null" network is allowed'),
        ("macvlan", Unsupported, "driver macvlan is not supported"),
        ("overlay", Unsupported, "it spans machines"),
        ("weave", NotFound, "could not find plugin weave"),
    ],
)
def test_other_drivers_are_refused_with_words(driver, kind, words):
    with pytest.raises(kind, match=words):
        check_driver(driver)
    check_driver("bridge")


@pytest.mark.parametrize(
    "options",
    [
        {f"{BRIDGE}enable_icc": "perhaps"},
        {"com.docker.network.driver.mtu": "12"},
        {f"{BRIDGE}name": "a/b"},
        {f"{BRIDGE}name": "x" * 16},
        {f"{BRIDGE}host_binding_ipv4": "home"},
    ],
)
def test_values_that_a_bridge_cannot_take_are_refused(options):
    with pytest.raises(Invalid):
        check_options(options)


def test_dockers_options_say_what_the_keeper_does():
    options = {
        f"{BRIDGE}enable_icc": "false",
        f"{BRIDGE}enable_ip_masquerade": "FALSE",
        f"{BRIDGE}name": "front0",
        "com.docker.network.driver.mtu": "1400",
        "of.others": "kept",
    }
    check_options(options)
    assert driver_order(options) == {
        "mtu": 1400,
        "icc": False,
        "translate": False,
        "cable": "front0",
    }
    assert driver_order({}) == {"mtu": 0, "icc": True, "translate": True, "cable": ""}


def test_a_machine_without_ipv6_says_so_before_a_network_is_made(monkeypatch, tmp_path):
    check_ipv6()
    monkeypatch.setattr(ipv6, "_CONF", str(tmp_path / "none"))
    with pytest.raises(Unsupported, match="the kernel has no IPv6"):
        check_ipv6()
