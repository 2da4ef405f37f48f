"""What a container changed: its upper directory compared with the layers below."""

import stat
from collections.abc import Container, Iterator, Sequence

from lamina.layer.entry import Entry, Kind
from lamina.layer.sealed import SealedLayer
from lamina.layer.union import Union
from lamina.layer.upper import Owners, Upper, carried_xattrs, is_whiteout
from lamina.layer.uppers import opened
from lamina.layer.view import Tree, merged_child, merged_children
from lamina.values import NamedTuple, dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from typing import Literal

    from lamina.layer.node import Node
    from lamina.layer.stack import MarkSpace

__all__ = ["Change", "Difference", "New", "Walk", "changes", "with_parents"]

_Pile = tuple["Node", ...]

_new = tuple.__new__

_FEW = 16  # names in a directory up to which each is looked up by itself


@dataclass(frozen=True, slots=True)
class Change:
    """One line of a container's diff; `path` is relative, kind A added, C changed, D deleted."""

    path: bytes
    kind: "Literal['A', 'C', 'D']"


class Difference(NamedTuple):
    """One path of the container. Kinds: A, C, D; = nothing; T what Docker does not list.

    That is a directory's time, and a file that is as it was but no longer one with its other names.
    `status` is that of the upper directory's own; what came along with a directory that was moved
    is only in the layers: `moved`. `around` are the layers' directories that show through the one
    that holds the path. Under a `fresh` directory there are no layers: what is in it is all new,
    and is not given; `Walk.added` gives it.
    """

    path: bytes
    kind: str
    status: "os.stat_result | None"
    is_directory: bool
    moved: _Pile = ()
    around: _Pile = ()
    fresh: bool = False


class New(NamedTuple):
    """A path in a fresh directory: its directory's descriptor, good until the next step, its name."""

    directory: int
    path: bytes
    name: bytes
    is_file: bool


class _Place(NamedTuple):
    """One directory: what the layers have there (`below`), and what of them it shows.

    The same but where it was moved there, or made again. `quick`: fresh directories in it are left
    to `Walk.added`.
    """

    path: bytes
    in_upper: bool
    below: _Pile
    shown: _Pile
    quick: bool = True


def changes(
    upper: "str | Sequence[str]",
    parents: Sequence[SealedLayer],
    *,
    marks: "MarkSpace" = "trusted",
    exclude: Container[bytes] = (),
    owners: Owners | None = None,
) -> list[Change]:
    """List what the directory `upper` changes over `parents` (lowest first), sorted by path.

    As `docker diff`: a directory is changed where its own attributes are, or something in it; its
    time alone does not count. Paths in `exclude`, and what lies below them, are left out.
    Cost: one lstat and one look into the parents' index per path of `upper`.
    Raises: UpperCorrupt.
    """
    with opened(upper, owners=owners, marks=marks) as directory:
        walk = Walk(directory, Tree.of(parents), exclude)
        found: list[Change] = []
        for item in with_parents(walk.differences(), idle="=T"):
            if item.path:
                found.append(Change(item.path, _kind(item.kind)))
            if item.fresh:
                found += _added(directory, walk, item.path)
    return sorted(found, key=lambda change: change.path.split(b"/"))


def _added(directory: Upper, walk: "Walk", top: bytes) -> Iterator[Change]:
    for item in walk.added(top):
        if isinstance(item, New) and not item.is_file:
            status = directory.status(item.path)
            if status is None or is_whiteout(status):
                continue
        yield Change(item.path, "A")


