"""Disks that fail at one call: what commands say then. Each test is named after a fault that was found."""

import io
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.commands import Lamina
from tests.images import Piece, tar
from tests.soak.strikes import Failing

from lamina.engine.archives import ImportRequest
from lamina.engine.engine import Engine

pytestmark = pytest.mark.root
Fail = Callable[..., str]


@pytest.fixture
def fail(lamina: Lamina, engine: Engine) -> Fail:
    layer = tar([Piece("a", b"a")])
    engine.images.import_(io.BytesIO(layer), ImportRequest(name="it", changes=("CMD true",)))

    def at(calls: str, number: int, *words: str) -> str:
        ended = Failing(calls, "ENOSPC", number).run(lamina.argv(*words), lamina.environ)
        assert ended.returncode == 1, ended
        return ended.stderr.decode()

    return at


def test_a_disk_full_just_after_a_container_got_its_layer_is_called_full(fail: Fail):
    said = [fail("fsync", number, "create", "it") for number in range(1, 5)]
    assert [text.startswith("lamina: no space left on device while") for text in said] == [True] * 4


def test_a_disk_full_just_after_a_blob_got_its_place_is_called_full(fail: Fail, lamina: Lamina):
    lamina("create", "--name", "work", "it")
    said = [fail("fsync", number, "commit", "work") for number in (1, 2)]
    assert [text.startswith("lamina: no space left on device while") for text in said] == [True] * 2


def test_a_container_is_removed_where_there_is_no_room_to_move_it_away(
    fail: Fail, lamina: Lamina, engine: Engine
):
    lamina("create", "--name", "work", "it")
    ended = Failing("rename", "ENOSPC", 1).run(lamina.argv("rm", "work"), lamina.environ)
    assert ended.returncode == 0, ended
    assert list(engine.snapshotter) == []


def test_a_disk_that_fails_is_called_so(lamina: Lamina, fail: Fail):
    ended = Failing("fsync", "EIO", 1).run(lamina.argv("tag", "it", "other"), lamina.environ)
    assert ended.stderr.startswith(b"lamina: the disk failed while writing "), ended
    assert b"`lamina fsck`" in ended.stderr


def test_a_root_on_a_read_only_file_system_can_be_read_and_checked(
    fail: Fail, lamina: Lamina, engine: Engine, tmp_path: Path
):
    root = engine.store.root
    subprocess.run(["mount", "--bind", root, root], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", root], check=True)
    assert "as it should be" in lamina("fsck")
    lamina("save", "-o", str(tmp_path / "it.tar"), "it")
    for words in (
        ("tag", "it", "other"),
        ("rmi", "it"),
        ("create", "it"),
        ("image", "prune", "-f"),
    ):
        refused = lamina.attempt(*words)
        assert refused.code == 1, words
        assert "read-only" in refused.err


def test_limits_of_the_shell_are_told_and_leave_no_container(
    fail: Fail, lamina: Lamina, tmp_path: Path
):
    def limited(*words: str) -> str:
        script = f'ulimit {words[0]} && exec "$@"'
        argv = ["sh", "-c", script, "sh", *lamina.argv(*words[1:])]
        ended = subprocess.run(argv, env=lamina.environ, capture_output=True, check=False)
        assert ended.returncode in (1, 125), ended
        return ended.stderr.decode()

    assert "`ulimit -n " in limited("-n 64", "run", "--rm", "it")
    assert lamina("ps", "-aq") == ""
    assert "`ulimit -f" in limited("-f 1", "save", "-o", str(tmp_path / "it.tar"), "it")
