"""Lay a sparse file out as chunks: those that are whole in the tar, holes, and those to copy."""

from array import array
from collections.abc import Iterator

from lamina.errors import Unsupported
from lamina.layer.erofs import AREA, BLOCK, CHUNK_SIZE, HOLE
from lamina.values import NamedTuple

__all__ = ["ChunkPlan", "data_runs", "pieces_of", "plan_chunks"]

_SMALLEST, _LARGEST = 12, 40  # bits of a chunk
_MAP_LIMIT = 1 << 22  # chunks in one file
_GRAIN = 16 * 1024
_ZEROS = bytes(_GRAIN)


def data_runs(data: bytes) -> Iterator[tuple[int, int]]:
    """Give the parts of `data` that are not long runs of zeros, as (start, end).

    Ten gigabytes of zeros in ten megabytes of gzip are to take no more disk than memory. A look at
    each 16 KiB ends at its first byte that is not zero: about 5 µs a MiB.
    """
    start, at, end = 0, 0, len(data)
    while at + _GRAIN <= end:
        if not data.startswith(_ZEROS, at):
            at += _GRAIN
            continue
        if start < at:
            yield start, at
        while data.startswith(_ZEROS, at):
            at += _GRAIN
        start = at
    if start < end:
        yield start, end


class ChunkPlan(NamedTuple):
    """Where each chunk of 2**bits bytes lies; `copies` are the chunks to write out expanded."""

    bits: int
    blocks: "array[int]"
    copies: list[int]


def plan_chunks(size: int, segments: tuple[tuple[int, int, int], ...]) -> ChunkPlan:
    """Choose the chunk size that costs the fewest bytes of index and copies.

    Small chunks make a long map, large ones make more chunks that are part data and part hole,
    which no map can say and which are copied. Cost: a few passes over `segments`.
    Raises: Unsupported (no chunk size keeps the map within bounds).
    """
    best: tuple[int, int] | None = None
    for bits in range(_SMALLEST, _LARGEST + 1, 2):
        count = (size + (1 << bits) - 1) >> bits
        if count > _MAP_LIMIT:
            continue
        copies, copied = _copies(size, segments, bits)
        cost = 4 * count + copied + len(copies) * ((1 << bits) // CHUNK_SIZE * 4)
        if best is not None and cost >= best[0]:
            break
        best = (cost, bits)
    if best is None:
        raise Unsupported(f"a sparse file of {size} bytes cannot be sealed")
    return _plan(size, segments, best[1])


def _copies(
    size: int, segments: tuple[tuple[int, int, int], ...], bits: int
) -> tuple[set[int], int]:
    """Give the chunks that must be copied, and about how many bytes of data they hold."""
    copies: set[int] = set()
    copied = 0
    mask = (1 << bits) - 1
    for logical, offset, length in segments:
        end = logical + length
        if not length:
            continue
        if (offset - logical) % BLOCK:
            copies.update(range(logical >> bits, ((end - 1) >> bits) + 1))
            copied += length
            continue
        if logical & mask:
            copies.add(logical >> bits)
            copied += min(length, (mask + 1) - (logical & mask))
        if end & mask and end != size:
            copies.add(end >> bits)
            copied += min(length, end & mask)
    return copies, copied


def _plan(size: int, segments: tuple[tuple[int, int, int], ...], bits: int) -> ChunkPlan:
    chunk = 1 << bits
    blocks = array("I", [HOLE]) * ((size + chunk - 1) >> bits)
    copies, _ = _copies(size, segments, bits)
    for logical, offset, length in segments:
        if (offset - logical) % BLOCK or not length:
            continue
        last = logical + length - 1
        for index in range(logical >> bits, (last >> bits) + 1):
            if index not in copies:
                blocks[index] = (AREA + offset + (index << bits) - logical) // BLOCK
    return ChunkPlan(bits, blocks, sorted(copies))


def pieces_of(
    index: int, plan: ChunkPlan, size: int, segments: tuple[tuple[int, int, int], ...], start: int
) -> tuple[list[tuple[int, int, int]], int]:
    """Give the data of chunk `index` as (offset in chunk, tar offset, length)….

    `start` is the segment to look from; the second value is where to look from for the next
    chunk, so that a walk over all copies passes the segments once.
    """
    first = index << plan.bits
    end = min(first + (1 << plan.bits), size)
    while start < len(segments) and segments[start][0] + segments[start][2] <= first:
        start += 1
    found = []
    position = start
    while position < len(segments) and segments[position][0] < end:
        logical, offset, length = segments[position]
        low, high = max(logical, first), min(logical + length, end)
        if low < high:
            found.append((low - first, offset + low - logical, high - low))
        position += 1
    return found, start
