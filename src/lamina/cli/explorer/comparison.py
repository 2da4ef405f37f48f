"""What one or several layers of a stack did, directory by directory, and what later ones hide of it."""

from __future__ import annotations

from lamina.layer.entry import Kind
from lamina.values import StrEnum

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from lamina.layer.node import Node
    from lamina.layer.view import Tree

    Pile = tuple[Node, ...]

__all__ = ["Comparison", "Item", "Mark", "Trees"]

_PEEK = 64 * 1024
_KEPT = 200_000
"""Items of directories that are kept, so that leaving out a kind or sorting does not read them again."""
_BUDGET = 2000
"""Directories that are read to learn whether one has anything of a kind; then it is taken to have."""


class Mark(StrEnum):
    """What the layers that are looked at did to a path."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"
    REPEATED = "repeated"
    """They have it once more as it was."""
    UNCHANGED = "unchanged"


class Item:
    """One name of a directory: what is there, what was done to it, whether a later layer hides it.

    `node` of what was removed is what was there before. `touched` says of a directory that something
    in it is not as it was.
    """

    __slots__ = ("hidden", "mark", "node", "path", "touched")

    def __init__(self, path: bytes, node: Node, mark: Mark, *, hidden: bool, touched: bool) -> None:
        self.path = path
        self.node = node
        self.mark = mark
        self.hidden = hidden
        self.touched = touched

    @property
    def name(self) -> bytes:
        """The last part of the path."""
        return self.path.rpartition(b"/")[2]

    @property
    def is_directory(self) -> bool:
        """Whether there can be something in it."""
        return self.node.kind is Kind.DIRECTORY


class Trees:
    """The unions at every height of a stack, made when asked for. One thread at a time."""

    def __init__(self, layers: Iterable[object], make: Callable[[int], Tree]) -> None:
        self.count = len(tuple(layers))
        self._make = make
        self._made: dict[int, Tree] = {}

    def at(self, height: int) -> Tree | None:
        """Give the union of the lowest `height` layers; None of none."""
        if not height:
            return None
        if height not in self._made:
            self._made[height] = self._make(height)
        return self._made[height]


class Comparison:
    """The union of `height` layers beside that of those below layer `since`, read as it is opened.

    Layers are numbered from 1. A directory costs reading it in three unions at most; files of one
    size, mode, owner and time have their first 64 KiB compared. Raises of each method: Corrupt.
    """

    def __init__(self, trees: Trees, *, since: int, height: int) -> None:
        self.since = since
        self.height = height
        self._after = trees.at(height)
        self._before = trees.at(since - 1)
        self._top = trees.at(trees.count) if height < trees.count else None
        self._known: dict[bytes, list[Item]] = {}
        self._kept = 0

    def items(self, folder: bytes) -> Sequence[Item]:
        """Give what is and was in a directory, by names; what was given lately is given again."""
        known = self._known.get(folder)
        if known is None:
            known = self._items(folder)
            self._kept += len(known)
            if self._kept > _KEPT:
                self._known.clear()
                self._kept = len(known)
            self._known[folder] = known
        return known

    def _items(self, folder: bytes) -> list[Item]:
        prefix = folder + b"/" if folder else b""
        before = _listing(self._before, folder)
        after = self._after.listdir(folder) if self._after is not None else []
        top = _listing(self._top, folder) if self._top is not None else None
        found: list[Item] = []
        for name, node in after:
            was = before.pop(name, None)
            if was is not None and node.nid == was.nid and node.layer is was.layer:
                mark, touched = Mark.UNCHANGED, False
                if node.kind is Kind.DIRECTORY:
                    mark, touched = self._marked(prefix + name, node, was)
            elif was is None:
                mark, touched = Mark.ADDED, True
            else:
                mark, touched = self._marked(prefix + name, node, was)
            found.append(Item(prefix + name, node, mark, hidden=False, touched=touched))
            if top is not None:
                found[-1].hidden = self._is_hidden(found[-1], top.get(name))
        if before:  # what is left of it is gone
            found += [
                Item(prefix + name, node, Mark.REMOVED, hidden=False, touched=True)
                for name, node in before.items()
            ]
            found.sort(key=_path_of)
        return found

    def item(self, path: bytes) -> Item | None:
        """Give what `items` has of one path; None if it neither is nor was there."""
        after = self._after.lookup(path) if self._after else None
        before = self._before.lookup(path) if self._before else None
        if after is None:
            if before is None:
                return None
            return Item(path, before, Mark.REMOVED, hidden=False, touched=True)
        return self._item(path, after, before)

    def has(self, item: Item, wanted: Callable[[Item], bool], *, hidden: bool) -> bool:
        """Tell whether anything below a directory is `wanted`.

        With `hidden` that is looked for where later layers are, else where something is touched.
        """
        todo, read = [item], 0
        while todo:
            for child in self.items(todo.pop().path):
                if wanted(child):
                    return True
                if child.is_directory and (self._may_hide(child) if hidden else child.touched):
                    todo.append(child)
            read += 1
            if read >= _BUDGET:
                return True
        return False

    def _item(self, path: bytes, node: Node, before: Node | None) -> Item:
        if before is None:
            return Item(path, node, Mark.ADDED, hidden=False, touched=True)
        mark, touched = self._marked(path, node, before)
        item = Item(path, node, mark, hidden=False, touched=touched)
        if self._top is not None:
            item.hidden = self._is_hidden(item, self._top.lookup(path))
        return item

    def _marked(self, path: bytes, node: Node, before: Node) -> tuple[Mark, bool]:
        """Tell what was done to what was there before, and whether anything in it is not as it was."""
        if node.kind is Kind.DIRECTORY and before.kind is Kind.DIRECTORY:
            was, now = _pile(self._before, path), _pile(self._after, path)
            if _keys(was) == _keys(now):
                return Mark.UNCHANGED, False
            mark = Mark.UNCHANGED if _is_alike(before, node) else Mark.CHANGED
            return mark, _adds_anything(was, now)
        if _key(node) == _key(before):
            return Mark.UNCHANGED, False
        return Mark.REPEATED if _is_repeated(before, node) else Mark.CHANGED, True

    def _is_hidden(self, item: Item, there: Node | None) -> bool:
        """Tell whether what is `there` at the top is not what the item is."""
        node = item.node
        if there is None:
            return True
        if node.kind is not Kind.DIRECTORY:
            return there.nid != node.nid or there.layer is not node.layer
        mine = set(_keys(_pile(self._after, item.path)))
        return mine.isdisjoint(_keys(_pile(self._top, item.path)))

    def _may_hide(self, item: Item) -> bool:
        if item.mark is Mark.REMOVED or self._top is None:
            return False
        return _keys(_pile(self._after, item.path)) != _keys(_pile(self._top, item.path))


def _path_of(item: Item) -> bytes:
    return item.path


def _listing(tree: Tree | None, folder: bytes) -> dict[bytes, Node]:
    return dict(tree.listdir(folder)) if tree is not None else {}


def _pile(tree: Tree | None, path: bytes) -> Pile:
    return tree.pile_of_directory(path) if tree is not None else ()


def _key(node: Node) -> tuple[str, int]:
    return node.layer.path, node.nid


def _keys(pile: Pile) -> list[tuple[str, int]]:
    return [_key(node) for node in pile]


def _facts(node: Node) -> tuple[object, ...]:
    # The time of a directory changes with whatever changes in it: that is told otherwise.
    time = 0 if node.kind is Kind.DIRECTORY else node.mtime_ns
    return node.kind, node.mode, node.uid, node.gid, time, node.device_number


def _adds_anything(was: Pile, now: Pile) -> bool:
    """Tell whether a directory is in other layers for anything but itself."""
    known = set(_keys(was))
    if not known <= set(_keys(now)):
        return True  # emptied, by an opaque directory
    return any(node.layer.listdir(node) for node in now if _key(node) not in known)


def _is_alike(before: Node, after: Node) -> bool:
    """Tell whether all but the content is the same."""
    if _facts(before) != _facts(after):
        return False
    if before.has_xattrs or after.has_xattrs:
        return before.xattrs == after.xattrs
    return True


def _is_repeated(before: Node, after: Node) -> bool:
    """Tell whether a layer has a file as it was. Of long ones the beginning decides: it is for a mark."""
    if not _is_alike(before, after):
        return False
    if after.kind is Kind.FILE:
        if before.size != after.size:
            return False
        digests = before.layer.digest(before), after.layer.digest(after)
        if None not in digests:
            return digests[0] == digests[1]
        return before.layer.read(before, 0, _PEEK) == after.layer.read(after, 0, _PEEK)
    return after.kind is not Kind.SYMLINK or before.target == after.target
