"""What a container changed: the list, and the layer that says it. Spec: image-spec layer.md."""

import stat
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from lamina.layer.entry import Entry, Kind
from lamina.layer.sealed import SealedLayer
from lamina.layer.upper import Owners, Upper, carried_xattrs, is_whiteout
from lamina.layer.view import Tree, merged_child, merged_children
from lamina.layer.whiteout import PREFIX
from lamina.layer.writer import TarWriter

if TYPE_CHECKING:
    import os

    from lamina.layer.node import Node

__all__ = [
    "Body",
    "Change",
    "LayerStats",
    "changes",
    "changeset",
    "write_entries",
    "write_layer",
]

Body = Callable[[], Iterator[bytes]]
_Pile = tuple["Node", ...]

_FEW = 16  # names in a directory up to which each is looked up by itself


@dataclass(frozen=True, slots=True)
class Change:
    """One line of a container's diff; `path` is relative, kind A added, C changed, D deleted."""

    path: bytes
    kind: Literal["A", "C", "D"]


@dataclass(frozen=True, slots=True)
class LayerStats:
    """What was written: entries, bytes of the tar, files, bytes in them; `notes` for people."""

    entries: int
    size: int
    files: int
    content_size: int
    notes: tuple[str, ...]


class _Difference(NamedTuple):
    """One path of the upper directory. Kinds: A, C, D; = nothing; T what Docker does not list.

    That is a directory's time, and a file that is as it was but no longer one with its other names.
    """

    path: bytes
    kind: str
    status: "os.stat_result | None"
    is_directory: bool


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
        walk = _Walk(directory, Tree.of(parents), exclude)
        found = [
            Change(item.path, _kind(item.kind))
            for item in _with_parents(walk.differences(), idle="=T")
            if item.path
        ]
    return sorted(found, key=lambda change: change.path.split(b"/"))


def changeset(
    upper: str,
    parents: Sequence[SealedLayer],
    *,
    exclude: Container[bytes] = (),
    owners: Owners | None = None,
    notes: list[str] | None = None,
) -> Iterator[tuple[Entry, Body | None]]:
    """Give the entries that turn `parents` into the container's tree, in canonical order.

    Directories before what is in them, names sorted; whiteouts under their `.wh.` names; of
    unchanged directories only those that lead to a change. A directory that was removed and made
    again gets a whiteout for each path that is gone, never an opaque mark, so every driver gives
    the same entries. A body may be opened until the iterator ends; `notes` collects what was left
    out. With a hard link, its first path by this order is the file.
    """
    links: dict[tuple[int, int], bytes] = {}
    with Upper(upper, owners=owners) as directory:
        walk = _Walk(directory, Tree.of(parents), exclude)
        for item in _with_parents(walk.differences(), idle="="):
            head, _, name = item.path.rpartition(b"/")
            if item.status is None:
                white = (head + b"/" if head else b"") + PREFIX + name
                yield Entry(white, Kind.FILE, mode=0), None
                continue
            entry = directory.entry(item.path, item.status)
            problem = "a socket" if entry is None else ""
            if name.startswith(PREFIX):
                problem = "a name that would be taken for a whiteout"
            if entry is None or problem:
                if notes is not None:
                    notes.append(f"left out {item.path.decode(errors='replace')!r}: {problem}")
                continue
            yield _linked(entry, item.status, links), _body_of(directory, entry)
    if notes is not None:
        notes.sort()


def write_layer(
    upper: str,
    parents: Sequence[SealedLayer],
    sink: Callable[[bytes], object],
    *,
    exclude: Container[bytes] = (),
    owners: Owners | None = None,
    clamp_ns: int | None = None,
) -> LayerStats:
    """Write the layer that holds what `upper` changes over `parents`, as canonical tar.

    The same changes give the same bytes. Nothing changed: no entries, and a tar of its end marker
    alone. Times later than `clamp_ns` (SOURCE_DATE_EPOCH) become it. A file that changes its size
    meanwhile is padded or cut, and noted.
    """
    notes: list[str] = []
    entries = changeset(upper, parents, exclude=exclude, owners=owners, notes=notes)
    return write_entries(entries, sink, notes, clamp_ns=clamp_ns)


