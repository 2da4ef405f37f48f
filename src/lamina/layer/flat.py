"""Write a whole tree as one tar: an image's, a container's, or a plain directory's."""

import stat
from collections.abc import Callable, Container, Iterator, Sequence

from lamina.layer.changeset import LayerStats, write_entries
from lamina.layer.entry import Entry, Kind
from lamina.layer.union import Member, Union
from lamina.layer.upper import Owners, Upper
from lamina.layer.uppers import opened
from lamina.layer.view import Tree, merged_children
from lamina.layer.whiteout import PREFIX
from lamina.values import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os

    from lamina.layer.changeset import Body
    from lamina.layer.node import Node
    from lamina.layer.stack import MarkSpace

__all__ = ["write_directory", "write_tree"]


class _Step(NamedTuple):
    path: bytes
    member: Member
    around: "tuple[Node, ...]"


def write_tree(
    tree: Tree,
    sink: Callable[[bytes], object],
    *,
    upper: "str | Sequence[str]" = "",
    marks: "MarkSpace" = "trusted",
    exclude: Container[bytes] = (),
    owners: Owners | None = None,
    clamp_ns: int | None = None,
) -> LayerStats:
    """Write the merged tree as a flat tar, with the changes in the directory `upper` on top.

    Canonical: sorted, a directory before its children; nothing of the layering is left.
    """
    notes: list[str] = []
    if upper:
        with opened(upper, owners=owners, marks=marks) as directory:
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
    with Upper(path, owners=owners, marks="") as directory:
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
        self._union = Union(upper, tree, plain=plain) if upper is not None else None
        self._exclude = exclude
        self._notes = notes
        self._links: dict[tuple[object, int], bytes] = {}

    def entries(self) -> "Iterator[tuple[Entry, Body | None]]":
        """Give every entry, a directory before its children, sorted."""
        pile = self._tree.pile(b"")
        status = self._upper.status(b"") if self._upper is not None else None
        stack: list[_Step] = [_Step(b"", Member(status, pile), ())]
        while stack:
            path, (status, shown), around = stack.pop()
            if status is not None:
                yield from self._of_upper(path, status, around)
                if not stat.S_ISDIR(status.st_mode):
                    continue
                if self._union is not None and path:
                    shown = self._union.directory(path, around)
            elif shown:
                yield self._of_layer(path, shown[0])
                if shown[0].kind is not Kind.DIRECTORY:
                    continue
            else:
                continue
            stack += reversed(self._children(path, shown, in_upper=status is not None))

    def _children(self, path: bytes, shown: "tuple[Node, ...]", *, in_upper: bool) -> "list[_Step]":
        if self._union is not None:
            members = self._union.members(path, shown, in_upper=in_upper)
        else:
            members = {name: Member(None, pile) for name, pile in merged_children(shown)}
        prefix = path + b"/" if path else b""
        return [
            _Step(prefix + name, members[name], shown)
            for name in sorted(members)
            if prefix + name not in self._exclude
        ]

    def _of_upper(
        self, path: bytes, status: "os.stat_result", around: "tuple[Node, ...]"
    ) -> "Iterator[tuple[Entry, Body | None]]":
        upper, union = self._upper, self._union
        if upper is None or union is None:
            return
        entry = upper.entry(path, status)
        whiteout = path.rpartition(b"/")[2].startswith(PREFIX)
        if entry is None or whiteout:
            what = "a socket" if entry is None else "a name that would be taken for a whiteout"
            self._notes.append(f"left out {path.decode(errors='replace')!r}: {what}")
            return
        content = union.content(path, around) if entry.kind is Kind.FILE else None
        if entry.kind is not Kind.DIRECTORY and status.st_nlink > 1:
            entry = self._linked(entry, (status.st_dev, status.st_ino))
        if entry.kind is not Kind.FILE or not entry.size:
            yield entry, None
        elif content is not None:
            yield entry, lambda: content.layer.pieces(content)
        else:
            yield entry, lambda: upper.body(path)

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
