import pytest

from lamina.errors import Unavailable
from lamina.runtime.net.pools import AddressTaken, Place, Pools

NETWORK = {
    "subnet": "10.5.0.0/29",
    "gateway": "10.5.0.1",
    "subnet6": "fd12::/64",
    "gateway6": "fd12::1",
    "reserved": ["10.5.0.2", "fd12::2"],
}


def test_a_container_gets_an_address_of_each_family():
    pools = Pools(NETWORK)
    assert pools.take() == Place("10.5.0.3", "fd12::3")
    assert pools.take("10.5.0.5", "fd12::9") == Place("10.5.0.5", "fd12::9")
    assert pools.facts()["gateway6"] == "fd12::1"
    assert [pool.prefix for pool in pools.all] == [29, 64]


def test_what_is_refused_takes_nothing():
    pools = Pools(NETWORK)
    with pytest.raises(AddressTaken, match=r"Address already in use: fd13::1"):
        pools.take("10.5.0.4", "fd13::1")
    place = pools.take("10.5.0.4")
    with pytest.raises(AddressTaken, match=r"Address already in use: 10.5.0.4"):
        pools.take("10.5.0.4")
    pools.free(place)
    assert pools.take("10.5.0.4").six == place.six
    pools.take(), pools.take()
    with pytest.raises(Unavailable, match="no available IPv4 addresses"):
        pools.take()


def test_a_network_without_ipv6_gives_none():
    pools = Pools({"subnet": "10.5.0.0/24", "gateway": ""})
    assert pools.take() == Place("10.5.0.2", "")
    assert "gateway6" not in pools.facts()
    with pytest.raises(Unavailable, match="has no IPv6 addresses"):
        pools.take(six="fd12::4")
    assert pools.take().four == "10.5.0.3"


def test_what_is_reserved_of_one_subnet_is_free_in_another():
    pools = Pools({**NETWORK, "ip_range": "10.5.0.4/30"})
    assert pools.four.take() == "10.5.0.4"
    assert pools.fours("10.9.0.0/24", "").take() == "10.9.0.2"
