import pytest

from lamina.engine.network_request import Endpoint, NetworkRequest
from lamina.errors import Invalid


def test_a_network_is_named_shortly_or_with_what_is_wanted_of_it():
    assert Endpoint.parse("back") == Endpoint("back")
    text = "name=back,alias=db,alias=sql,ip=10.5.0.9,mac-address=02:42:00:00:00:01"
    assert Endpoint.parse(text) == Endpoint("back", ("db", "sql"), "10.5.0.9", "02:42:00:00:00:01")


@pytest.mark.parametrize("text", ["name=x,speed=9", "alias=x", "name=x,alias"])
def test_an_unknown_wish_is_refused(text):
    with pytest.raises(Invalid):
        Endpoint.parse(text)


@pytest.mark.parametrize(
    ("networks", "facts", "words"),
    [
        (("host", "back"), {}, "cannot be connected to network endpoints: host, back"),
        (("bridge",), {"aliases": ("x",)}, "only supported for user-defined networks"),
        (("none",), {"ip": "10.0.0.1"}, "supported on user defined networks only"),
        (("back",), {"ip": "10.0.0"}, "invalid IPv4 address: 10.0.0"),
    ],
)
def test_contradictions_are_refused_in_dockers_words(networks, facts, words):
    endpoints = tuple(Endpoint(name, **facts) for name in networks)
    with pytest.raises(Invalid, match=words):
        NetworkRequest(endpoints).check()


def test_published_ports_are_exposed_too():
    request = NetworkRequest(ports={"80/tcp": []}, exposed=("81/tcp",))
    assert list(request.all_exposed({"79/tcp": {}})) == ["79/tcp", "81/tcp", "80/tcp"]
    assert request.mode == "default"
    assert NetworkRequest((Endpoint("back"),)).host_values()["NetworkMode"] == "back"
