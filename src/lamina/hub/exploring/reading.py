"""Images read by their indexes: what is in a directory, the life of a path, what two images differ in.

Everything here reads files of this machine, a few kilobytes for each layer. Callers hold a thread.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from lamina.errors import Invalid, NotFound
from lamina.hub.exploring.catalogue import Found, search, weights
from lamina.hub.exploring.look import Places
from lamina.hub.tables.explorations import Exploration
from lamina.layer.entry import Kind
from lamina.layer.hollow import HollowLayer
from lamina.layer.node import Node
from lamina.layer.view import Tree
from lamina.study.compare import Difference, compare
from lamina.study.lives import Event, differences, life
from lamina.study.packages import Package, owners
from lamina.values import NamedTuple

__all__ = ["Inside", "Listed", "Row", "opened"]


class Row(NamedTuple):
    """One name in a directory.

    `mark` is `added`, `changed`, `repeated` or `removed`; empty for what stands there, and in the
    union. `size` is that of a file, or of all files below; -1 is not known. `number` is the layer
    that it is seen from.
    """

    name: bytes
    node: Node
    number: int
    size: int
    mark: str = ""
    aspects: tuple[str, ...] = ()


class Listed(NamedTuple):
    """A page of a directory: its rows, and how many there are in all."""

    rows: tuple[Row, ...]
    total: int


class Inside:
    """One image, open. Paths are bytes, normal; layers are numbered from 1, 0 is all of them together."""

    def __init__(self, places: Places, known: Exploration, layers: Sequence[HollowLayer]) -> None:
        self._places = places
        self._catalogue = known.parts[-1]
        self.layers = tuple(layers)
        self.tree = Tree.of(layers)
        self._numbers = {layer.path: number for number, layer in enumerate(layers, 1)}

    def lookup(self, path: bytes, *, number: int = 0) -> Node | None:
        """Find a path as the lowest `number` layers have it; 0: as all of them do."""
        return self._below(number or len(self.layers)).lookup(path)

    def place(self, path: bytes) -> bytes:
        """Give where `path` is, with the symlinks of its directories followed as they are now."""
        head, _, name = path.rpartition(b"/")
        try:
            found, node = self.tree.resolve(head)
        except (NotFound, Invalid):  # it may have been there once
            return path
        return b"/".join(filter(None, (found, name))) if node.kind is Kind.DIRECTORY else path

    def leads(self, path: bytes) -> bytes | None:
        """Give where a symlink leads in the end; None: nowhere."""
        try:
            return self.tree.resolve(path)[0]
        except (NotFound, Invalid):
            return None

    def listing(self, folder: bytes, *, number: int, offset: int, limit: int) -> Listed:
        """Give what is in a directory: of all layers, or what layer `number` does there."""
        if number:
            rows = list(self._done_by(number, folder))
            return Listed(tuple(rows[offset : offset + limit]), len(rows))
        found = self.tree.listdir(folder)
        page = found[offset : offset + limit]
        sizes = self._weights(folder) if any(row[1].kind is Kind.DIRECTORY for row in page) else {}
        prefix = folder + b"/" if folder else b""
        return Listed(
            tuple(
                Row(
                    name,
                    node,
                    self._numbers[node.layer.path],
                    _size(node, sizes.get(prefix + name, 0)),
                )
                for name, node in page
            ),
            len(found),
        )

    def search(self, words: bytes, *, limit: int) -> Found:
        """Give the paths of the union that have `words` in them."""
        with self._places.shelf.paths(self._catalogue, self._places.fetch) as catalogue:
            return search(catalogue, words, limit=limit)

    def life(self, path: bytes) -> tuple[Event, ...]:
        """Give what each layer does to a path."""
        return life(self.layers, path)

    def owners(self, path: bytes, *, number: int) -> tuple[Package, ...]:
        """Give the packages that brought a path, as the lowest `number` layers have it."""
        return owners(self._below(number), path)

    def difference(self, older: "Inside", *, limit: int) -> tuple[tuple[Difference, ...], bool]:
        """Give the paths that are not alike, `limit` at most, and whether there are more."""
        rows: list[Difference] = []
        for one in compare(older.tree, self.tree):
            if len(rows) == limit:
                return tuple(rows), True
            rows.append(one)
        return tuple(rows), False

    def _below(self, number: int) -> Tree:
        return self.tree if number >= len(self.layers) else Tree.of(self.layers[:number])

    def _weights(self, folder: bytes) -> dict[bytes, int]:
        with self._places.shelf.paths(self._catalogue, self._places.fetch) as catalogue:
            return weights(catalogue, folder)

    def _done_by(self, number: int, folder: bytes) -> Iterator[Row]:
        """Give what one layer adds, changes and removes in a directory, sorted."""
        layer, below = (
            self.layers[number - 1],
            Tree.of(self.layers[: number - 1]) if number > 1 else None,
        )
        here = layer.lookup(folder)
        before = dict(below.listdir(folder)) if below is not None else {}
        if here is None or here.kind is not Kind.DIRECTORY:
            return
        found = dict(layer.listdir(here))
        names = found.keys() | (before.keys() if here.opaque else set())
        for name in sorted(names):
            node, old = found.get(name), before.get(name)
            if node is None or node.is_whiteout:
                if old is not None:
                    yield Row(name, old, self._numbers[old.layer.path], _size(old, -1), "removed")
            elif old is None:
                yield Row(name, node, number, _size(node, -1), "added")
            else:
                told = tuple(str(one) for one in differences(old, node))
                stays = "" if node.kind is Kind.DIRECTORY else "repeated"
                yield Row(name, node, number, _size(node, -1), "changed" if told else stays, told)


def _size(node: Node, weight: int) -> int:
    if node.kind is Kind.DIRECTORY:
        return weight
    return node.size if node.kind is Kind.FILE else 0


@contextmanager
def opened(places: Places, known: Exploration) -> Iterator[Inside]:
    """Open an image that was looked into, for the body.

    Raises: BlobUnknown (its indexes were deleted), Corrupt, Unavailable.
    """
    with ExitStack() as stack:
        layers = [
            stack.enter_context(places.shelf.layer(digest, places.fetch))
            for digest in known.parts[:-1]
        ]
        yield Inside(places, known, layers)
