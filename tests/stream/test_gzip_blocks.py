"""gzip in blocks is one member, the same whoever made it; its threads end."""

import gzip
import io
import random
import threading
import zlib

import pytest

from lamina.stream.codec import compressor, decompressed
from lamina.stream.gzip_blocks import GzipBlocks


@pytest.mark.parametrize("size", [0, 1, 1 << 20, (1 << 20) + 1, 5_500_000])
def test_gzip_by_any_number_of_threads_and_in_any_pieces_is_the_same_member(size: int):
    # Words in another order each time: to be compressed, with references across blocks.
    words = [b"layer", b"tar\0" * 9, b"etc/", random.Random(2).randbytes(50)]
    chosen = random.Random(size)
    data = b"".join(chosen.choice(words) for _ in range(size // 4 + 1))[:size]
    made = set()
    for workers, piece in [(0, 1 << 20), (0, 70_001), (1, 3_000_000), (3, 1 << 20), (3, 4096)]:
        machine = compressor("gzip", 1, workers=workers)
        packed = [machine.compress(data[at : at + piece]) for at in range(0, size, piece)]
        made.add(b"".join([*packed, machine.flush()]))
    (one,) = made
    member = zlib.decompressobj(31)
    assert member.decompress(one) + member.flush() == data
    assert (member.eof, member.unused_data) == (True, b"")
    assert gzip.decompress(one) == data
    assert b"".join(decompressed(io.BytesIO(one))) == data


def test_what_a_thread_fails_with_comes_out_and_the_threads_end():
    class Broken:
        DEFLATED = Z_SYNC_FLUSH = 0

        def crc32(self, data: bytes, before: int) -> int:
            return before

        def compressobj(self, *words: object, **more: object) -> None:
            raise MemoryError("no room for a block")

    before = set(threading.enumerate())
    machine = GzipBlocks(Broken(), 1, workers=2)  # type: ignore[arg-type]
    with pytest.raises(MemoryError, match="no room for a block"):
        [machine.compress(bytes(1 << 20)) for _ in range(9)] + [machine.flush()]
    ended = set(threading.enumerate()) - before
    left = compressor("gzip", 1, workers=2)  # by somebody who went away in the middle
    for _ in range(3):
        left.compress(bytes(1 << 20))
    ended |= set(threading.enumerate()) - before
    del left
    for thread in ended:
        thread.join(30)
        assert not thread.is_alive()
