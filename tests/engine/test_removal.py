"""What killed processes leave of containers: each test kills at one system call."""

import io
import os
import signal
from pathlib import Path

import pytest
from tests.commands import Lamina
from tests.containers import eventually
from tests.images import Piece, tar, tiny
from tests.soak.strikes import AtCall

from lamina.engine.archives import ImportRequest
from lamina.engine.engine import Engine
from lamina.engine.findings import Health, Shape
from lamina.engine.fsck import check
from lamina.engine.records import hold

pytestmark = pytest.mark.root


@pytest.fixture
def kill(lamina: Lamina, engine: Engine):
    changes = ("CMD true", "VOLUME /data")
    layer = tar([Piece("data", directory=True), Piece("data/a", b"a")])
    engine.images.import_(io.BytesIO(layer), ImportRequest(name="it", changes=changes))

    def at(call: str, number: int, *words: str) -> None:
        assert AtCall(call, number).strike(lamina.argv(*words), lamina.environ)

    return at


def everything(engine: Engine) -> list[str]:
    folders = ("containers", "snapshots/active", "snapshots/new")
    root = Path(engine.settings.root)
    names = [path for folder in folders for path in (root / folder).iterdir()]
    return sorted(path.name for path in names if path.name != "names")


def test_a_container_whose_making_was_killed_does_not_keep_its_name(kill, lamina, engine):
    kill("fsync", 1, "create", "--name", "work", "it")
    (torn,) = engine.containers.register.ids()
    assert engine.containers.register.holder("work") == torn
    (finding,) = [f for f in check(engine).findings if f.subject.startswith("containers/")]
    assert (finding.shape, finding.health) == (Shape.LEFT_OVER, Health.HARMLESS)
    whole = lamina("create", "--name", "work", "it").strip()
    assert everything(engine) == [whole, whole]


def test_prune_sweeps_what_a_killed_creation_left(kill, lamina, engine):
    kill("symlink", 1, "create", "--name", "one", "it")
    kill("rename,renameat,renameat2", 1, "create", "--name", "two", "it")  # while a volume is made
    kill("rename,renameat,renameat2", 2, "create", "--name", "three", "it")
    assert lamina("ps", "-aq") == ""
    lamina("container", "prune", "-f")
    assert everything(engine) == []
    assert os.listdir(f"{engine.settings.root}/containers/names") == []


def test_a_container_whose_removal_was_killed_is_gone_and_swept(kill, lamina, engine):
    lamina("create", "--name", "work", "it")
    kill("rename,renameat,renameat2", 1, "rm", "work")
    assert lamina("ps", "-aq") == ""
    assert check(engine).is_clean
    whole = lamina("create", "--name", "work", "it").strip()
    assert everything(engine) == [whole, whole]


def test_a_container_that_is_being_made_is_not_swept(lamina, engine):
    folder = Path(engine.store.root, "containers", "a" * 64)
    folder.mkdir()
    lock = hold(f"{folder}/lock")  # as its maker does until the record is there
    engine.containers.register.claim("work", folder.name)
    lamina("container", "prune", "-f")
    assert folder.is_dir()
    assert engine.containers.register.holder("work") == folder.name
    os.close(lock)
    lamina("container", "prune", "-f")
    assert not folder.exists()
    assert engine.containers.register.holder("work") == ""


def test_a_renaming_that_was_killed_can_be_repeated(kill, lamina, engine):
    lamina("create", "--name", "old", "it")
    kill("unlink", 1, "rename", "old", "new")
    lamina("rename", "old", "new")
    assert os.listdir(f"{engine.settings.root}/containers/names") == ["new"]


def test_a_renaming_that_was_killed_does_not_keep_the_old_name(kill, lamina, engine):
    lamina("create", "--name", "old", "it")
    kill("unlink", 1, "rename", "old", "new")
    lamina("create", "--name", "old", "it")
    lamina("container", "prune", "-f")
    assert everything(engine) == []
    assert os.listdir(f"{engine.settings.root}/containers/names") == []


@pytest.mark.parametrize("swept_by", [("rm", "lost"), ("image", "prune", "-f")])
def test_layers_that_a_killed_shim_left_mounted_do_not_stay_so(lamina, engine, swept_by):
    request = ImportRequest(name="it", changes=("CMD sleep 1000",))
    engine.images.import_(io.BytesIO(tiny()), request)
    lamina("run", "-d", "--name", "lost", "it")
    (record,) = engine.containers.records()
    layers = f"{engine.settings.run_root}/layers"
    assert len(os.listdir(layers)) > 1
    os.kill(engine.containers.state(record.id).shim, signal.SIGKILL)
    eventually(lambda: not engine.containers.is_running(record.id))
    lamina(*swept_by)
    assert os.listdir(layers) == ["lock"]
