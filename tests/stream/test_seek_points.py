"""Where decoding can begin: every packing gives its bytes, and every point is one."""

import gzip
import random

import pytest
from tests.layer.seeking import PACKERS, packed_by

from lamina.errors import Unsupported
from lamina.stream.codec import CodecError, sniff
from lamina.stream.libz import libz
from lamina.stream.resuming import Resumed
from lamina.stream.seek_points import Point, finder

WORDS = [b"layer", b"tar\0" * 9, b"etc/", random.Random(2).randbytes(50), bytes(700)]
CHOSEN = random.Random(3)
DATA = b"".join(CHOSEN.choice(WORDS) for _ in range(9000)) + random.Random(4).randbytes(200_000)
EVERY = 100_000


def found(blob: bytes, *, by_libz: bool = True, piece: int = 10_007) -> tuple[bytes, list[Point]]:
    machine = finder(sniff(blob[:4]), EVERY, libz() if by_libz else None)
    plain, points = bytearray(), []
    for at in range(0, len(blob), piece):
        for item in machine.feed(blob[at : at + piece]):
            if isinstance(item, Point):
                assert item.at == len(plain)
                points.append(item)
            else:
                plain += item
        assert machine.needed <= at + piece
    machine.finish()
    return bytes(plain), points


@pytest.mark.parametrize("name", PACKERS)
@pytest.mark.parametrize("by_libz", [True, False])
def test_all_bytes_come_and_decoding_from_each_point_gives_the_rest(name: str, by_libz: bool):
    blob = packed_by(name, DATA)
    plain, points = found(blob, by_libz=by_libz)
    assert plain == DATA
    assert points[0] == Point(0, 0)
    if name in ("plain", "members", "frames") or (by_libz and name != "zstd"):
        assert len(points) > 2  # as many as there are blocks, which may be larger
    else:
        assert len(points) == 1  # one member or frame, and nobody to say where its blocks end
    for point in points:
        resumed = Resumed(sniff(blob[:4]), point)
        rest = blob[resumed.start :]
        pieces = [piece for at in range(0, len(rest), 9_001) for piece in resumed.feed(rest[at : at + 9_001])]  # fmt: skip
        assert b"".join(pieces) == DATA[point.at :]


def test_a_block_may_begin_at_any_bit():
    data = bytes(random.Random(5).choices(range(256), range(1, 257), k=900_000))
    blob = gzip.compress(data, 6, mtime=0)
    plain, points = found(blob)
    assert plain == data
    many = finder("gzip", 1, libz())
    points = [item for item in many.feed(blob) if isinstance(item, Point)]
    assert {point.bits for point in points} == set(range(8))
    for point in points:
        resumed = Resumed("gzip", point)
        assert b"".join(resumed.feed(blob[resumed.start :])) == data[point.at :]


@pytest.mark.parametrize("by_libz", [True, False])
@pytest.mark.parametrize("name", ["zlib", "members", "zstd", "frames"])
def test_a_blob_that_is_cut_short_or_damaged_is_told_from_a_whole_one(name: str, by_libz: bool):
    blob = packed_by(name, DATA)
    for short in (blob[: len(blob) // 2], blob[:9]):
        with pytest.raises(CodecError):
            found(short, by_libz=by_libz)
    with pytest.raises(CodecError):
        found(blob[:5000] + bytes(3000) + blob[8000:], by_libz=by_libz)


def test_a_member_of_blocks_without_a_byte_in_them_ends_all_the_same():
    empty = b"\0\0\0\xff\xff"  # a stored block of no bytes
    blob = gzip.compress(b"", mtime=0)[:10] + empty * 20_000 + b"\3\0" + bytes(8)
    assert found(blob) == (b"", [Point(0, 0)])
    assert found(gzip.compress(b"", mtime=0) * 3) == (b"", [Point(0, 0)])


def test_what_is_no_codec_is_refused():
    with pytest.raises(Unsupported):
        finder("bzip2", EVERY, None)
