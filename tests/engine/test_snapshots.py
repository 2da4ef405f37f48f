"""Checkpoints through the library: what forks share, what they do not, and what a failure leaves."""

import io
import os

import pytest
from tests.images import tiny

from lamina.engine.archives import ImportRequest
from lamina.engine.engine import Engine
from lamina.engine.names import NameTaken
from lamina.engine.network_request import Endpoint, NetworkRequest
from lamina.engine.ports import published
from lamina.engine.requests import CreateRequest, VolumeMount

pytestmark = pytest.mark.root


@pytest.fixture
def engine_with_box(engine: Engine) -> Engine:
    engine.images.import_(io.BytesIO(tiny()), ImportRequest(name="tiny", changes=("CMD sh",)))
    mounts = (VolumeMount("volume", "", "/own"), VolumeMount("volume", "shared", "/all"))
    engine.containers.create(CreateRequest("tiny", ("true",), name="box", mounts=mounts))
    return engine


def test_forks_have_hostnames_and_anonymous_volumes_of_their_own(engine_with_box: Engine):
    containers = engine_with_box.containers
    box = containers.record("box")
    one, two = containers.fork("box", 2)
    assert (one.name, two.name) == ("box-1", "box-2")
    assert one.config["Hostname"] == one.id[:12]
    sources = [{m["Destination"]: m["Source"] for m in made.mounts} for made in (box, one, two)]
    assert len({row["/own"] for row in sources}) == 3
    assert len({row["/all"] for row in sources}) == 1
    containers.remove("box", volumes=True)
    assert os.path.isdir(sources[1]["/own"])
    (three,) = containers.fork("box-1", 1, names=("third",))
    assert three.name == "third"


def test_a_fork_that_fails_leaves_no_volume(engine_with_box: Engine, monkeypatch):
    before = {volume.name for volume in engine_with_box.volumes.list()}
    monkeypatch.setattr(engine_with_box.containers.files, "save", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        engine_with_box.containers.fork("box", 2)
    assert {volume.name for volume in engine_with_box.volumes.list()} == before


def test_forks_leave_a_containers_ports_and_addresses_to_it(engine_with_box: Engine):
    engine = engine_with_box
    engine.networks.create("own", subnet="10.5.0.0/24")
    wanted = NetworkRequest(
        endpoints=(Endpoint("own", ("web",), ip="10.5.0.9", mac="02:42:00:00:00:09"),),
        ports=published(("127.0.0.1:8080:80", "8000-8010:81", "82")),
    )
    engine.containers.create(CreateRequest("tiny", ("true",), name="web", networking=wanted))
    (made,) = engine.containers.fork("web", 1)
    assert made.host["PortBindings"] == {
        "80/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}],
        "81/tcp": [{"HostIp": "", "HostPort": "8000-8010"}],
        "82/tcp": [{"HostIp": "", "HostPort": ""}],
    }
    (place,) = made.networks.values()
    assert (place["aliases"], place["ip"], place["mac"]) == (["web"], "", "")
    assert engine.containers.record("web").host["PortBindings"]["80/tcp"][0]["HostPort"] == "8080"


def test_of_several_forks_none_stays_where_one_cannot_be(engine_with_box: Engine):
    containers = engine_with_box.containers
    with pytest.raises(NameTaken):
        containers.fork("box", 2, names=("free", "box"))
    assert [record.name for record in containers.records()] == ["box"]
    assert len(os.listdir(f"{engine_with_box.settings.root}/snapshots/frozen")) == 1  # box's own


def test_checkpoints_are_numbered_from_the_highest(engine_with_box: Engine):
    containers = engine_with_box.containers
    assert [containers.snapshot("box", label).name for label in ("", "7", "x", "")] == [
        "1", "7", "x", "8",
    ]  # fmt: skip
    assert [row.name for row in containers.snapshots("box")] == ["1", "7", "x", "8"]