class Walk:
    """Compare what a container sees with what the layers have, where an upper directory says so."""

    def __init__(self, upper: Upper, tree: Tree, exclude: Container[bytes]) -> None:
        self._upper = upper
        self._tree = tree
        self._union = Union(upper, tree)
        self._exclude = exclude

    def differences(self) -> Iterator[Difference]:
        """Give every path of the upper directory, what it hides and what it moved, parents first.

        Sorted. Of a fresh directory, itself alone: `added` gives the rest at less cost.
        """
        status = self._upper.status(b"")
        if status is None:
            return
        pile = self._tree.pile(b"")
        kind = self._compare_directory(b"", self._upper.entry(b"", status), pile)
        yield Difference(b"", "=" if kind == "T" else kind, status, is_directory=True)
        yield from self._differences(_Place(b"", in_upper=True, below=pile, shown=pile))

    def added(self, top: bytes) -> "Iterator[New | Difference]":
        """Give what is below the fresh directory `top`; what was moved there as differences."""
        for row in self._upper.fresh(top, self._exclude):
            item = _new(New, row)
            yield item
            if item.is_file or self._upper.marks(item.path).redirect is None:
                continue
            shown = self._union.directory(item.path, ())
            yield from self._differences(
                _Place(item.path, in_upper=True, below=(), shown=shown, quick=False)
            )

    def _differences(self, top: _Place) -> Iterator[Difference]:
        """Give what is below `top`. No recursion: a hostile container nests deeper than Python goes."""
        stack = [iter(self._children(top))]
        while stack:
            step = next(stack[-1], None)
            if step is None:
                stack.pop()
                continue
            item, place = step
            yield item
            if place is not None:
                stack.append(iter(self._children(place)))

    def content(self, path: bytes, status: "os.stat_result", around: _Pile) -> "Node | None":
        """Give the layers' file whose content an upper file shows, if it has none of its own."""
        return self._union.content(path, around) if stat.S_ISREG(status.st_mode) else None

    def _children(self, place: _Place) -> list[tuple[Difference, _Place | None]]:
        """Compare the names in one directory."""
        names = self._upper.names(place.path) if place.in_upper else []
        same = place.shown is place.below
        lower: dict[bytes, _Pile] | None = None
        shown: dict[bytes, _Pile] = {}
        if place.below and (not same or len(names) > _FEW):
            lower = dict(merged_children(place.below))
        if not same:
            shown = dict(merged_children(place.shown))
            names = sorted({*names, *shown, *(lower or ())})
        prefix = place.path + b"/" if place.path else b""
        found = []
        for name in names:
            full = prefix + name
            if full in self._exclude:
                continue
            below = merged_child(place.below, name) if lower is None else lower.get(name, ())
            step = self._child(place, full, below, shown.get(name, ()))
            if step is not None:
                found.append(step)
        return found

    def _child(
        self, place: _Place, path: bytes, below: _Pile, shown: _Pile
    ) -> tuple[Difference, _Place | None] | None:
        status = self._upper.status(path) if place.in_upper else None
        if status is None and shown:
            return self._moved(place, path, below, shown)
        if status is None or is_whiteout(status):
            # A name that was there a moment ago and is not any more shows what is below.
            gone = below and (place.shown is not place.below or status is not None)
            return (Difference(path, "D", None, is_directory=False), None) if gone else None
        around = place.shown
        if stat.S_ISDIR(status.st_mode):
            kind = "C" if below else "A"
            if _directories(below):
                kind = self._compare_directory(path, self._upper.entry(path, status), below)
            through = self._through(place, path, below)
            fresh = place.quick and not (through or _directories(below))
            item = Difference(path, kind, status, is_directory=True, fresh=fresh)
            if fresh:
                return item, None
            return item, place._replace(path=path, below=_directories(below), shown=through)
        kind = "C" if below else "A"
        is_file = below and below[0].kind is not Kind.DIRECTORY
        if is_file and self._same(path, status, below[0], around):
            if below[0].nlink == 1:
                return None
            kind = "T"  # copied up: the link to its other names is broken
        return Difference(path, kind, status, is_directory=False, around=around), None

    def _through(self, place: _Place, path: bytes, below: _Pile) -> _Pile:
        """Give what shows through an upper directory: `below` itself where that is all the same."""
        below = _directories(below)
        marks = self._upper.marks(path)
        if place.shown is place.below and not marks.opaque and marks.redirect is None:
            return below
        through = self._union.directory(path, place.shown)
        same = len(through) == len(below) and all(map(_is_same_node, through, below))
        return below if same else through

    def _moved(
        self, place: _Place, path: bytes, below: _Pile, shown: _Pile
    ) -> tuple[Difference, _Place | None] | None:
        """Compare what came along with a directory that was moved here."""
        node = shown[0]
        kind = "C" if below else "A"
        if node.kind is Kind.DIRECTORY:
            if _directories(below):
                kind = self._compare_directory(path, node.entry(path), below)
            item = Difference(path, kind, None, is_directory=True, moved=shown)
            there = place._replace(
                path=path, in_upper=False, below=_directories(below), shown=shown
            )
            return item, there
        if below and self._same_moved(path, node, below[0]):
            if node.nlink == below[0].nlink == 1:
                return None
            kind = "T"  # its names may have been parted
        return Difference(path, kind, None, is_directory=False, moved=shown), None

    def _compare_directory(self, path: bytes, entry: Entry | None, below: _Pile) -> str:
        if not below:
            return "="
        node = below[0]
        if entry is None or not _same_attributes(entry, node):
            return "C"
        return "=" if entry.mtime_ns == node.mtime_ns or self._holds_excluded(path) else "T"

    def _holds_excluded(self, path: bytes) -> bool:
        """Tell whether the engine itself made something in this directory, and so its time."""
        prefix = path + b"/" if path else b""
        return any(prefix + name in self._exclude for name in self._upper.names(path))

    def _same(self, path: bytes, status: "os.stat_result", node: "Node", around: _Pile) -> bool:
        """Tell whether a file is as the layers below have it, to the last byte."""
        if status.st_nlink > 1 or status.st_mtime_ns != node.mtime_ns:
            return False  # a link made here: all of its names belong to the layer
        entry = self._upper.entry(path, status)
        if entry is None:
            return False
        if not _same_record(entry, node) or entry.kind is not Kind.FILE:
            return _same_record(entry, node)
        content = self._union.content(path, around)
        if content is not None and _is_same_node(content, node):
            return True
        body = self._upper.body(path) if content is None else content.layer.pieces(content)
        return _same_content(body, node)

    def _same_moved(self, path: bytes, moved: "Node", node: "Node") -> bool:
        if not _same_record(moved.entry(path), node):
            return False
        return moved.kind is not Kind.FILE or _same_content(moved.layer.pieces(moved), node)


