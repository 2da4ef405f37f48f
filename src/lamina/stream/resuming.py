"""Decode a compressed stream from a point in its middle.

A deflate stream goes on at any bit, and Python's zlib begins at whole bytes: so empty blocks of as
many bits as are missing are put in front. Stored blocks stay where they are by that, as shifting
all that follows would not leave them. Spec: RFC 1951, 3.2.3 to 3.2.7.
"""

import zlib
from functools import cache

from lamina.stream.codec import CodecError, decompressor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from lamina.stream.codec import Decompressor
    from lamina.stream.seek_points import Point

__all__ = ["Resumed", "lead_in"]

_RAW = -15
_TRAILER = 8  # bytes behind a gzip member's deflate stream: its CRC-32 and its length
_PIECE = 1024 * 1024
_BITS = 8
# Fixed codes and nothing but their end: 10 bits. To be read from the right, like all below.
_EVEN = (0b0000000_01_0, 10)
# Codes of its own and nothing but their end: 91 bits, for the odd ones.
_CODE_LENGTHS = 18  # of the 19, in the order of the RFC; only 18 (3rd) and 1 (18th) have a code


def _odd() -> tuple[int, int]:
    """Make a block with dynamic codes: 0 and 256 have one bit each, and so has distance 0."""
    parts = [(0b10_0, 3), (0, 5), (0, 5), (_CODE_LENGTHS - 4, 4)]
    lengths = [0] * _CODE_LENGTHS
    lengths[2] = lengths[17] = 1
    parts += [(length, 3) for length in lengths]
    # Sorted by symbol, 1 has the code 0 and 18 the code 1, which 7 bits follow: zeros less 11.
    one, zeros_138, zeros_117 = (0, 1), (1 | 138 - 11 << 1, 8), (1 | 117 - 11 << 1, 8)
    parts += [one, zeros_138, zeros_117, one, one]
    parts.append((1, 1))  # 0 has the code 0, 256 the code 1
    value = size = 0
    for bits, width in parts:
        value |= bits << size
        size += width
    return value, size


@cache
def lead_in(bits: int) -> tuple[bytes, int]:
    """Give empty deflate blocks that end `bits` bits (0 to 7) into a byte: whole bytes, and that byte."""
    value = size = 0
    if bits % 2:
        value, size = _odd()
    while size % _BITS != bits:
        value |= _EVEN[0] << size
        size += _EVEN[1]
    whole = size // _BITS
    return (value & (1 << whole * _BITS) - 1).to_bytes(whole, "little"), value >> whole * _BITS


class Resumed:
    """The plain bytes from a point on; what is fed begins at `start` of the stream.

    A `Decompressor` whose `finish` is not asked: whoever reads a part stops in the middle.
    """

    def __init__(self, codec: str, point: "Point") -> None:
        self.start = point.packed_at - bool(point.bits)
        self._bits = point.bits
        self._skip = 0  # of what follows a deflate stream
        self._padded = False
        self._deflate: zlib._Decompress | None = None
        self._machine: Decompressor = decompressor(codec)
        if point.window is not None:
            self._deflate = zlib.decompressobj(_RAW, zdict=point.window)

    def feed(self, data: bytes, /) -> "Iterator[bytes]":
        """Take `data`; give plain bytes in pieces of at most 1 MiB. Raises: CodecError."""
        if self._bits and data:
            own = _BITS - self._bits  # bits of the first byte that belong to what came before
            lead, last = lead_in(own)
            data = lead + bytes([data[0] >> own << own | last]) + data[1:]
            self._bits = 0
        if self._deflate is not None:
            data = yield from self._inflate(self._deflate, data)
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            data = data[skipped:]
        if self._padded:  # behind a member zeros may follow
            data = data.lstrip(b"\0")
            self._padded = not data
        if self._deflate is None and data:
            yield from self._machine.feed(data)

    def _inflate(self, machine: "zlib._Decompress", data: bytes) -> "Generator[bytes, None, bytes]":
        while True:
            try:
                plain = machine.decompress(data, _PIECE)
            except zlib.error as error:
                raise CodecError(f"damaged gzip data: {error}") from error
            if plain:
                yield plain
            if machine.eof:
                self._deflate = None
                self._skip, self._padded = _TRAILER, True
                return machine.unused_data
            data = machine.unconsumed_tail
            if not data and len(plain) < _PIECE:  # else there may be more of what it has read
                return b""
