"""A directory of a sealed layer as its bytes: blocks of names, sorted. Pure.

EROFS: Documentation/filesystems/erofs.rst, "Directories". `.` and `..` stand among the names.
"""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, islice, pairwise
from operator import lt

from lamina.layer.erofs import BLOCK, DIRENT, dirents
from lamina.values import NamedTuple

__all__ = ["DOTS", "Columns", "DirectoryDamaged", "columns", "names_in", "part"]

DOTS = (b".", b"..")
_DEVICE = 3
_FORM_AT = 10
_Numbers = tuple[int, ...]


class DirectoryDamaged(ValueError):
    """What is wrong with it, to be put behind its name."""


class Columns(NamedTuple):
    """Names without the dots, sorted; the inode of each, and what that is as a number."""

    names: list[bytes]
    nids: list[int]
    forms: list[int]


def names_in(data: bytes) -> tuple[list[bytes], _Numbers, _Numbers]:
    """Give the names in one block, their inodes and what they are. Raises: DirectoryDamaged."""
    first = data[8] | data[9] << 8 if len(data) > DIRENT.size else 0
    if first % DIRENT.size or not 0 < first < len(data):
        raise DirectoryDamaged("is damaged")
    if len(data) == BLOCK:
        data = data.rstrip(b"\0")
    fields = dirents(first // DIRENT.size).unpack_from(data)
    starts = (*fields[1::4], len(data))
    names = [data[start:end] for start, end in pairwise(starts)]
    # The names follow each other without a gap, so all of them are looked at as one.
    letters = data[first:]
    if b"/" in letters or b"\0" in letters or b"" in names or b"".join(names) != letters:
        raise DirectoryDamaged("has a bad name")
    return names, fields[::4], fields[2::4]


def columns(data: bytes) -> Columns:
    """Give all names of a directory. Raises: DirectoryDamaged."""
    found = Columns([], [], [])
    for at in range(0, len(data), BLOCK):
        _add(found, names_in(data[at : at + BLOCK]), 0)
    return _whole(found)


def part(data: bytes, offset: int, limit: int) -> tuple[int, Columns] | None:
    """Count a directory's names, and give `limit` of them from the one at `offset`.

    None: there are devices, each of which may be a whiteout. Takes two milliseconds for 200,000 names:
    of most blocks only how many they have. Raises: DirectoryDamaged.
    """
    ends = _ends(data)
    if not ends:
        return None if ends is None else (0, Columns([], [], []))
    dots = sorted(place for name in DOTS if (place := _place(data, name, ends)) >= 0)
    first = offset
    for place in dots:
        first += place <= first
    block = bisect_right(ends, first)
    skipped = first - (ends[block - 1] if block else 0)
    found = Columns([], [], [])
    while block < len(ends) and len(found.names) < limit + len(DOTS):
        _add(found, _block(data, block), skipped)
        skipped = 0
        block += 1
    found = _whole(found)
    del found.names[limit:], found.nids[limit:], found.forms[limit:]
    return ends[-1] - len(dots), found


def _add(found: Columns, more: tuple[list[bytes], _Numbers, _Numbers], first: int) -> None:
    found.names.extend(more[0][first:])
    found.nids.extend(more[1][first:])
    found.forms.extend(more[2][first:])


def _whole(found: Columns) -> Columns:
    """Check the order of names that were read, and take out the dots."""
    names = found.names
    if not all(map(lt, names, islice(names, 1, None))):
        raise DirectoryDamaged("is unsorted")
    for dots in DOTS:
        if dots in names:
            position = names.index(dots)
            del found.names[position], found.nids[position], found.forms[position]
    return found


def _block(data: bytes, number: int) -> tuple[list[bytes], _Numbers, _Numbers]:
    return names_in(data[number * BLOCK : (number + 1) * BLOCK])


def _ends(data: bytes) -> list[int] | None:
    """Count the names up to the end of each block; None: there are devices."""
    counts = []
    for at in range(0, len(data), BLOCK):
        room = min(BLOCK, len(data) - at)
        first = data[at + 8] | data[at + 9] << 8 if room > DIRENT.size else 0
        if first % DIRENT.size or not 0 < first < room:
            raise DirectoryDamaged("is damaged")
        if _DEVICE in data[at + _FORM_AT : at + first : DIRENT.size]:
            return None
        counts.append(first // DIRENT.size)
    return list(accumulate(counts))


def _place(data: bytes, name: bytes, ends: Sequence[int]) -> int:
    """Give how many names stand before `name`; -1: it is not there."""
    found = bisect_right(range(len(ends)), name, key=lambda number: _block(data, number)[0][0]) - 1
    names = _block(data, found)[0] if found >= 0 else []
    if name not in names:
        return -1
    return names.index(name) + (ends[found - 1] if found else 0)