def _is_same_node(one: "Node", other: "Node") -> bool:
    return one.nid == other.nid and one.layer is other.layer


def _same_record(entry: Entry, node: "Node") -> bool:
    """Tell whether all but a file's content is the same."""
    if entry.kind is not node.kind or entry.mtime_ns != node.mtime_ns:
        return False
    if entry.kind is Kind.SYMLINK and entry.link != node.target:
        return False
    if entry.kind is Kind.FILE and entry.size != node.size:
        return False
    return _same_attributes(entry, node) and entry.device == node.device


def _same_content(body: Iterator[bytes], node: "Node") -> bool:
    at = 0
    for piece in body:
        if piece != node.layer.read(node, at, len(piece)):
            return False
        at += len(piece)
    return at == node.size


def _same_attributes(entry: Entry, node: "Node") -> bool:
    same = (entry.uid, entry.gid) == (node.uid, node.gid)
    if entry.kind is not Kind.SYMLINK:
        same = same and entry.mode == node.mode
    return same and carried_xattrs(entry.xattrs) == carried_xattrs(node.xattrs)


def _directories(pile: _Pile) -> _Pile:
    return pile if pile and pile[0].kind is Kind.DIRECTORY else ()


def with_parents(items: Iterator[Difference], *, idle: str = "=") -> Iterator[Difference]:
    """Leave out what changes nothing, but for the directories that lead to a change."""
    waiting: list[Difference] = []
    for item in items:
        while waiting and not _is_below(item.path, waiting[-1].path):
            waiting.pop()
        if item.kind in idle:
            waiting.append(item)
            continue
        yield from waiting
        waiting.clear()
        yield item


def _is_below(path: bytes, directory: bytes) -> bool:
    return not directory or path.startswith(directory + b"/")


def _kind(kind: str) -> "Literal['A', 'C', 'D']":
    return "A" if kind == "A" else "D" if kind == "D" else "C"
