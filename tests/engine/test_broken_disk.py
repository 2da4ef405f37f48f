"""Disks that fail at one call: what commands say then. Each test is named after a fault that was found."""

import io
from collections.abc import Callable

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
