"""What a container wrote as one more layer, the one that a commit would make, without making it."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator

from lamina.layer.entry import Entry, Kind
from lamina.layer.node import KINDS, Node
from lamina.layer.whiteout import PREFIX
from lamina.values import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

    from lamina.layer.view import Tree

__all__ = ["WrittenLayer"]

_NANO = 10**9
_EXTENDED = 1  # i_format of what stands in one piece
_MODES = {kind: bits << 12 for bits, kind in KINDS.items()}
_ROOT = Entry(b"", Kind.DIRECTORY, 0o755)


class _Row(NamedTuple):
    """One inode: the entry of its first name, and how many names there are, `.` and `..` included."""

    entry: Entry
    names: int


class WrittenLayer:
    """The entries of a changeset as a layer in memory, with content from the container's tree.

    `entries` are those of `layer.changeset`, which are read to their end; `tree` is the container's,
    open as long as this is in use. Takes some hundred bytes a path. What changes meanwhile may be
    seen half. One thread at a time. Spec: image-spec layer.md, "Whiteouts".
    """

    def __init__(self, path: str, entries: Iterable[Entry], tree: "Tree") -> None:
        self.path = path
        self.implied_root = True
        self.entries = 0
        self._tree = tree
        self._rows: list[_Row] = [_Row(_ROOT, 2)]
        self._folders: dict[bytes, int] = {b"": 0}
        self._names: list[list[tuple[bytes, int, Kind]]] = [[]]
        first: dict[bytes, int] = {}
        for entry in entries:
            self.entries += 1
            self._take(entry, first)
        for names in self._names:
            names.sort()
        self.content_size = sum(row.entry.size for row in self._rows)

    def _take(self, entry: Entry, first: dict[bytes, int]) -> None:
        """Note one entry; directories come before what is in them, and files before their links."""
        if not entry.path:
            self._rows[0] = _Row(entry, 2)
            self.implied_root = False
            return
        head, _, name = entry.path.rpartition(b"/")
        above = self._folders[head]
        if name.startswith(PREFIX):
            entry = Entry(entry.path, Kind.CHARACTER)
            name = name[len(PREFIX) :]
        if entry.kind is Kind.HARDLINK:
            number = first[entry.link]
            self._count(number)
        else:
            number = len(self._rows)
            is_directory = entry.kind is Kind.DIRECTORY
            self._rows.append(_Row(entry, 1 + is_directory))
            self._names.append([])
            first[entry.path] = number
            if is_directory:
                self._folders[entry.path] = number
                self._count(above)
        self._names[above].append((name, number, self._rows[number].entry.kind))

    def _count(self, number: int) -> None:
        row = self._rows[number]
        self._rows[number] = _Row(row.entry, row.names + 1)

    @property
    def root(self) -> Node:
        """The root directory."""
        return Node(self, 0, Kind.DIRECTORY)

    def child(self, directory: Node, name: bytes) -> Node | None:
        """Find one name in a directory."""
        names = self._names[directory.nid]
        at = bisect_left(names, name, key=lambda row: row[0])
        if at == len(names) or names[at][0] != name:
            return None
        return Node(self, names[at][1], names[at][2])

    def listdir(self, directory: Node) -> list[tuple[bytes, Node]]:
        """Give the names of a directory, sorted, with their nodes."""
        return [
            (name, Node(self, number, kind)) for name, number, kind in self._names[directory.nid]
        ]

    def inode(self, nid: int, kind: Kind) -> tuple[int, tuple[int, ...]]:  # noqa: ARG002 - as all layers
        """Give an inode as EROFS would have it."""
        entry, names = self._rows[nid]
        major, minor = entry.device
        device = minor & 0xFF | major << 8 | (minor & ~0xFF) << 12
        seconds, nanoseconds = divmod(entry.mtime_ns, _NANO)
        return 0, (
            _EXTENDED, int(bool(entry.xattrs)), _MODES[entry.kind] | entry.mode, 0, entry.size, device, 0,
            entry.uid, entry.gid, seconds, nanoseconds, names,
        )  # fmt: skip

    def xattrs(self, node: Node) -> list[tuple[str, bytes]]:
        """Give the extended attributes; no directory here is opaque."""
        return list(self._rows[node.nid].entry.xattrs)

    def symlink_target(self, node: Node) -> bytes:
        """Give where a symlink points, as written."""
        return self._rows[node.nid].entry.link

    def digest(self, node: Node) -> bytes | None:  # noqa: ARG002 - it changes under our hands
        """Give nothing: it is not known."""
        return None

    def extents(
        self, node: Node, offset: int = 0, size: int = -1
    ) -> Iterator[tuple[int, int, int]]:
        """Give a file's content as (offset in it, somewhere or -1 for a hole, length)."""
        file = self._file(node)
        if file is not None:
            yield from file.layer.extents(file, offset, size)

    def pieces(self, node: Node, offset: int = 0, size: int = -1) -> Iterator[bytes]:
        """Give a file's content, or a part, in pieces; less where it shrank or went meanwhile."""
        file = self._file(node)
        if file is not None:
            yield from file.layer.pieces(file, offset, size)

    def read(self, node: Node, offset: int = 0, size: int = -1) -> bytes:
        """Give up to `size` bytes of a file from `offset`; all the rest where negative."""
        return b"".join(self.pieces(node, offset, size))

    def open_file(self, node: Node) -> "BinaryIO":
        """Give a file's content as a seekable, buffered stream."""
        file = self._file(node)
        if file is None:
            return open("/dev/null", "rb")
        return file.layer.open_file(file)

    def _file(self, node: Node) -> Node | None:
        """Find the container's file that has the content, if there still is one."""
        file = self._tree.lookup(self._rows[node.nid].entry.path)
        return file if file is not None and file.kind is Kind.FILE else None
