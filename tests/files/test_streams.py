"""A file of an image as a stream: the same as the file on a disk, however it is read."""

import io
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.engine.worlds import import_image, make_engine
from tests.files.images import opened
from tests.images import Piece

from lamina.files.image import OpenImage
from lamina.files.streams import ImageFile

BODY = bytes(range(256)) * 700


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenImage]:
    with make_engine(tmp_path_factory.mktemp("streams")) as engine:
        import_image(engine, "it:1", [Piece("file", BODY), Piece("empty"), Piece("small", b"abc")])
        with opened(engine, "it:1") as image:
            yield image


DEEDS = st.lists(
    st.one_of(
        st.tuples(st.just("read"), st.integers(-1, 200_000)),
        st.tuples(st.just("seek"), st.integers(0, 300_000)),
        st.tuples(st.just("readline"), st.just(-1)),
        st.tuples(st.just("read1"), st.integers(0, 100_000)),
        st.tuples(st.just("peek"), st.just(1)),
    ),
    max_size=12,
)


@given(deeds=DEEDS)
def test_any_reading_and_seeking_gives_what_the_bytes_give(image: OpenImage, deeds):
    theirs = io.BytesIO(BODY)
    with image.open("/file") as file:
        for deed, number in deeds:
            if deed == "read1":  # it may give less
                data = file.read1(number)
                assert theirs.read(len(data)) == data
            elif deed == "peek":
                assert file.peek()[:1] == theirs.getvalue()[theirs.tell() :][:1]
            else:
                assert getattr(file, deed)(number) == getattr(theirs, deed)(number)
            assert file.tell() == theirs.tell()


def test_a_stream_says_what_it_is_and_refuses_what_it_cannot(image: OpenImage):
    with image.open("/file") as file:
        assert (file.size, file.path, file.name, file.mode) == (len(BODY), "/file", "/file", "rb")
        assert file.readable()
        assert file.seekable()
        assert not file.writable()
        assert file.seek(-3, 2) == len(BODY) - 3
        assert file.seek(-3, 1) == len(BODY) - 6
        with pytest.raises(ValueError, match="negative seek"):
            file.seek(-1)
        with pytest.raises(ValueError, match="whence"):
            file.seek(0, 9)
        with pytest.raises(io.UnsupportedOperation):
            file.write(b"x")
        with pytest.raises(OSError, match="fileno"):
            file.fileno()
    with pytest.raises(ValueError, match="closed"):
        file.read(1)
    with image.open("/empty") as file:
        assert file.read() == b""


def test_a_whole_file_costs_one_read_of_the_layer(image: OpenImage):
    asked: list[tuple[int, int]] = []

    def read_at(at: int, size: int) -> bytes:
        asked.append((at, size))
        return image.read("/file", at, size)

    with ImageFile(image, "/file", len(BODY), read_at, lambda: None) as file:
        assert file.read() == BODY
        assert asked == [(0, len(BODY))]
        file.seek(5)
        file.read(10)
        file.read(10)
        assert len(asked) == 2  # the buffer has the rest


def test_a_stream_goes_on_where_it_was_pickled(image: OpenImage):
    with image.open("/file", buffer_size=16) as file:
        file.seek(100_000)
        again = pickle.loads(pickle.dumps(file))
        assert again.read(20) == BODY[100_000:100_020]
        again.close()
        again.image.close()


def test_the_bytes_are_the_files(image: OpenImage, tmp_path: Path):
    import shutil

    with image.open("/file") as file, (tmp_path / "copy").open("wb") as target:
        shutil.copyfileobj(file, target)
    assert (tmp_path / "copy").read_bytes() == BODY
