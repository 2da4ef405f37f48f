"""Room: what is kept for undo gives way, and a full disk takes it first."""

import io
import os

import pytest
from tests.engine.worlds import import_image, make_engine
from tests.images import Piece, tar
from tests.servers import RegistryServer
from tests.store.disks import fill, mounted

from lamina.engine import undo
from lamina.engine.archives import ImportRequest
from lamina.engine.room import make_room, need, tidy, with_room
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


@pytest.mark.root
def test_a_pull_that_cannot_fit_is_refused_before_a_byte_of_a_layer_comes(
    tmp_path, registry: RegistryServer
):
    name = f"{registry.address}/large:1"
    there = make_engine(tmp_path / "there")
    import_image(there, name, [Piece("n", noise(5_000_000, 5))])
    there.images.push(name)
    with mounted(tmp_path / "small", "8m") as small:
        here = make_engine(small)
        with pytest.raises(
            DiskFull, match=r"the image needs 10\.?\d*MB at least, and [\d.]+MB are free"
        ):
            here.images.pull(name)
        assert os.listdir(f"{here.store.root}/uploads") == []
    with mounted(tmp_path / "enough", "16m") as enough:
        here = make_engine(enough)
        here.images.pull(name)
        assert [row.names for row in here.images.list()] == [(name,)]


def test_what_is_kept_gives_way_to_what_comes(engine):
    import_image(engine, "a:1")
    engine.images.remove("a:1")
    need(engine, 1)
    assert list(engine.layers) != []
    with pytest.raises(DiskFull, match="the image needs 1e\\+18TB"):
        need(engine, 10**30)
    assert list(engine.layers) == []
