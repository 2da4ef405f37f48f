import pytest

from lamina.engine.engine import Engine
from lamina.engine.networks import NetworkUnknown
from lamina.errors import AlreadyExists, Invalid, NotFound


def test_three_networks_are_always_there_and_stay(engine: Engine):
    assert [network.name for network in engine.networks.list()] == ["bridge", "host", "none"]
    assert engine.networks.get("none").driver == "null"
    with pytest.raises(Invalid, match="is a pre-defined network and cannot be removed"):
        engine.networks.remove("bridge")
    assert engine.networks.prune() == ()


def test_networks_get_subnets_of_their_own(engine: Engine):
    one, two = engine.networks.create("one"), engine.networks.create("two", internal=True)
    assert (one.subnet, one.gateway) == ("172.18.0.0/16", "172.18.0.1")
    assert two.subnet == "172.19.0.0/16"
    assert two.internal
    assert engine.networks.get(one.id[:10]) == one
    assert engine.networks.members(one) == ()
    assert engine.networks.remove("one") == one
    with pytest.raises(NetworkUnknown, match="network one not found"):
        engine.networks.get("one")
    assert engine.networks.create("three").subnet == "172.18.0.0/16", "what is free is used again"


@pytest.mark.parametrize(
    ("facts", "kind", "words"),
    [
        ({"name": "own"}, AlreadyExists, "network with name own already exists"),
        ({"name": "host"}, AlreadyExists, "operation is not permitted on predefined host network"),
        ({"name": "-x"}, Invalid, "invalid network name"),
        ({"name": "x", "driver": "weave"}, NotFound, "could not find plugin weave"),
        ({"name": "x", "subnet": "10.5.0.0/30"}, Invalid, "the prefix is /8 to /29"),
        ({"name": "x", "subnet": "10.5.0.9/24"}, Invalid, "it should be 10.5.0.0/24"),
        ({"name": "x", "subnet": "10.5"}, Invalid, "invalid CIDR address: 10.5"),
        ({"name": "x", "subnet": "10.7.1.0/24"}, AlreadyExists, "Pool overlaps"),
        (
            {"name": "x", "subnet": "10.5.0.0/24", "gateway": "10.6.0.1"},
            Invalid,
            "no matching subnet for gateway 10.6.0.1",
        ),
    ],
)
def test_what_cannot_be_a_network_is_refused(engine: Engine, facts, kind, words):
    engine.networks.create("own", subnet="10.7.0.0/16", gateway="10.7.0.9")
    with pytest.raises(kind, match=words):
        engine.networks.create(**facts)


def test_prune_takes_what_no_container_was_made_for(engine: Engine):
    engine.networks.create("one", labels={"keep": "yes"})
    engine.networks.create("two")
    assert engine.networks.prune(lambda network: "keep" not in network.labels) == ("two",)
    assert engine.networks.get("one").labels == {"keep": "yes"}
