"""Bytes of a stack that nobody sees: by cause, with the layers that have them and hide them."""

from lamina.layer.entry import Kind
from lamina.layer.view import Tree
from lamina.study.caches import cache_of
from lamina.study.causes import Cause, Wasted
from lamina.study.lives import Aspect, Change, changes, hidden
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from lamina.layer.node import CountedLayer, Layer, Node
    from lamina.study.lives import Event
    from lamina.study.places import Place

__all__ = ["Hiding", "Waste", "hidden_sizes", "summed", "waste"]


@dataclass(frozen=True, slots=True)
class Waste:
    """All of it, in the paths' order. `total` are the bytes of all layers' files, `visible` those seen.

    What is hidden is `total` less `visible`; caches, duplicates and zeros are seen, and wasted all
    the same. A file of several names counts once, where none of them is seen any more.
    """

    total: int
    visible: int
    files: tuple[Wasted, ...]

    @property
    def efficiency(self) -> float:
        """Bytes seen for each byte in the layers, from 0 to 1; 1 for no bytes at all."""
        return self.visible / self.total if self.total else 1.0

    @property
    def size(self) -> int:
        """The bytes to gain."""
        return sum(one.size for one in self.files)


def waste(layers: "Sequence[CountedLayer]", *, deep: bool = False) -> Waste:
    """Find what takes bytes in `layers` (lowest first) for nothing.

    Reads the indexes alone, and content where two layers have one path with one size. With `deep`
    every file of one size with another is compared and every large file looked through for zeros:
    that reads most of the image. Raises: Corrupt.
    """
    hiding = Hiding()
    for path, events in changes(layers):
        hiding.path(path, events)
    return summed(layers, hiding, deep=deep)


def hidden_sizes(layers: "Sequence[Layer]") -> tuple[int, ...]:
    """Give for each layer the bytes of it that nobody sees, lowest first: quicker than `waste`, and no more.

    Reads no content. Raises: Corrupt.
    """
    sizes = [0] * len(layers)
    names: dict[tuple[int, int], int] = {}
    for _, number, node in hidden(layers):
        key = (number, node.nid)
        names[key] = names.get(key, 0) + 1
        if names[key] == node.nlink:  # its last name
            sizes[number - 1] += node.size
    return tuple(sizes)


class Hiding:
    """The files that nobody sees any more, as the stories of the paths tell, one after the other."""

    def __init__(self) -> None:
        self.files: list[Wasted] = []
        self._names: dict[tuple[str, int], list[Wasted]] = {}

    def path(self, path: bytes, events: "Sequence[Event]") -> "Sequence[Wasted]":
        """Take note of one path's story; give the files of which it was the last name."""
        found: list[Wasted] = []
        number = 0
        for event in events:
            before = event.before
            if before is not None and before.kind is Kind.FILE:
                key = (before.layer.path, before.nid)
                gone = self._names.setdefault(key, [])
                gone.append(_wasted(path, number, event))
                if len(gone) == before.nlink:
                    del self._names[key]
                    if before.size:
                        found.append(max(gone, key=lambda one: one.hidden_by))
            number = event.number
        self.files += found
        return found


def summed(
    layers: "Sequence[CountedLayer]",
    hiding: Hiding,
    *,
    deep: bool = False,
    places: "Iterable[Place] | None" = None,
) -> Waste:
    """Add what is seen and wasted all the same to what `hiding` was told of each path. See `waste`.

    `places` are those of `study.places`, where they are known.
    """
    files = list(hiding.files)
    total = sum(layer.content_size for layer in layers)
    visible = total - sum(one.size for one in files)
    tree = Tree.of(layers)
    numbers = {layer.path: number for number, layer in enumerate(layers, 1)}
    caches = list(_caches(tree, numbers, tree.folders() if places is None else places))
    files += caches
    if deep:
        from lamina.study.content import duplicates, zeros

        cached = {one.path for one in caches}
        seen = [row for row in _once(tree, layers) if row[0] not in cached]
        files += duplicates(seen)
        files += zeros(seen)
    return Waste(total, visible, tuple(sorted(files, key=lambda one: one.path)))


def _caches(tree: Tree, numbers: dict[str, int], folders: "Iterable[Place]") -> "Iterator[Wasted]":
    """Give the files of package managers' caches that are seen; others are not looked at."""
    known: set[tuple[str, int]] = set()
    for folder, pile in folders:
        found = cache_of(folder)
        if found is None:
            continue
        prefix = folder + b"/" if folder else b""
        for name, node in tree.children(pile):
            if node.kind is Kind.FILE and node.size:
                key = (node.layer.path, node.nid)
                if key not in known:
                    known.add(key)
                    number, manager = numbers[node.layer.path], found[0].encode()
                    yield Wasted(prefix + name, node.size, Cause.CACHE, number, note=manager)


def _wasted(path: bytes, number: int, event: "Event") -> Wasted:
    """Say why what layer `number` has at `path` is not seen after `event`."""
    assert event.before is not None  # noqa: S101 - asked by the caller
    note = b""
    if event.change is Change.REMOVED:
        cause, note = Cause.DELETED, event.by
    elif event.change is Change.REPEATED or event.aspects == (Aspect.TIME,):
        cause = Cause.REPEATED
    elif Aspect.CONTENT in event.aspects or Aspect.KIND in event.aspects:
        cause = Cause.OVERWRITTEN
    else:
        cause = Cause.COPIED
    return Wasted(path, event.before.size, cause, number, hidden_by=event.number, note=note)


def _once(tree: Tree, layers: "Sequence[CountedLayer]") -> "Iterator[tuple[bytes, int, Node]]":
    """Give each file that is seen, under the first of its names, with its layer's number."""
    numbers = {layer.path: number for number, layer in enumerate(layers, 1)}
    known: set[tuple[str, int]] = set()
    for path, node in tree.walk():
        key = (node.layer.path, node.nid)
        if node.kind is Kind.FILE and key not in known:
            known.add(key)
            yield path, numbers[node.layer.path], node
