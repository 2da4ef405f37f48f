"""What was compressed on the way comes out plain, in whatever pieces it comes."""

import gzip
import io
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.remote.unpacked import Unpacked, unpack


class Wire:
    """A stream of a test's own, that gives `pace` bytes at a time."""

    def __init__(self, data: bytes, pace: int) -> None:
        self._file = io.BytesIO(data)
        self._pace = pace
        self.closed = False

    def read1(self, size: int) -> bytes:
        return self._file.read(min(size, self._pace))

    def release(self) -> None:
        raise AssertionError("who knows whether it was read to its end")

    def close(self) -> None:
        self.closed = True


def read(stream: Unpacked, size: int) -> bytes:
    pieces = []
    while piece := stream.read1(size):
        assert len(piece) <= size
        pieces.append(piece)
    return b"".join(pieces)


@given(st.binary(max_size=3000), st.integers(1, 500), st.integers(1, 5000), st.booleans())
def test_a_packed_stream_reads_as_the_plain_one(
    data: bytes, pace: int, size: int, as_zlib: bool
) -> None:
    wire = Wire(zlib.compress(data) if as_zlib else gzip.compress(data), pace)
    stream = Unpacked(wire)
    assert read(stream, size) == data
    stream.release()
    assert wire.closed


def test_a_packed_stream_that_ends_early_or_is_damaged_broke_off() -> None:
    packed = gzip.compress(bytes(range(256)) * 9)
    for data, said in ((packed[:40], "ends early"), (packed[:20] + b"x" * 99, "damaged")):
        with pytest.raises(ConnectionResetError, match=said):
            read(Unpacked(Wire(data, 7)), 100)


def test_a_body_is_unpacked_up_to_its_limit_and_only_if_it_is_packed() -> None:
    assert unpack(gzip.compress(b"x" * 1000), "GZIP ", 10) == b"x" * 11
    assert unpack(b"plain", "gzip", 10) == b"plain"
    assert unpack(b"plain", "br", 10) == b"plain"
