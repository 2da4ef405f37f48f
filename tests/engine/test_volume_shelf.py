import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.engine.worlds import import_image

from lamina.engine.engine import Engine
from lamina.engine.requests import CreateRequest, VolumeMount
from lamina.engine.volume_shelf import ANONYMOUS, VolumeInUse, Volumes, VolumeUnknown
from lamina.errors import Invalid, Unsupported

pytestmark = pytest.mark.root  # a plain user's test process would have to enter a namespace


def test_a_volume_is_made_once_and_told_as_docker_does(engine: Engine):
    volume = engine.volumes.create("data", labels={"k": "v"})
    assert engine.volumes.create("data", labels={"other": "x"}) == volume
    assert volume.to_json() == {
        "CreatedAt": volume.created,
        "Driver": "local",
        "Labels": {"k": "v"},
        "Mountpoint": f"{engine.settings.root}/volumes/data/_data",
        "Name": "data",
        "Options": None,
        "Scope": "local",
    }
    assert os.path.isdir(volume.folder)


def test_one_that_nobody_named_has_a_long_name_and_dockers_mark(engine: Engine):
    volume = engine.volumes.create()
    assert len(volume.name) == 64
    assert volume.anonymous
    assert ANONYMOUS in volume.labels


def test_a_volume_of_before_there_were_documents_is_one(engine: Engine):
    os.makedirs(f"{engine.store.disk.volumes}/old/_data")
    assert [volume.name for volume in engine.volumes.list()] == ["old"]
    assert engine.volumes.get("old").created.endswith("Z")


@pytest.mark.parametrize("name", ["a/b", "-a", "äh"])
def test_names_that_docker_would_not_take_are_refused(engine: Engine, name):
    with pytest.raises(Invalid, match="includes invalid characters"):
        engine.volumes.create(name)
    with pytest.raises(Invalid, match="volume name is too short"):
        engine.volumes.create("x")
    assert engine.volumes.list() == ()


def test_options_that_would_be_ignored_are_refused(engine: Engine, tmp_path):
    with pytest.raises(Unsupported):
        engine.volumes.create("bounded", options={"size": "1g"})
    with pytest.raises(Invalid):
        engine.volumes.create("nfs", options={"type": "nfs", "device": ":/x"})
    assert engine.volumes.list() == ()
    engine.volumes.create("here", options={"o": "bind", "type": "none", "device": str(tmp_path)})
    assert engine.volumes.get("here").options["device"] == str(tmp_path)


def test_a_volume_in_use_stays_until_its_container_is_gone(engine: Engine):
    import_image(engine, "app")
    mounts = (VolumeMount("volume", "data", "/data"), VolumeMount("volume", "", "/more"))
    record = engine.containers.create(CreateRequest("app", ("x",), mounts=mounts))
    with pytest.raises(VolumeInUse, match=rf"volume is in use - \[{record.id}\]"):
        engine.volumes.remove("data")
    assert engine.volumes.prune(named=True) == ((), 0)
    engine.containers.remove(record.id)
    anonymous = [v.name for v in engine.volumes.list() if v.anonymous]
    assert engine.volumes.prune()[0] == tuple(anonymous)
    engine.volumes.remove("data")
    assert engine.volumes.list() == ()


def test_what_is_not_there_cannot_be_removed_except_by_force(engine: Engine):
    with pytest.raises(VolumeUnknown, match="get none: no such volume"):
        engine.volumes.remove("none")
    engine.volumes.remove("none", force=True)


def test_pruning_counts_what_it_frees_and_takes_only_what_is_accepted(engine: Engine):
    for name in ("keep", "gone"):
        with open(f"{engine.volumes.create(name).folder}/file", "wb") as file:
            file.write(b"x" * 100_000)
    names, freed = engine.volumes.prune(lambda volume: volume.name == "gone", named=True)
    assert names == ("gone",)
    assert freed >= 100_000


def test_a_volume_that_is_being_taken_into_use_is_not_pruned(engine: Engine):
    with ThreadPoolExecutor(1) as pool:
        with engine.volumes.held():
            engine.volumes.create("fresh")
            pruning = pool.submit(Volumes(engine).prune, named=True)
            assert not pruning.done()
            assert os.path.isdir(engine.volumes.get("fresh").folder)
        assert pruning.result()[0] == ("fresh",)
