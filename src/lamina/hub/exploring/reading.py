"""Images read by their indexes: what is in a directory, the life of a path, what two images differ in.

Everything here reads files of this machine, a few kilobytes for each layer. Callers hold a thread.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from lamina.errors import Invalid, NotFound
from lamina.hub.exploring.catalogue import Found, search, weights
from lamina.hub.exploring.folder import Folder, page
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
            return self._done_by(number, folder, offset, limit)
        pile = [self._placed(node) for node in self.tree.pile_of_directory(folder)]
        if not pile:
            return Listed((), 0)
        total, found = page(pile, offset, limit)
        prefix = folder + b"/" if folder else b""
        sizes = self._weights(
            [prefix + name for name, node in found if node.kind is Kind.DIRECTORY]
        )
        return Listed(
            tuple(
                Row(
                    name,
                    node,
                    self._numbers[node.layer.path],
                    _size(node, sizes.get(prefix + name, 0)),
                )
                for name, node in found
            ),
            total,
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

    def _placed(self, node: Node) -> tuple[HollowLayer, Node]:
        return self.layers[self._numbers[node.layer.path] - 1], node

    def _weights(self, folders: Sequence[bytes]) -> dict[bytes, int]:
        if not folders:
            return {}
        with self._places.shelf.paths(self._catalogue, self._places.fetch) as catalogue:
            return weights(catalogue, folders)

    def _done_by(self, number: int, path: bytes, offset: int, limit: int) -> Listed:
        """Give a part of what one layer adds, changes and removes in a directory, sorted."""
        layer = self.layers[number - 1]
        here = layer.lookup(path)
        if here is None or here.kind is not Kind.DIRECTORY:
            return Listed((), 0)
        lower = Tree.of(self.layers[: number - 1]).pile_of_directory(path) if number > 1 else ()
        if not lower and (found := layer.part(here, offset, limit)) is not None:
            new = tuple(
                Row(name, node, number, _size(node, -1), "added") for name, node in found[1]
            )
            return Listed(new, found[0])
        below, own = Folder([self._placed(node) for node in lower]), Folder([(layer, here)])
        is_emptied = _is_emptied(layer, path)
        seen = set(below.names) if is_emptied or own.gone[0] else set()
        gone = seen - set(own.names) if is_emptied else seen & own.gone[0]
        names = sorted([*own.names, *gone]) if gone else own.names
        rows = [
            self._change(number, name, None if name in gone else own.node(name), below.node(name))
            for name in names[offset : offset + limit]
        ]
        return Listed(tuple(rows), len(names))

    def _change(self, number: int, name: bytes, node: Node | None, old: Node | None) -> Row:
        """Say what a layer does to one name: it has `node` where `old` was."""
        if node is None:
            assert old is not None  # noqa: S101 - what goes was there
            return Row(name, old, self._numbers[old.layer.path], _size(old, -1), "removed")
        if old is None:
            return Row(name, node, number, _size(node, -1), "added")
        told = tuple(str(one) for one in differences(old, node))
        stays = "" if node.kind is Kind.DIRECTORY else "repeated"
        return Row(name, node, number, _size(node, -1), "changed" if told else stays, told)


def _is_emptied(layer: HollowLayer, path: bytes) -> bool:
    """Tell whether a directory that a layer has is opaque there, or below one that is."""
    node: Node | None = layer.root
    for name in path.split(b"/") if path else ():
        if node is None or node.opaque:
            break
        node = layer.child(node, name)
    return node is not None and node.opaque


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
