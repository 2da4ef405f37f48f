"""The system's libz by hand: steps that end at blocks, and what a damaged member gives."""

import gzip
import random
import zlib

import pytest

from lamina.stream.libz import DONE, Inflate, libz


def opened(room: int = 1 << 16) -> Inflate:
    library = libz()
    assert library is not None, "Debian has libz.so.1"
    return Inflate(library, room)


def test_steps_to_a_block_end_between_blocks_and_give_all_bytes():
    data = random.Random(1).randbytes(300_000)
    packed = gzip.compress(data, 6, mtime=0)
    machine = opened()
    at, plain, blocks = 0, [], 0
    while machine.step(packed, at, 1 << 16, to_block=True) is not DONE:
        at += machine.taken
        plain.append(machine.plain)
        if machine.at_block and machine.plain:
            blocks += 1
            assert machine.window() == b"".join(plain)[-32768:]
            assert 0 <= machine.bits < 8
    assert b"".join([*plain, machine.plain]) == data
    assert at + machine.taken == len(packed)
    assert blocks > 3
    machine.close()
    machine.close()


def test_a_member_that_is_damaged_is_said_to_be_so_in_libzs_words():
    packed = bytearray(gzip.compress(b"x" * 1000, mtime=0))
    packed[-8] ^= 1
    with pytest.raises(ValueError, match="incorrect data check"):
        opened().step(bytes(packed), 0, 1 << 16, to_block=False)
    with pytest.raises(ValueError, match="incorrect header check"):
        opened().step(zlib.compress(b"x"), 0, 1 << 16, to_block=False)


def test_another_member_can_begin_after_a_reset():
    packed = gzip.compress(b"one", mtime=0)
    machine = opened()
    assert machine.step(packed, 0, 100, to_block=False) is DONE
    machine.reset()
    assert machine.step(packed, 0, 100, to_block=False) is DONE
    assert machine.plain == b"one"
