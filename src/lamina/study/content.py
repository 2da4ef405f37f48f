"""What only the content of files tells: the same bytes at several paths, and zeros that could be holes."""

from hashlib import sha256

from lamina.study.causes import Cause, Wasted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lamina.layer.node import Node

    Seen = tuple[bytes, int, Node]
    """A path, the number of its layer, and what is there."""

__all__ = ["duplicates", "zeros"]

_FIRST = 64 * 1024
_RUN = 64 * 1024
_RUN_OF_ZEROS = bytes(_RUN)


def duplicates(seen: "Sequence[Seen]") -> "Iterator[Wasted]":
    """Give each file whose bytes another of `seen` has, too: that in the lowest layer is the first.

    Files of a size of their own are not read, and of the others only the beginning where that
    differs.
    """
    for same_size in _groups(seen, lambda row: row[2].size):
        if not same_size[0][2].size:
            continue
        # A digest that a layer knows is of all content, so a beginning cannot be compared with it.
        mixed = len({row[2].layer.digest(row[2]) is None for row in same_size}) > 1
        starts = [same_size] if mixed else _groups(same_size, _start_digest)
        for same_start in starts:
            for same in _groups(same_start, _whole_digest):
                (first, *others) = sorted(same, key=lambda row: (row[1], row[0]))
                for path, number, node in others:
                    yield Wasted(path, node.size, Cause.DUPLICATE, number, note=first[0])


def zeros(seen: "Sequence[Seen]") -> "Iterator[Wasted]":
    """Give each file with runs of 64 KiB of zeros that are in the layer as bytes, not as holes.

    Files of layers that are here without their content are passed over.
    """
    for path, number, node in seen:
        if node.size < _RUN or node.layer.digest(node) is not None:
            continue
        found = 0
        for offset, where, length in node.layer.extents(node):
            if where < 0:
                continue
            for piece in node.layer.pieces(node, offset, length):
                found += sum(
                    _RUN
                    for at in range(0, len(piece) - _RUN + 1, _RUN)
                    if piece[at : at + _RUN] == _RUN_OF_ZEROS
                )
        if found:
            yield Wasted(path, found, Cause.ZEROS, number)


def _groups(rows: "Sequence[Seen]", key: "Callable[[Seen], object]") -> "Iterator[list[Seen]]":
    """Give those of `rows` that have the same key, where there are several."""
    found: dict[object, list[Seen]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    for group in found.values():
        if len(group) > 1:
            yield group


def _start_digest(row: "Seen") -> bytes:
    return _digest(row[2], _FIRST)


def _whole_digest(row: "Seen") -> bytes:
    return _digest(row[2], -1)


def _digest(node: "Node", size: int) -> bytes:
    known = node.layer.digest(node)
    if known is not None:
        return known
    digest = sha256()
    for piece in node.layer.pieces(node, 0, size):
        digest.update(piece)
    return digest.digest()
