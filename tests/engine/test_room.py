"""Room: what is kept for undo gives way, and a full disk takes it first."""

import io

import pytest
from tests.engine.worlds import import_image, make_engine
from tests.images import Piece, tar
from tests.store.disks import fill, mounted

from lamina.engine import undo
from lamina.engine.archives import ImportRequest
from lamina.engine.room import make_room, tidy, with_room
from lamina.stream.files import DiskFull


@pytest.fixture
def tiny(tmp_path):
    with mounted(tmp_path / "tiny", "40m") as place:
        yield place


def noise(size, seed):
    import random

    return random.Random(seed).randbytes(size)


@pytest.mark.root
def test_a_tenth_of_the_free_room_is_kept_and_no_more(tiny):
    engine = make_engine(tiny)
    import_image(engine, "small:1", [Piece("s", noise(500_000, 1))])
    import_image(engine, "large:1", [Piece("l", noise(4_000_000, 2))])
    engine.images.remove("small:1")
    assert [row.size > 900_000 for row in undo.listing(engine)] == [True]
    engine.images.remove("large:1")
    assert list(engine.layers) == [], "the newest does not fit, and what is older goes first"
    assert [row.state for row in undo.listing(engine)] == ["gone", "gone"]


@pytest.mark.root
def test_a_full_disk_takes_what_was_kept_first(tiny):
    engine = make_engine(tiny)
    import_image(engine, "kept:1", [Piece("s", noise(700_000, 1))])
    engine.images.remove("kept:1")
    assert list(engine.layers) != []
    fill(tiny / "ballast", 100_000)
    data = tar([Piece("n", noise(300_000, 3))])
    with pytest.raises(DiskFull):
        engine.images.import_(io.BytesIO(data), ImportRequest(name="new:1"))
    assert list(engine.layers) == []
    engine.images.import_(io.BytesIO(data), ImportRequest(name="new:1"))
    assert engine.images.resolve("new:1").names == ("docker.io/library/new:1",)


def test_an_attempt_is_made_again_only_where_room_was_made(engine):
    attempts = []

    def attempt():
        attempts.append(len(list(engine.layers)))
        if len(attempts) == 1:
            raise DiskFull("no space left on device")
        return "done"

    with pytest.raises(DiskFull):
        with_room(engine, attempt)
    assert attempts == [0]
    import_image(engine, "a:1")
    engine.images.remove("a:1")
    attempts.clear()
    assert with_room(engine, attempt) == "done"
    assert attempts == [1, 0]


def test_where_nothing_is_kept_there_is_nothing_to_tidy(engine):
    image_id = import_image(engine, "a:1")
    tidy(engine)
    assert make_room(engine) == 0
    assert [row.id for row in engine.images.list()] == [image_id]
