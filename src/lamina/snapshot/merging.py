"""Images of more layers than one union takes: the lowest of them become one, unnoticed.

The kernel stacks 500 directories. Of a higher pile the lowest layers are merged into one sealed
layer, which holds what they show together; it is made once per machine, used by every image with
the same layers down there, and goes with them. Nobody else sees it: images keep their layers.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from lamina.layer.entry import Entry, Kind

if TYPE_CHECKING:
    from lamina.layer.node import Node
    from lamina.layer.view import Tree

__all__ = ["merged_count", "seal_tree"]

_STEPS = 5


def merged_count(count: int, most: int) -> int:
    """Say how many of the lowest of `count` layers have to be merged so that `most` are left.

    In steps of a fifth of `most`, so that an image and those built on it share the merged layer.
    """
    if count <= most:
        return 0
    step = max(1, most // _STEPS)
    return min(-(-(count - most + 1) // step) * step, count)


def seal_tree(tree: "Tree", path: str) -> None:
    """Write what `tree` shows as one sealed layer at `path`. Raises: Corrupt, OSError (disk)."""
    from lamina.layer.seal import Sealer
    from lamina.layer.writer import TarWriter
    from lamina.stream.verify import Hasher

    hasher = Hasher("sha256")
    with Sealer(path) as sealer:

        def take(data: bytes) -> None:
            hasher.update(data)
            sealer.write(data)

        writer = TarWriter(take)
        for entry, body in _entries(tree):
            writer.add(entry, body())
        writer.close()
        sealer.finish(hasher.digest)


def _entries(tree: "Tree") -> "Iterator[tuple[Entry, Callable[[], Iterator[bytes]]]]":
    """Give every path of `tree` as a tar has it: further names of a file are links to the first."""
    names: dict[tuple[str, int], bytes] = {}
    for path, node in tree.walk():
        if node.nlink > 1 and node.kind is not Kind.DIRECTORY:
            first = names.setdefault((node.layer.path, node.nid), path)
            if first != path:
                yield Entry(path, Kind.HARDLINK, link=first), _nothing
                continue
        yield node.entry(path), _body(node)


def _body(node: "Node") -> "Callable[[], Iterator[bytes]]":
    return (lambda: node.layer.pieces(node)) if node.kind is Kind.FILE else _nothing


def _nothing() -> Iterator[bytes]:
    return iter(())
