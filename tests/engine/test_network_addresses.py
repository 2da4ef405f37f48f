import pytest

from lamina.engine.engine import Engine
from lamina.engine.network_addresses import AddressRequest, check_places
from lamina.engine.network_request import Endpoint
from lamina.errors import AlreadyExists, Invalid


def test_both_families_are_taken_as_asked_for():
    found = AddressRequest(
        subnets=("10.5.0.0/24", "fd12:3::/64"),
        gateways=("fd12:3::9",),
        ranges=("10.5.0.64/26",),
        auxiliary={"router": "10.5.0.64", "printer": "fd12:3::2"},
    ).choose(())
    assert found == {
        "subnet": "10.5.0.0/24",
        "gateway": "10.5.0.65",
        "ip_range": "10.5.0.64/26",
        "fixed": True,
        "subnet6": "fd12:3::/64",
        "gateway6": "fd12:3::9",
        "ip_range6": "",
        "auxiliary": {"router": "10.5.0.64", "printer": "fd12:3::2"},
    }


def test_ipv6_without_a_subnet_gets_a_private_one():
    found = AddressRequest(ipv6=True).choose(())
    assert found["subnet6"].startswith("fd")
    assert (found["subnet"], found["fixed"]) == ("172.18.0.0/16", False)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"gateways": ("10.5.0.1",)}, "every ip-range or gateway must have a corresponding subnet"),
        ({"ranges": ("10.6.0.0/25",)}, "no matching subnet for range 10.6.0.0/25"),
        ({"ranges": ("10.0.0.0/8",)}, "no matching subnet for range 10.0.0.0/8"),
        ({"auxiliary": {"x": "10.6.0.7"}}, "no matching subnet for aux-address 10.6.0.7"),
        ({"auxiliary": {"x": "nonsense"}}, "invalid aux-address: nonsense"),
        ({"gateways": ("10.5.0.1", "10.5.0.2")}, r"multiple gateways \(10.5.0.2, 10.5.0.1\)"),
        ({"subnets": ("10.5.0.0/24", "10.6.0.0/24")}, "one IPv4 subnet, not 10.5.0.0/24 and 10.6"),
        ({"subnets": ("fd12::/126",)}, "the prefix is /16 to /124"),
        ({"subnets": ("fd12::9/64",)}, "it should be fd12::/64"),
        ({"subnets": ("fd12::/x",)}, "invalid CIDR address: fd12::/x"),
        ({"subnets": ("10.5.0.0/99",)}, "invalid CIDR address"),
        (
            {"gateways": ("10.5.0.2",), "auxiliary": {"x": "10.5.0.2"}},
            "gateway 10.5.0.2 is an auxiliary address, too",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_dockers_words(facts, words):
    if "every" not in words:
        facts = {"subnets": ("10.5.0.0/24",), **facts}
    with pytest.raises(Invalid, match=words):
        AddressRequest(**facts).choose(())


def test_a_subnet_of_another_network_is_not_given_twice(engine: Engine):
    engine.networks.create("own", addresses=AddressRequest(subnets=("fd12:3::/64",)))
    with pytest.raises(AlreadyExists, match="Pool overlaps with other one"):
        AddressRequest(subnets=("fd12:3::/60",)).choose(engine.networks.list())


def test_an_address_must_be_one_of_the_networks(engine: Engine):
    network = engine.networks.create(
        "own", addresses=AddressRequest(subnets=("10.5.0.0/24", "fd12:3::/64"))
    )
    check_places(network, Endpoint("own", ip="10.5.0.9", ip6="fd12:3::9"))
    with pytest.raises(Invalid, match=r"no configured subnet contains IP address 10\.6\.0\.1"):
        check_places(network, Endpoint("own", ip="10.6.0.1"))
    loose = engine.networks.create("loose")
    for wanted in (Endpoint("loose", ip="172.18.0.9"), Endpoint("loose", ip6="fd12::4")):
        with pytest.raises(Invalid, match="networks with user configured subnets"):
            check_places(loose, wanted)
