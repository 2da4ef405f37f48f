"""What a container changed: its upper directory compared with the layers below."""

import stat
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from lamina.layer.entry import Entry, Kind
from lamina.layer.sealed import SealedLayer
from lamina.layer.upper import Owners, Upper, carried_xattrs, is_whiteout
from lamina.layer.view import Tree, merged_child, merged_children

if TYPE_CHECKING:
    import os

    from lamina.layer.node import Node

__all__ = ["Change", "Difference", "Walk", "changes", "with_parents"]

_Pile = tuple["Node", ...]

_FEW = 16  # names in a directory up to which each is looked up by itself


@dataclass(frozen=True, slots=True)
class Change:
    """One line of a container's diff; `path` is relative, kind A added, C changed, D deleted."""

    path: bytes
    kind: Literal["A", "C", "D"]


class Difference(NamedTuple):
    """One path of the upper directory. Kinds: A, C, D; = nothing; T what Docker does not list.

    That is a directory's time, and a file that is as it was but no longer one with its other names.
    A `fresh` directory has nothing below it: what is in it is all new, and is not given.
    """

    path: bytes
    kind: str
    status: "os.stat_result | None"
    is_directory: bool
    fresh: bool = False


def changes(
    upper: str,
    parents: Sequence[SealedLayer],
    *,
    exclude: Container[bytes] = (),
    owners: Owners | None = None,
) -> list[Change]:
    """List what the directory `upper` changes over `parents` (lowest first), sorted by path.

    As `docker diff`: a directory is changed where its own attributes are, or something in it; its
    time alone does not count. Paths in `exclude`, and what lies below them, are left out.
    Cost: one lstat and one look into the parents' index per path of `upper`.
    """
    with Upper(upper, owners=owners) as directory:
        walk = Walk(directory, Tree.of(parents), exclude)
        found: list[Change] = []
        for item in with_parents(walk.differences(), idle="=T"):
            if item.path:
                found.append(Change(item.path, _kind(item.kind)))
            if item.fresh:
                found += _added(directory, item.path, exclude)
    return sorted(found, key=lambda change: change.path.split(b"/"))


def _added(directory: Upper, top: bytes, exclude: Container[bytes]) -> Iterator[Change]:
    for _, path, _, is_file in directory.fresh(top, exclude):
        if not is_file:
            status = directory.status(path)
            if status is None or is_whiteout(status):
                continue
        yield Change(path, "A")


class Walk:
    """Compare an upper directory with what lies below it."""

    def __init__(self, upper: Upper, tree: Tree, exclude: Container[bytes]) -> None:
        self._upper = upper
        self._tree = tree
        self._exclude = exclude

    def differences(self) -> Iterator[Difference]:
        """Give every path of the upper directory, and what it hides, parents first, sorted.

        Of a fresh directory, itself alone: `Upper.fresh` gives the rest at less cost. No recursion: a hostile container nests deeper than Python goes.
        """
        status = self._upper.status(b"")
        if status is None:
            return
        pile = self._tree.pile(b"")
        kind = self._compare_directory(b"", status, pile)
        yield Difference(b"", "=" if kind == "T" else kind, status, is_directory=True)
        stack = [iter(self._children(b"", pile, hidden=False))]
        while stack:
            step = next(stack[-1], None)
            if step is None:
                stack.pop()
                continue
            item, below, hidden = step
            yield item
            if item.is_directory and not item.fresh:
                stack.append(iter(self._children(item.path, below, hidden=hidden)))

    def _children(
        self, path: bytes, pile: _Pile, *, hidden: bool
    ) -> list[tuple[Difference, _Pile, bool]]:
        """Compare the names in one directory; `hidden` says that nothing shines through."""
        names = self._upper.names(path)
        hidden = hidden or self._upper.is_opaque(path)
        lower: dict[bytes, _Pile] | None = None
        if pile and (hidden or len(names) > _FEW):
            lower = dict(merged_children(pile))
        if hidden and lower:
            names = sorted({*names, *lower})
        prefix = path + b"/" if path else b""
        found = []
        for name in names:
            full = prefix + name
            if full in self._exclude:
                continue
            if lower is not None:
                below = lower.get(name, ())
            else:
                below = merged_child(pile, name) if pile else ()
            step = self._child(full, below, hidden=hidden)
            if step is not None:
                found.append((step, _directories(below), hidden))
        return found

    def _child(self, path: bytes, below: _Pile, *, hidden: bool) -> Difference | None:
        status = self._upper.status(path)
        if status is None or is_whiteout(status):
            gone = below and (hidden or status is not None)
            return Difference(path, "D", None, is_directory=False) if gone else None
        if stat.S_ISDIR(status.st_mode):
            kind = "C" if below else "A"
            if below and below[0].kind is Kind.DIRECTORY:
                kind = self._compare_directory(path, status, below)
            fresh = not _directories(below)
            return Difference(path, kind, status, is_directory=True, fresh=fresh)
        if not below:
            return Difference(path, "A", status, is_directory=False)
        if below[0].kind is not Kind.DIRECTORY and self._same(path, status, below[0]):
            if below[0].nlink == 1:
                return None
            return Difference(path, "T", status, is_directory=False)  # copied up: link broken
        return Difference(path, "C", status, is_directory=False)

    def _compare_directory(self, path: bytes, status: "os.stat_result", below: _Pile) -> str:
        if not below:
            return "="
        entry = self._upper.entry(path, status)
        node = below[0]
        if entry is None or not _same_attributes(entry, node):
            return "C"
        return "=" if entry.mtime_ns == node.mtime_ns or self._holds_excluded(path) else "T"

    def _holds_excluded(self, path: bytes) -> bool:
        """Tell whether the engine itself made something in this directory, and so its time."""
        prefix = path + b"/" if path else b""
        return any(prefix + name in self._exclude for name in self._upper.names(path))

    def _same(self, path: bytes, status: "os.stat_result", node: "Node") -> bool:
        """Tell whether a file is as the layers below have it, to the last byte."""
        if status.st_mtime_ns != node.mtime_ns:
            return False
        entry = self._upper.entry(path, status)
        if entry is None or entry.kind is not node.kind:
            return False
        if not _same_attributes(entry, node) or status.st_nlink > 1:
            return False  # a link made here: all of its names belong to the layer
        if entry.kind is Kind.SYMLINK:
            return entry.link == node.target
        if entry.kind is not Kind.FILE:
            return entry.device == node.device
        return entry.size == node.size and self._same_content(path, node)

    def _same_content(self, path: bytes, node: "Node") -> bool:
        at = 0
        for piece in self._upper.body(path):
            if piece != node.layer.read(node, at, len(piece)):
                return False
            at += len(piece)
        return at == node.size


def _same_attributes(entry: Entry, node: "Node") -> bool:
    same = (entry.uid, entry.gid) == (node.uid, node.gid)
    if entry.kind is not Kind.SYMLINK:
        same = same and entry.mode == node.mode
    return same and entry.xattrs == carried_xattrs(node.xattrs)


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


def _kind(kind: str) -> Literal["A", "C", "D"]:
    return "A" if kind == "A" else "D" if kind == "D" else "C"
