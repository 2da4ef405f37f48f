"""Going on in the middle of a byte: the blocks that are put in front are right for every bit."""

import zlib

import pytest

from lamina.stream.codec import CodecError
from lamina.stream.resuming import Resumed, lead_in
from lamina.stream.seek_points import Point


@pytest.mark.parametrize("bits", range(8))
def test_empty_blocks_end_at_the_bit_they_should_and_give_nothing(bits: int):
    whole, last = lead_in(bits)
    assert last < 1 << bits
    # What follows is a stored block, which begins at the next whole byte after its 3 bits.
    head = last | 1 << bits
    stored = b"\5\0\xfa\xffhello"
    size = 1 if bits + 3 <= 8 else 2
    machine = zlib.decompressobj(-15)
    assert machine.decompress(whole + head.to_bytes(size, "little") + stored) == b"hello"
    assert machine.eof


def test_the_window_is_what_earlier_bytes_are_copied_from():
    window = b"what was before, and more of it"
    packer = zlib.compressobj(9, zlib.DEFLATED, -15, zdict=window)
    packed = packer.compress(b"and more of it, again") + packer.flush()
    assert len(packed) < 21
    resumed = Resumed("gzip", Point(100, 50, 0, window))
    assert resumed.start == 50
    assert b"".join(resumed.feed(packed)) == b"and more of it, again"


def test_output_beyond_a_piece_comes_though_all_input_is_taken():
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(bytes(5 << 20)) + packer.flush(zlib.Z_SYNC_FLUSH)
    assert sum(map(len, Resumed("gzip", Point(0, 0, 0, b"")).feed(packed))) == 5 << 20


def test_garbage_is_said_to_be_damaged():
    with pytest.raises(CodecError):
        list(Resumed("gzip", Point(0, 9, 3, b"")).feed(b"\xff" * 100))
