"""The layer that says what a container changed, as canonical tar. Spec: image-spec layer.md."""

import os
import stat
from collections.abc import Callable, Container, Iterator, Sequence

from lamina.layer.diff import Difference, New, Walk, with_parents
from lamina.layer.entry import Entry, Kind
from lamina.layer.upper import Owners, Upper, carried_xattrs, is_plain, is_whiteout
from lamina.layer.uppers import opened
from lamina.layer.view import Tree, merged_child
from lamina.layer.whiteout import PREFIX
from lamina.layer.writer import TarWriter
from lamina.values import NamedTuple, dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.layer.node import Layer, Node
    from lamina.layer.stack import MarkSpace

__all__ = ["Body", "LayerStats", "Watch", "changeset", "write_entries", "write_layer"]

Body = Callable[[], Iterator[bytes]]
_Record = tuple[Entry, Body | None]
_Pile = tuple["Node", ...]

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_AT_ONCE = 1024 * 1024  # bytes of a file that are read with one call
_HOLES = 1024 * 1024  # bytes that make a file sparse; file systems leave out less on their own


@dataclass(frozen=True, slots=True)
class LayerStats:
    """What was written: entries, bytes of the tar, files, bytes in them; `notes` for people."""

    entries: int
    size: int
    files: int
    content_size: int
    notes: tuple[str, ...]


class Watch(NamedTuple):
    """Who is told of what is written while it is: nothing is read for it a second time.

    `content` gets small files whole (`most` bytes at most); `borrowed` files of the layers below of
    which only the owner, mode or attributes changed; `sparse` a size and the bytes held for it.
    """

    most: int
    content: Callable[[bytes, bytes], None]
    borrowed: Callable[[bytes, int], None]
    sparse: Callable[[bytes, int, int], None]


def changeset(
    upper: "str | Sequence[str]",
    parents: "Sequence[Layer]",
    *,
    marks: "MarkSpace" = "trusted",
    exclude: Container[bytes] = (),
    owners: Owners | None = None,
    notes: list[str] | None = None,
) -> Iterator[tuple[Entry, Body | None]]:
    """Give the entries that turn `parents` into the container's tree, in canonical order.

    Directories before what is in them, names sorted; whiteouts under their `.wh.` names; of
    unchanged directories only those that lead to a change. A directory that was removed and made
    again gets a whiteout for each path that is gone, never an opaque mark, so every driver gives
    the same entries. A body may be opened until the iterator ends; `notes` collects what was left
    out. With a hard link, its first path by this order is the file. Raises: UpperCorrupt.
    """
    with opened(upper, owners=owners, marks=marks) as directory:
        walk = Walk(directory, Tree.of(parents), exclude)
        records = _Records(directory, walk)
        for item in with_parents(walk.differences()):
            found = records.changed(item)
            if found is not None:
                yield found
            for new in walk.added(item.path) if item.fresh else ():
                found = records.added(new.path) if isinstance(new, New) else records.changed(new)
                if found is not None:
                    yield found
    if notes is not None:
        notes += sorted(records.notes)


def write_layer(
    upper: "str | Sequence[str]",
    parents: "Sequence[Layer]",
    sink: Callable[[bytes], object],
    *,
    marks: "MarkSpace" = "trusted",
    exclude: Container[bytes] = (),
    owners: Owners | None = None,
    clamp_ns: int | None = None,
    known: list[Entry] | None = None,
    watch: Watch | None = None,
) -> LayerStats:
    """Write the layer that holds what `upper` changes over `parents`, as canonical tar.

    The same changes give the same bytes. Nothing changed: no entries, and a tar of its end marker
    alone. Times later than `clamp_ns` (SOURCE_DATE_EPOCH) become it. A file that changes its size
    meanwhile is padded or cut, and noted. `known` collects the entries, as TarWriter does; `watch` is
    told of what people regret.
    Raises: UpperCorrupt.
    """
    with opened(upper, owners=owners, marks=marks) as directory:
        walk = Walk(directory, Tree.of(parents), exclude)
        records = _Records(directory, walk)
        tally = _Tally(TarWriter(sink, known=known), records.notes, clamp_ns)
        files = _Files(records, tally, owners, watch)
        for item in with_parents(walk.differences()):
            files.changed(item)
            for new in walk.added(item.path) if item.fresh else ():
                if isinstance(new, Difference):
                    files.changed(new)
                elif new.is_file:
                    files.write(new.directory, new.path, new.name)
                else:
                    files.other(records.added(new.path))
        return tally.close()


