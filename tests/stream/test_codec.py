import gzip
import io
import random
import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import splits
from tests.stream.test_verify import Pieces

from lamina.errors import Unsupported
from lamina.stream.codec import (
    CodecError,
    Compression,
    CompressionInvalid,
    compressor,
    decompressed,
    decompressor,
    sniff,
)

CODECS = ["gzip", "zstd", ""]
MIB = 1024 * 1024
SKIPPABLE = b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc"


def pack(codec: str, plain: bytes) -> bytes:
    machine = compressor(codec)
    return machine.compress(plain) + machine.flush()


def unpack(codec: str, pieces: list[bytes]) -> bytes:
    machine = decompressor(codec)
    plain = b"".join(b"".join(machine.feed(piece)) for piece in pieces)
    machine.finish()
    return plain


@pytest.mark.parametrize("codec", CODECS)
@given(data=st.data(), plain=st.binary(max_size=400))
def test_what_was_packed_unpacks_however_it_is_split(codec: str, data: st.DataObject, plain: bytes):
    packed = pack(codec, plain)
    assert unpack(codec, data.draw(splits(packed))) == plain


@pytest.mark.parametrize("codec", ["gzip", "zstd"])
@pytest.mark.parametrize("size", [MIB - 1, MIB, MIB + 1, 3 * MIB, 3 * MIB + 258])
@pytest.mark.parametrize("step", [1000, 65536, 1 << 30])
def test_bodies_around_the_piece_size_come_whole(codec: str, size: int, step: int):
    plain = b"\0" * size
    packed = pack(codec, plain)
    pieces = [packed[at : at + step] for at in range(0, len(packed), step)]
    assert unpack(codec, pieces) == plain


def test_random_bodies_of_several_pieces_come_whole():
    plain = random.Random(7).randbytes(2 * MIB + 77)
    for codec in CODECS:
        packed = pack(codec, plain)
        assert (
            unpack(codec, [packed[at : at + 8191] for at in range(0, len(packed), 8191)]) == plain
        )


def test_a_bomb_comes_in_bounded_pieces():
    packed = pack("gzip", b"\0" * (64 * MIB))
    for piece in decompressor("gzip").feed(packed):
        assert len(piece) <= 2 * MIB


@given(st.data())
def test_several_members_are_one_stream(data: st.DataObject):
    packed = gzip.compress(b"one") + gzip.compress(b"") + gzip.compress(b"two") + b"\0" * 512
    assert unpack("gzip", data.draw(splits(packed))) == b"onetwo"


@given(st.data())
def test_several_frames_and_skippable_ones_are_one_stream(data: st.DataObject):
    packed = SKIPPABLE + pack("zstd", b"one") + SKIPPABLE + pack("zstd", b"two") + SKIPPABLE
    assert unpack("zstd", data.draw(splits(packed))) == b"onetwo"


@pytest.mark.parametrize("codec", ["gzip", "zstd"])
@given(data=st.data())
def test_every_truncation_is_an_error(codec: str, data: st.DataObject):
    packed = pack(codec, b"some text, some text, some text")
    kept = data.draw(st.integers(1, len(packed) - 1))
    with pytest.raises(CodecError):
        unpack(codec, [packed[:kept]])


@given(data=st.data())
def test_a_flipped_bit_of_gzip_is_an_error_or_changes_nothing(data: st.DataObject):
    plain = b"some text, some text, some text"
    packed = bytearray(pack("gzip", plain))
    bit = data.draw(st.integers(0, len(packed) * 8 - 1))
    packed[bit // 8] ^= 1 << bit % 8
    with suppress(CodecError):
        assert unpack("gzip", [bytes(packed)]) == plain  # the header's time and system say nothing


def test_rubbish_after_the_last_member_is_an_error():
    with pytest.raises(CodecError):
        unpack("gzip", [gzip.compress(b"one") + b"rubbish"])


def test_an_empty_gzip_stream_is_an_error():
    with pytest.raises(CodecError, match="too soon"):
        unpack("gzip", [])


@pytest.mark.parametrize(
    ("head", "codec"),
    [(b"\x1f\x8b\x08\x00", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"), (SKIPPABLE, "zstd"),
     (b"\x5f\x2a\x4d\x18", "zstd"), (b"\x60\x2a\x4d\x18", ""), (b"", ""), (b"\x1f", ""),
     (b"usr/bin", "")],
)  # fmt: skip
def test_the_first_bytes_tell_the_codec(head: bytes, codec: str):
    assert sniff(head) == codec


@pytest.mark.parametrize("codec", CODECS)
def test_the_codec_is_known_even_when_bytes_trickle_in(codec: str):
    packed = pack(codec, b"body of a layer")
    source = Pieces([packed[at : at + 1] for at in range(len(packed))])
    assert b"".join(decompressed(source)) == b"body of a layer"


def test_an_empty_source_is_an_empty_body():
    assert b"".join(decompressed(io.BytesIO(b""))) == b""


def test_gzip_from_elsewhere_unpacks():
    plain = b"x" * 100_000
    for level in range(10):
        assert unpack("gzip", [gzip.compress(plain, level)]) == plain


@pytest.mark.parametrize("level", [None, 0, 1, 3, 6, 9])
def test_gzip_of_every_level_is_read_by_zlib_and_has_no_time_in_it(level: int | None):
    machine = compressor("gzip", level)
    packed = machine.compress(b"body" * 1000) + machine.flush()
    assert zlib.decompress(packed, 31) == b"body" * 1000
    assert packed[4:8] == b"\0\0\0\0"


def test_the_same_bytes_give_the_same_blob():
    for codec in CODECS:
        assert pack(codec, b"body" * 1000) == pack(codec, b"body" * 1000)


def test_an_unknown_codec_is_unsupported_with_what_there_is():
    for make in (compressor, decompressor):
        with pytest.raises(Unsupported) as caught:
            make("xz")
        assert "gzip" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "level", "shown"),
    [
        ("gzip", None, "gzip;level=1;by=isal"),
        ("gzip", 9, "gzip;level=9;by=zlib"),
        ("zstd", None, "zstd;level=3;by=zstd"),
        ("zstd", 22, "zstd;level=22;by=zstd"),
        ("none", None, "none"),
    ],
)
def test_a_compression_says_how_it_packs(name: str, level: int | None, shown: str):
    found = Compression.parse(name, level)
    assert str(found) == shown
    machine = compressor(found.codec, found.level)
    packed = machine.compress(b"body" * 1000) + machine.flush()
    assert sniff(packed) == found.codec


@pytest.mark.parametrize(
    ("name", "level", "words"),
    [
        ("lz4", None, "unknown compression 'lz4'"),
        ("", None, "unknown compression ''"),
        ("gzip", 0, "gzip has no compression level 0"),
        ("gzip", 10, "gzip has no compression level 10"),
        ("zstd", 23, "zstd has no compression level 23"),
        ("none", 1, "compression none has no levels"),
    ],
)
def test_a_compression_that_is_not_there_is_refused(name: str, level: int | None, words: str):
    with pytest.raises(CompressionInvalid, match=words):
        Compression.parse(name, level)


def test_zstd_by_several_threads_is_the_same_whatever_their_number():
    data = random.Random(1).randbytes(1 << 20) * 24
    made = set()
    for workers in (1, 2, 3):
        machine = compressor("zstd", 3, workers=workers)
        packed = machine.compress(data[:5_000_000]) + machine.compress(data[5_000_000:])
        made.add(packed + machine.flush())
    (one,) = made
    assert b"".join(decompressed(io.BytesIO(one))) == data
