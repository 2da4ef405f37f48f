from tests.engine.test_records import record

from lamina.engine.outline import Outline
from lamina.spec.wire import decode, encode

MOUNT = {"Type": "volume", "Name": "v", "Source": "/s", "Destination": "/d", "Mode": "", "RW": True}


def test_an_outline_has_what_listings_show_and_survives_its_row():
    made = record(
        config={"Labels": {"a": "b"}, "ExposedPorts": {"80/tcp": {}}},
        host={"NetworkMode": "mine", "PortBindings": {"81/udp": []}},
        mounts=(MOUNT,),
        networks={"abc": {}},
    )
    outline = Outline.of(made)
    assert outline.command == made.command
    assert outline.words == ("sh", "-c", "echo 'a b'")
    assert outline.labels == {"a": "b"}
    assert outline.mounts == ({"Type": "volume", "Name": "v", "Source": "/s", "Destination": "/d"},)
    assert (outline.network_mode, outline.networks) == ("mine", ("abc",))
    assert (outline.exposed, outline.published) == (("80/tcp",), ("81/udp",))
    document = decode(encode({"row": outline.to_row()}))
    assert Outline.from_row(document["row"]) == outline


def test_an_outline_of_a_plain_container_has_dockers_defaults():
    outline = Outline.of(record(config={}, host={}))
    assert (outline.labels, outline.mounts, outline.exposed) == ({}, (), ())
    assert outline.network_mode == "default"