def write_entries(
    entries: Iterator[tuple[Entry, Body | None]],
    sink: Callable[[bytes], object],
    notes: list[str],
    *,
    clamp_ns: int | None = None,
) -> LayerStats:
    """Write `entries` with their bodies as one tar; count them."""
    tally = _Tally(TarWriter(sink), notes, clamp_ns)
    for entry, body in entries:
        tally.add(entry, body)
    return tally.close()


class _Tally:
    """Writes entries and counts them."""

    def __init__(self, writer: TarWriter, notes: list[str], clamp_ns: int | None) -> None:
        self.writer = writer
        self.notes = notes
        self.latest_ns = 1 << 63 if clamp_ns is None else clamp_ns
        self.count = 0
        self.files = 0
        self.content_size = 0

    def add(self, entry: Entry, body: Body | None) -> None:
        """Write one entry with its body."""
        record = entry
        if entry.mtime_ns > self.latest_ns:
            record = entry._replace(mtime_ns=self.latest_ns)
        wrong = self.writer.add(record, body() if body is not None else None)
        if wrong:
            self.changed(entry.path, wrong)
        self.count += 1
        if entry.kind is Kind.FILE:
            self.files += 1
            self.content_size += entry.size

    def changed(self, path: bytes, wrong: int) -> None:
        """Note a file that had `wrong` bytes too few (or, negative, too many)."""
        what = "shrank" if wrong > 0 else "grew"
        self.notes.append(f"{path.decode(errors='replace')!r} {what} while it was read")

    def close(self) -> LayerStats:
        """End the tar; give the counts."""
        self.writer.close()
        notes = tuple(sorted(self.notes))
        return LayerStats(self.count, self.writer.size, self.files, self.content_size, notes)


class _Records:
    """Turns paths of the upper directory into entries, one after another."""

    def __init__(self, directory: Upper, walk: Walk) -> None:
        self.directory = directory
        self._walk = walk
        self._links: dict[tuple[int | str, int], bytes] = {}
        self.notes: list[str] = []

    def changed(self, item: Difference) -> _Record | None:
        """Give the entry of a path, a whiteout where it is gone; None for what is left out."""
        if item.moved:
            return self._moved(item.path, item.moved[0])
        if item.status is not None:
            return self.record(item.path, item.status, item.around)
        head, _, name = item.path.rpartition(b"/")
        white = (head + b"/" if head else b"") + PREFIX + name
        return Entry(white, Kind.FILE, mode=0), None

    def record(self, path: bytes, status: os.stat_result, around: _Pile = ()) -> _Record | None:
        """Give the entry of a path of the upper directory; None for what is left out."""
        name = path.rpartition(b"/")[2]
        entry = self.directory.entry(path, status)
        problem = "a socket" if entry is None else ""
        if name.startswith(PREFIX):
            problem = "a name that would be taken for a whiteout"
        if entry is None or problem:
            self.notes.append(f"left out {path.decode(errors='replace')!r}: {problem}")
            return None
        content = self._walk.content(path, status, around)
        entry = self._linked(entry, status.st_nlink, (status.st_dev, status.st_ino))
        if entry.kind is not Kind.FILE or not entry.size:
            return entry, None
        if content is not None:
            return entry, lambda: content.layer.pieces(content)
        return entry, lambda: self.directory.body(path)

    def content(self, path: bytes, status: os.stat_result, around: _Pile) -> "Node | None":
        """Give the layers' file whose content a file shows, if it has none of its own."""
        return self._walk.content(path, status, around)

    def _moved(self, path: bytes, node: "Node") -> _Record:
        """Give what a layer has, under the path that it was moved to."""
        entry = node.entry(path)
        entry = entry._replace(xattrs=carried_xattrs(entry.xattrs))
        entry = self._linked(entry, node.nlink, (node.layer.path, node.nid))
        if entry.kind is not Kind.FILE or not entry.size:
            return entry, None
        return entry, lambda: node.layer.pieces(node)

    def added(self, path: bytes) -> _Record | None:
        """Give the entry of a path that nothing lies below: a whiteout there takes nothing away."""
        status = self.directory.status(path)
        if status is None or is_whiteout(status):
            return None
        return self.record(path, status)

    def _linked(self, entry: Entry, nlink: int, key: tuple[int | str, int]) -> Entry:
        """Turn the second and later names of one file into hard links."""
        if nlink < 2 or entry.kind is Kind.DIRECTORY:  # noqa: PLR2004 - names
            return entry
        first = self._links.setdefault(key, entry.path)
        if first == entry.path:
            return entry
        return entry._replace(kind=Kind.HARDLINK, link=first, size=0, xattrs=())


