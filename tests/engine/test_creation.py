import io
import os

import pytest
from tests.images import tiny

from lamina.engine.archives import ImportRequest
from lamina.engine.creation import create
from lamina.engine.engine import Engine
from lamina.engine.local import ImageUnknown
from lamina.engine.removal import sweep
from lamina.engine.requests import CreateRequest, VolumeMount
from lamina.errors import Invalid

pytestmark = pytest.mark.root


@pytest.fixture
def shelf(engine: Engine) -> Engine:
    changes = ("CMD echo hi", "USER nobody", "VOLUME /data", "WORKDIR /home")
    engine.images.import_(io.BytesIO(tiny()), ImportRequest(name="tiny", changes=changes))
    return engine


def test_a_container_is_made_as_its_image_says(shelf: Engine):
    record = create(shelf, CreateRequest("tiny"))
    assert (record.path, record.args) == ("/bin/sh", ("-c", "echo hi"))
    assert record.config["User"] == "nobody"
    assert [mount["Destination"] for mount in record.mounts] == ["/data"]
    assert record.mounts[0]["Anonymous"]
    assert shelf.containers.record(record.id) == record
    assert len(record.id) == 64


def test_a_mount_of_ones_own_takes_the_place_of_the_images_volume(shelf: Engine, tmp_path):
    mount = VolumeMount("bind", f"{tmp_path}/made", "/data")
    record = create(shelf, CreateRequest("tiny", mounts=(mount,)))
    assert [row["Type"] for row in record.mounts] == ["bind"]
    assert (tmp_path / "made").is_dir()


def test_nothing_is_left_of_a_container_that_could_not_be_made(shelf: Engine, monkeypatch):
    with pytest.raises(ImageUnknown):
        create(shelf, CreateRequest("nosuch"))
    with pytest.raises(Invalid, match="local volume name"):
        create(shelf, CreateRequest("tiny", mounts=(VolumeMount("volume", "-x", "/v"),)))
    assert shelf.containers.register.ids() == []
    assert list(shelf.snapshotter) == []


def test_nor_are_its_anonymous_volumes(shelf: Engine, monkeypatch):
    """Whatever comes after them in a failed `create` once left them for good."""
    lacking = VolumeMount("bind", "/none/such", "/x", make=False)
    kept = VolumeMount("volume", "kept", "/kept")
    asked = CreateRequest("tiny", mounts=(VolumeMount("volume", "", "/v"), kept, lacking))
    with pytest.raises(Invalid, match="does not exist"):
        create(shelf, asked)
    monkeypatch.setattr(shelf.snapshotter, "prepare", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        create(shelf, CreateRequest("tiny"))
    assert [volume.name for volume in shelf.volumes.list()] == ["kept"]


def test_only_what_is_to_stay_waits_for_the_disk(shelf: Engine, monkeypatch):
    create(shelf, CreateRequest("tiny", auto_remove=True))  # what the first one makes beside
    waits: list[int] = []
    monkeypatch.setattr(os, "fsync", waits.append)
    passing = create(shelf, CreateRequest("tiny", auto_remove=True))
    assert not waits
    assert shelf.containers.record(passing.id) == passing
    create(shelf, CreateRequest("tiny"))
    assert waits


def test_a_passing_container_that_a_power_cut_spoilt_was_never_there(shelf: Engine):
    record = create(shelf, CreateRequest("tiny", auto_remove=True))
    with open(f"{record.folder}/container.json", "r+b") as file:
        file.truncate(0)  # its name was on the disk already, its bytes were not
    assert [row.id for row in shelf.containers.list(all=True)] == []
    assert sweep(shelf) == (record.id,)
    assert list(shelf.snapshotter) == []
    create(shelf, CreateRequest("tiny", name=record.name))