def write_entries(
    entries: Iterator[tuple[Entry, Body | None]],
    sink: Callable[[bytes], object],
    notes: list[str],
    *,
    clamp_ns: int | None = None,
) -> LayerStats:
    """Write `entries` with their bodies as one tar; count them."""
    writer = TarWriter(sink)
    count = files = content = 0
    for entry, body in entries:
        record = entry
        if clamp_ns is not None and entry.mtime_ns > clamp_ns:
            record = entry._replace(mtime_ns=clamp_ns)
        wrong = writer.add(record, body() if body is not None else None)
        if wrong:
            what = "shrank" if wrong > 0 else "grew"
            notes.append(f"{entry.path.decode(errors='replace')!r} {what} while it was read")
        count += 1
        if entry.kind is Kind.FILE:
            files += 1
            content += entry.size
    writer.close()
    return LayerStats(count, writer.size, files, content, tuple(notes))


class _Walk:
    """Compare an upper directory with what lies below it."""

    def __init__(self, upper: Upper, tree: Tree, exclude: Container[bytes]) -> None:
        self._upper = upper
        self._tree = tree
        self._exclude = exclude

    def differences(self) -> Iterator[_Difference]:
        """Give every path of the upper directory, and what it hides, parents first, sorted.

        No recursion: a hostile container nests deeper than Python goes.
        """
        status = self._upper.status(b"")
        if status is None:
            return
        pile = self._tree.pile(b"")
        kind = self._compare_directory(b"", status, pile)
        yield _Difference(b"", "=" if kind == "T" else kind, status, is_directory=True)
        stack = [iter(self._children(b"", pile, hidden=False))]
        while stack:
            step = next(stack[-1], None)
            if step is None:
                stack.pop()
                continue
            item, below, hidden = step
            yield item
            if item.is_directory:
                stack.append(iter(self._children(item.path, below, hidden=hidden)))

    def _children(
        self, path: bytes, pile: _Pile, *, hidden: bool
    ) -> list[tuple[_Difference, _Pile, bool]]:
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

    def _child(self, path: bytes, below: _Pile, *, hidden: bool) -> _Difference | None:
        status = self._upper.status(path)
        if status is None or is_whiteout(status):
            gone = below and (hidden or status is not None)
            return _Difference(path, "D", None, is_directory=False) if gone else None
        if stat.S_ISDIR(status.st_mode):
            kind = "C" if below else "A"
            if below and below[0].kind is Kind.DIRECTORY:
                kind = self._compare_directory(path, status, below)
            return _Difference(path, kind, status, is_directory=True)
        if not below:
            return _Difference(path, "A", status, is_directory=False)
        if below[0].kind is not Kind.DIRECTORY and self._same(path, status, below[0]):
            if below[0].nlink == 1:
                return None
            return _Difference(path, "T", status, is_directory=False)  # copied up: link broken
        return _Difference(path, "C", status, is_directory=False)

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
        entry = self._upper.entry(path, status)
        if entry is None or entry.kind is not node.kind or entry.mtime_ns != node.mtime_ns:
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


def _with_parents(items: Iterator[_Difference], *, idle: str) -> Iterator[_Difference]:
    """Leave out what changes nothing, but for the directories that lead to a change."""
    waiting: list[_Difference] = []
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


def _linked(entry: Entry, status: "os.stat_result", links: dict[tuple[int, int], bytes]) -> Entry:
    """Turn the second and later names of one file into hard links."""
    if status.st_nlink < 2 or entry.kind is Kind.DIRECTORY:  # noqa: PLR2004 - names
        return entry
    first = links.setdefault((status.st_dev, status.st_ino), entry.path)
    if first == entry.path:
        return entry
    return entry._replace(kind=Kind.HARDLINK, link=first, size=0, xattrs=())


def _body_of(directory: Upper, entry: Entry) -> Body | None:
    if entry.kind is not Kind.FILE or not entry.size:
        return None
    return lambda: directory.body(entry.path)