class _Files:
    """Writes files the short way: opened once, and read with one call where they are small.

    What is not a plain file with one name and no attributes goes the way of everything else.
    """

    def __init__(
        self, records: _Records, tally: _Tally, owners: Owners | None, watch: Watch | None
    ) -> None:
        self._records = records
        self._tally = tally
        self._owners = owners
        self._watch = watch

    def changed(self, item: Difference) -> None:
        """Write one difference, whatever it is."""
        if item.status is not None and stat.S_ISREG(item.status.st_mode):
            fd, name = self._records.directory.split(item.path)
            self.write(fd, item.path, name, item.around)
        else:
            self.other(self._records.changed(item))

    def other(self, found: _Record | None) -> None:
        """Write an entry, if there is one, the way of everything else."""
        if found is not None:
            self._tally.add(*found)

    def write(self, directory: int, path: bytes, name: bytes, around: _Pile = ()) -> None:
        """Write the file `name` of an open directory; nothing if it went away meanwhile."""
        try:
            fd = os.open(name, _READ, dir_fd=directory)
        except FileNotFoundError:
            return
        try:
            status = os.fstat(fd)
            size = status.st_size
            if self._watch is not None and (around or status.st_blocks << 9 < size):
                self._look(self._watch, path, status, around)
            if size <= _AT_ONCE and is_plain(fd, status) and name[:4] != PREFIX:
                self._write(fd, path, status, size)
                return
        finally:
            os.close(fd)
        self.other(self._records.record(path, status, around))

    def _look(self, watch: Watch, path: bytes, status: os.stat_result, around: _Pile) -> None:
        """Tell of a file that is in the layer for its attributes alone, or that has holes."""
        size, held = status.st_size, status.st_blocks << 9
        if not stat.S_ISREG(status.st_mode) or not size:
            return
        below = merged_child(around, path.rpartition(b"/")[2]) if around else ()
        node = below[0] if below and below[0].kind is Kind.FILE else None
        content = self._records.content(path, status, around)
        if content is not None or (
            # Without `metacopy` the kernel copies the file, with its time.
            node is not None and node.size == size and node.mtime_ns == status.st_mtime_ns
        ):
            watch.borrowed(path, size)
        elif held + _HOLES < size:
            watch.sparse(path, size, held)

    def _write(self, fd: int, path: bytes, status: os.stat_result, size: int) -> None:
        tally = self._tally
        data = os.read(fd, size + 1) if size else b""
        if len(data) != size:
            data = self._fitting(fd, path, data, size)
        if self._watch is not None and 0 < size <= self._watch.most:
            self._watch.content(path, data)
        mtime_ns = min(status.st_mtime_ns, tally.latest_ns)
        uid, gid = status.st_uid, status.st_gid
        if self._owners is not None:
            uid, gid = self._owners(uid, gid)
        tally.writer.add_plain(path, status.st_mode & 0o7777, uid, gid, mtime_ns, data)
        tally.count += 1
        tally.files += 1
        tally.content_size += size

    def _fitting(self, fd: int, path: bytes, data: bytes, size: int) -> bytes:
        """Give exactly `size` bytes of a file that gave `data` at first."""
        while len(data) < size and (more := os.read(fd, size + 1 - len(data))):
            data += more
        if len(data) != size:
            self._tally.changed(path, size - len(data))
        return data[:size].ljust(size, b"\0")
