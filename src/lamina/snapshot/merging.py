"""Images of more layers than one union takes: the lowest of them become one, unnoticed.

The kernel stacks 500 directories. Of a higher pile the lowest layers are merged into one sealed
layer, which holds what they show together; it is made once per machine, used by every image with
the same layers down there, and goes with them. Nobody else sees it: images keep their layers. How many
are merged says `depth`.
"""

from collections.abc import Iterator

from lamina.layer.entry import Entry, Kind
from lamina.layer.erofs import BLOCK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.layer.node import Node
    from lamina.layer.seal import Sealer
    from lamina.layer.view import Tree

__all__ = ["seal_tree"]

_BATCH = 1000


def seal_tree(tree: "Tree", path: str) -> None:
    """Write what `tree` shows as one sealed layer at `path`. Raises: Corrupt, OSError (disk).

    What stands in for the tar are the bodies of files alone: nobody will ask for this one.
    """
    from lamina.layer.seal import Sealer

    with Sealer(path) as sealer:
        writing = _Writing(sealer)
        for name, node in tree.walk():
            writing.take(name, node)
        writing.flush()
        sealer.finish(writing.hasher.digest)


class _Writing:
    """One merged layer in the making."""

    def __init__(self, sealer: "Sealer") -> None:
        from lamina.stream.verify import Hasher

        self.hasher = Hasher("sha256")
        self._sealer = sealer
        self._entries: list[Entry] = []
        self._names: dict[tuple[str, int], bytes] = {}

    def take(self, path: bytes, node: "Node") -> None:
        """Take one path; further names of a file are links to the first."""
        if node.kind is not Kind.DIRECTORY and node.nlink > 1:
            first = self._names.setdefault((node.layer.path, node.nid), path)
            if first != path:
                self._put(Entry(path, Kind.HARDLINK, link=first))
                return
        entry = node.entry(path)
        if node.kind is Kind.FILE and node.size:
            offset = self.hasher.size
            segments = tuple(self._bodies(node))
            entry = entry._replace(offset=offset, segments=segments if node.is_sparse else ())
        self._put(entry)

    def flush(self) -> None:
        """Hand over what is held back."""
        self._sealer.add(self._entries)
        self._entries = []

    def _put(self, entry: Entry) -> None:
        self._entries.append(entry)
        if len(self._entries) >= _BATCH:
            self.flush()

    def _bodies(self, node: "Node") -> Iterator[tuple[int, int, int]]:
        """Write the parts of a file that are no holes; give where each is now, and where it ends."""
        for offset, where, length in node.layer.extents(node):
            if where >= 0:
                yield from self._parts(node, offset, length)
        yield node.size, self.hasher.size, 0

    def _parts(self, node: "Node", offset: int, length: int) -> Iterator[tuple[int, int, int]]:
        """Write one extent; of a sparse file, whose extents may be large, without outer zeros."""
        for piece in node.layer.pieces(node, offset, length):
            data = piece
            if node.is_sparse:
                data = piece.lstrip(b"\0")
                skipped = len(piece) - len(data)
                data = data.rstrip(b"\0")
                if data:
                    yield offset + skipped, self.hasher.size, len(data)
                offset += len(piece)
            self._append(data + bytes(-len(data) % BLOCK))

    def _append(self, data: bytes) -> None:
        if data:
            self.hasher.update(data)
            self._sealer.append(data)
