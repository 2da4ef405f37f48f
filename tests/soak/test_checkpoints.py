"""Kill -9 between any two calls of snapshot, rollback and fork: a container is as before, or as after."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.commands import Lamina
from tests.containers import world
from tests.images import Piece, tar
from tests.soak.strikes import AtCall

pytestmark = pytest.mark.root  # a plain user's commands go through set-user-ID programs

CALLS = ("symlink", "rename", "renameat2", "link", "rmdir")  # each is counted by itself


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Lamina]:
    with world(tmp_path) as lamina:
        lamina("create", "--name", "work", "tiny")
        put(lamina, b"old")
        lamina("snapshot", "work", "good")
        yield lamina


def put(lamina: Lamina, body: bytes) -> None:
    lamina("cp", "-", "work:/", stdin=tar([Piece("f", body)]))


def kills(lamina: Lamina, *words: str) -> Iterator[int]:
    """Kill a command at each of its calls, one after another, with something new to freeze."""
    for call in CALLS:
        number = 1
        put(lamina, b"new")
        while AtCall(call, number).strike(lamina.argv(*words), lamina.environ):
            yield number
            number += 1
            put(lamina, b"new")


def sound(lamina: Lamina) -> None:
    """Nothing is missing, and nothing is left once the container is gone."""
    assert "MISSING" not in lamina.attempt("fsck").out.upper()
    lamina("container", "prune", "-f")
    snapshots = Path(lamina.settings.root) / "snapshots"
    assert [*(snapshots / "frozen").iterdir(), *(snapshots / "new").iterdir()] == []


def test_a_rollback_is_before_or_after(box: Lamina):
    seen = []
    for _ in kills(box, "rollback", "work", "good"):
        seen.append(box("cat", "work:/f"))
        box("rollback", "work", "good")
        assert box("cat", "work:/f") == "old"
    assert len(seen) > 5
    assert set(seen) == {"old", "new"}
    sound(box)


def test_a_checkpoint_and_a_fork_change_nothing(box: Lamina):
    made = ""
    for words in (("snapshot", "work"), ("fork", "work")):
        seen = [box("cat", "work:/f") for _ in kills(box, *words)]
        assert len(seen) > 3
        assert set(seen) == {"new"}
        made = box(*words).strip()
    assert box("cat", f"{made}:/f") == "new"
    sound(box)
