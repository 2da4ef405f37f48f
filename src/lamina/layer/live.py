"""The tree of a container: its layers, and over them the directory that it writes into.

That directory is read as it is now, through descriptors and never through a symlink; what goes
away meanwhile is as if it had never been there.
"""

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from lamina.layer.entry import Kind
from lamina.layer.node import KINDS, Layer, Node
from lamina.layer.union import Union
from lamina.layer.uppers import opened
from lamina.layer.view import Tree
from lamina.stream.verify import CHUNK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO, Self

    from lamina.layer.stack import MarkSpace

__all__ = ["LiveLayer", "LiveTree"]

_Pile = tuple[Node, ...]

_NANO = 10**9
_EXTENDED = 1  # i_format of what stands in one piece


class LiveLayer:
    """One upper directory, open for reading; a context manager. One thread at a time.

    `marks` says where overlayfs keeps its marks there; `LiveTree` follows them.
    """

    implied_root = False

    def __init__(self, path: str, *, marks: "MarkSpace", frozen: Sequence[str] = ()) -> None:
        self.path = path
        self.upper = opened((path, *frozen), marks=marks)
        self._paths: dict[int, bytes] = {}
        self._inodes: dict[int, tuple[int, ...]] = {}
        self._contents: dict[int, Callable[[], Node | None]] = {}

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *exception: object) -> None:
        self.upper.__exit__(*exception)

    @property
    def root(self) -> Node:
        """The directory itself."""
        status = self.upper.status(b"")
        assert status is not None  # noqa: S101 - its descriptor is open
        return self._node(b"", status)

    def child(self, directory: Node, name: bytes) -> Node | None:
        """Find one name in a directory; None for a socket, which no layer has."""
        if name in (b"", b".", b".."):
            return None
        head = self._paths[directory.nid]
        path = head + b"/" + name if head else name
        try:
            status = self.upper.status(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        if status is None or stat.S_IFMT(status.st_mode) >> 12 not in KINDS:
            return None
        return self._node(path, status)

    def listdir(self, directory: Node) -> list[tuple[bytes, Node]]:
        """Give the names of a directory, sorted, with their nodes."""
        names = self.upper.names(self._paths[directory.nid])
        found = ((name, self.child(directory, name)) for name in names)
        return [(name, node) for name, node in found if node is not None]

    def inode(self, nid: int, kind: Kind) -> tuple[int, tuple[int, ...]]:
        """Give what lstat said of an inode, as EROFS would have it."""
        fields = self._inodes[nid]
        assert KINDS[fields[2] >> 12] is kind  # noqa: S101 - both come from one lstat
        return 0, fields

    def path_of(self, node: Node) -> bytes:
        """Give where a node of this layer stands; of a file with several names, any of them."""
        return self._paths[node.nid]

    def borrow(self, node: Node, content: Callable[[], Node | None]) -> None:
        """Note where to ask for the file whose content `node` shows, if it has none of its own."""
        self._contents[node.nid] = content

    def xattrs(self, node: Node) -> list[tuple[str, bytes]]:
        """Give the extended attributes that go with the tree."""
        try:
            return list(self.upper.xattrs(self._paths[node.nid]))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def digest(self, node: Node) -> bytes | None:  # noqa: ARG002 - it changes under our hands
        """Give nothing: it is not known."""
        return None

    def symlink_target(self, node: Node) -> bytes:
        """Give where a symlink points, as written."""
        try:
            return self.upper.target(self._paths[node.nid])
        except (OSError, ValueError):  # it is none any more
            return b""

    def extents(
        self, node: Node, offset: int = 0, size: int = -1
    ) -> Iterator[tuple[int, int, int]]:
        """Give a file's content as (offset in it, the same or -1 for a hole, length)."""
        content = self._content(node)
        if content is not None:
            yield from content.layer.extents(content, offset, size)
            return
        end = node.size if size < 0 else min(offset + size, node.size)
        fd = self._open(node)
        try:
            while offset < end:
                data = _seek(fd, offset, os.SEEK_DATA, end)
                if data > offset:
                    yield offset, -1, data - offset
                offset = _seek(fd, data, os.SEEK_HOLE, end)
                if offset > data:
                    yield data, data, offset - data
        finally:
            os.close(fd)

    def pieces(self, node: Node, offset: int = 0, size: int = -1) -> Iterator[bytes]:
        """Give a file's content, or a part, in pieces of 256 KiB; less where it shrank."""
        content = self._content(node)
        if content is not None:
            yield from content.layer.pieces(content, offset, size)
            return
        end = node.size if size < 0 else min(offset + size, node.size)
        fd = self._open(node)
        try:
            while offset < end and (data := os.pread(fd, min(CHUNK, end - offset), offset)):
                yield data
                offset += len(data)
        finally:
            os.close(fd)

    def read(self, node: Node, offset: int = 0, size: int = -1) -> bytes:
        """Give up to `size` bytes of a file from `offset`; all the rest where negative."""
        return b"".join(self.pieces(node, offset, size))

    def open_file(self, node: Node) -> "BinaryIO":
        """Give a file's content as a seekable, buffered stream."""
        content = self._content(node)
        if content is not None:
            return content.layer.open_file(content)
        return open(self._open(node), "rb")

    def _content(self, node: Node) -> Node | None:
        ask = self._contents.get(node.nid)
        return None if ask is None else ask()

    def _open(self, node: Node) -> int:
        """Open a file; the null device where it is none any more."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            fd = self.upper.open(self._paths[node.nid])
        except OSError:
            return os.open(os.devnull, flags)
        if stat.S_ISREG(os.fstat(fd).st_mode):
            return fd
        os.close(fd)
        return os.open(os.devnull, flags)

    def _node(self, path: bytes, status: os.stat_result) -> Node:
        kind = KINDS[stat.S_IFMT(status.st_mode) >> 12]
        seconds, nanoseconds = divmod(status.st_mtime_ns, _NANO)
        major, minor = os.major(status.st_rdev), os.minor(status.st_rdev)
        device = minor & 0xFF | major << 8 | (minor & ~0xFF) << 12
        self._paths[status.st_ino] = path
        self._inodes[status.st_ino] = (
            _EXTENDED, 1, status.st_mode, 0, status.st_size, device, 0, status.st_uid,
            status.st_gid, seconds, nanoseconds, status.st_nlink,
        )  # fmt: skip
        return Node(self, status.st_ino, kind)


class LiveTree(Tree):
    """Layers, lowest first, with a container's directory over them; marks are followed."""

    def __init__(self, layers: Sequence[Layer], live: LiveLayer) -> None:
        super().__init__([*layers, live])
        self._live = live
        self._union = Union(live.upper, Tree.of(layers))

    def _child(self, pile: _Pile, name: bytes) -> _Pile:
        if not pile or pile[0].layer is not self._live:
            return super()._child(pile, name)
        node = self._live.child(pile[0], name)
        return super()._child(pile[1:], name) if node is None else self._over(node, pile[1:])

    def _children(self, pile: _Pile) -> list[tuple[bytes, _Pile]]:
        if not pile or pile[0].layer is not self._live:
            return super()._children(pile)
        found = dict(super()._children(pile[1:]))
        for name, node in self._live.listdir(pile[0]):
            found[name] = self._over(node, pile[1:])
        return [(name, found[name]) for name in sorted(found) if found[name]]

    def _is_plain(self, pile: _Pile) -> bool:
        return super()._is_plain(pile) and pile[0].layer is not self._live

    def _over(self, node: Node, around: _Pile) -> _Pile:
        """Lay a node of the container over what its layers have; `around` is their directory."""
        if node.is_whiteout:
            return ()
        path = self._live.path_of(node)
        if node.kind is Kind.DIRECTORY:
            return (node, *self._union.directory(path, around))
        if node.kind is Kind.FILE:
            self._live.borrow(node, partial(self._union.content, path, around))
        return (node,)


def _seek(fd: int, offset: int, whence: int, end: int) -> int:
    try:
        return min(os.lseek(fd, offset, whence), end)
    except OSError:  # no data from here on, or no such question to this file system
        return end
