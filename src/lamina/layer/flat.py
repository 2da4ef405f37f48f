"""Write a whole tree as one tar: an image's, a container's, or a plain directory's."""

import stat
from collections.abc import Callable, Container, Iterator
from typing import TYPE_CHECKING

from lamina.layer.changeset import LayerStats, write_entries
from lamina.layer.entry import Entry, Kind
from lamina.layer.upper import Owners, Upper, is_whiteout
from lamina.layer.view import Tree, merged_children
from lamina.layer.whiteout import PREFIX

if TYPE_CHECKING:
    from lamina.layer.changeset import Body
    from lamina.layer.node import Node

__all__ = ["write_directory", "write_tree"]

_Step = tuple[bytes, "tuple[Node, ...]", bool]


def write_tree(
    tree: Tree,
    sink: Callable[[bytes], object],
    *,
    upper: str = "",
    exclude: Container[bytes] = (),
    owners: Owners | None = None,
    clamp_ns: int | None = None,
) -> LayerStats:
    """Write the merged tree as a flat tar, with the changes in the directory `upper` on top.

    Canonical: sorted, a directory before its children; nothing of the layering is left.
    """
    notes: list[str] = []
    if upper:
        with Upper(upper, owners=owners) as directory:
            entries = _Flat(tree, directory, exclude, notes).entries()
            return write_entries(entries, sink, notes, clamp_ns=clamp_ns)
    entries = _Flat(tree, None, exclude, notes).entries()
    return write_entries(entries, sink, notes, clamp_ns=clamp_ns)


def write_directory(
    path: str,
    sink: Callable[[bytes], object],
    *,
    exclude: Container[bytes] = (),
    owner: tuple[int, int] | None = None,
    clamp_ns: int | None = None,
) -> LayerStats:
    """Write the plain directory `path` as a tar, itself as its root, sorted.

    `owner` replaces every owner, and `clamp_ns` bounds every time: with both, the same files give
    the same bytes whoever unpacked them.
    """
    notes: list[str] = []
    owners: Owners | None = None if owner is None else lambda _uid, _gid: owner
    with Upper(path, owners=owners) as directory:
        entries = _Flat(Tree.of(()), directory, exclude, notes, plain=True).entries()
        return write_entries(entries, sink, notes, clamp_ns=clamp_ns)


class _Flat:
    """Walk layers and a directory over them as one tree."""

    def __init__(
        self,
        tree: Tree,
        upper: Upper | None,
        exclude: Container[bytes],
        notes: list[str],
        *,
        plain: bool = False,
    ) -> None:
        self._tree = tree
        self._upper = upper
        self._exclude = exclude
        self._notes = notes
        self._plain = plain
        self._links: dict[tuple[object, int], bytes] = {}

    def entries(self) -> "Iterator[tuple[Entry, Body | None]]":
        """Give every entry, a directory before its children, sorted."""
        stack: list[_Step] = [(b"", self._tree.pile(b""), self._upper is not None)]
        while stack:
            path, pile, in_upper = stack.pop()
            if in_upper:
                yield from self._of_upper(path)
                is_directory = self._is_directory(path)
            elif pile:
                yield self._of_layer(path, pile[0])
                is_directory = pile[0].kind is Kind.DIRECTORY
            else:
                continue
            if is_directory:
                stack += reversed(self._children(path, pile, in_upper=in_upper))

    def _children(self, path: bytes, pile: "tuple[Node, ...]", *, in_upper: bool) -> list[_Step]:
        if pile and pile[0].kind is not Kind.DIRECTORY:
            pile = ()
        prefix = path + b"/" if path else b""
        upper = self._upper if in_upper else None
        shows = pile and not (upper is not None and upper.is_opaque(path))
        found: dict[bytes, _Step] = {}
        if shows:
            for name, nodes in merged_children(pile):
                found[name] = (prefix + name, nodes, False)
        for name in upper.names(path) if upper is not None else ():
            status = upper.status(prefix + name) if upper is not None else None
            before = found.pop(name, None)
            if status is None or (is_whiteout(status) and not self._plain):
                continue
            nodes = before[1] if before is not None else ()
            found[name] = (prefix + name, nodes, True)
        return [found[name] for name in sorted(found) if prefix + name not in self._exclude]

    def _is_directory(self, path: bytes) -> bool:
        status = self._upper.status(path) if self._upper is not None else None
        return status is not None and stat.S_ISDIR(status.st_mode)

    def _of_upper(self, path: bytes) -> "Iterator[tuple[Entry, Body | None]]":
        upper = self._upper
        status = upper.status(path) if upper is not None else None
        if upper is None or status is None:
            return
        entry = upper.entry(path, status)
        whiteout = path.rpartition(b"/")[2].startswith(PREFIX)
        if entry is None or whiteout:
            what = "a socket" if entry is None else "a name that would be taken for a whiteout"
            self._notes.append(f"left out {path.decode(errors='replace')!r}: {what}")
            return
        if entry.kind is not Kind.DIRECTORY and status.st_nlink > 1:
            entry = self._linked(entry, (status.st_dev, status.st_ino))
        has_body = entry.kind is Kind.FILE and entry.size
        yield entry, (lambda: upper.body(path)) if has_body else None

    def _of_layer(self, path: bytes, node: "Node") -> "tuple[Entry, Body | None]":
        entry = node.entry(path)
        if entry.kind is not Kind.DIRECTORY and node.nlink > 1:
            entry = self._linked(entry, (node.layer.path, node.nid))
        has_body = entry.kind is Kind.FILE and entry.size
        return entry, (lambda: node.layer.pieces(node)) if has_body else None

    def _linked(self, entry: Entry, key: tuple[object, int]) -> Entry:
        first = self._links.setdefault(key, entry.path)
        if first == entry.path:
            return entry
        return entry._replace(kind=Kind.HARDLINK, link=first, size=0, xattrs=())
