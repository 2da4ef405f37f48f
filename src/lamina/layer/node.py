"""One file of a layer, as its inode says; and what a layer has to offer to be part of a tree."""

from collections.abc import Iterator

from lamina.layer.entry import Entry, Kind
from lamina.layer.erofs import BLOCK, INODE
from lamina.values import Protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

__all__ = ["CHUNKED", "INLINE", "KINDS", "PLAIN", "Contents", "CountedLayer", "Layer", "Node"]

PLAIN, INLINE, CHUNKED = 0, 2, 4
_LAYOUT_MASK = 7
_NANO = 10**9
_SMALLEST_CHUNK = 9  # bits: one block
KINDS = {
    0o10: Kind.FILE,
    0o4: Kind.DIRECTORY,
    0o12: Kind.SYMLINK,
    0o2: Kind.CHARACTER,
    0o6: Kind.BLOCK,
    0o1: Kind.FIFO,
}
"""What the upper four bits of a mode mean."""

_OPAQUE = "trusted.overlay.opaque"
_ORIGIN = "trusted.overlay.origin"


class Contents(Protocol):
    """The bytes of a layer's files."""

    def extents(
        self, node: "Node", offset: int = 0, size: int = -1
    ) -> Iterator[tuple[int, int, int]]:
        """Give a file's content as (offset in it, place in the layer or -1 for a hole, length)."""

    def pieces(self, node: "Node", offset: int = 0, size: int = -1) -> Iterator[bytes]:
        """Give a file's content, or a part, in pieces of at most 1 MiB; holes are zeros."""

    def read(self, node: "Node", offset: int = 0, size: int = -1) -> bytes:
        """Give up to `size` bytes of a file from `offset`; all the rest where negative."""

    def open_file(self, node: "Node") -> "BinaryIO":
        """Give a file's content as a seekable, buffered stream."""

    def digest(self, node: "Node") -> bytes | None:
        """Give a digest of a file's content if it is known without reading that; None if not.

        It compares with those of layers of the same kind alone, but for one of 32 bytes, which is
        the content's SHA-256.
        """


class Layer(Contents, Protocol):
    """What a tree is laid of: a sealed layer, or the directory that a container writes into.

    A whiteout is a 0/0 character device, and an opaque directory has `trusted.overlay.opaque`.
    `implied_root` says that the root's attributes are for a lower layer to tell.
    """

    implied_root: bool

    @property
    def path(self) -> str:
        """Where it is on this machine: no two layers of a tree have the same."""

    @property
    def root(self) -> "Node":
        """The layer's root directory."""

    def child(self, directory: "Node", name: bytes) -> "Node | None":
        """Find one name in a directory."""

    def listdir(self, directory: "Node") -> list[tuple[bytes, "Node"]]:
        """Give the names of a directory, sorted, with their nodes."""

    def inode(self, nid: int, kind: Kind) -> tuple[int, tuple[int, ...]]:
        """Give where an inode is and what `erofs.INODE` unpacks to; a directory says its `kind`."""

    def xattrs(self, node: "Node") -> list[tuple[str, bytes]]:
        """Give every extended attribute of a node, overlayfs's marks among them, in no order."""

    def symlink_target(self, node: "Node") -> bytes:
        """Give where a symlink points, as written."""


class CountedLayer(Layer, Protocol):
    """A layer that knows how many bytes its files have, each counted once however many its names."""

    content_size: int


class Node:
    """What a layer says of one inode; two nodes of one layer with the same `nid` are one file.

    `mode` holds the 07777 bits. `nlink` counts the names in this layer. Valid while `layer` is
    open. Only `layer`, `nid` and `kind` are there from the start: the inode is read when anything
    else is asked for, extended attributes, targets and content each time that they are. `dress` is
    the directory that this one shows the attributes of, if not its own.
    """

    __slots__ = (
        "_at", "_icount", "_where", "dress", "gid", "kind", "layer", "layout", "mode", "mtime_ns", "nid",
        "nlink", "size", "uid",
    )  # fmt: skip

    layer: Layer
    nid: int
    kind: Kind
    mode: int
    uid: int
    gid: int
    size: int
    mtime_ns: int
    nlink: int
    layout: int
    dress: "Node | None"
    _at: int
    _icount: int
    _where: int

    def __init__(self, layer: Layer, nid: int, kind: Kind) -> None:
        self.layer = layer
        self.nid = nid
        self.kind = kind

    if not TYPE_CHECKING:  # it would make every misspelt attribute one that exists

        def __getattr__(self, name: str) -> object:
            """Read the inode: the attributes it gives are empty slots until then."""
            if name not in _OF_INODE:
                raise AttributeError(name)
            self._at, (
                form, self._icount, mode, _, self.size, self._where, _, self.uid, self.gid,
                seconds, nanoseconds, self.nlink,
            ) = self.layer.inode(self.nid, self.kind)  # fmt: skip
            self.layout = form >> 1 & _LAYOUT_MASK
            self.mode = mode & 0o7777
            self.mtime_ns = seconds * _NANO + nanoseconds
            self.dress = None
            return getattr(self, name)

    def __repr__(self) -> str:
        return f"<Node {self.nid} {self.kind} {self.mode:04o} {self.uid}:{self.gid} {self.size}>"

    @property
    def tail_at(self) -> int:
        """Where in the sealed file inline data or the chunk map starts, and attributes end."""
        return self._at + INODE.size + (12 + self.xattrs_size if self._icount else 0)

    @property
    def xattrs_size(self) -> int:
        """How many bytes the extended attributes take, which end at `tail_at`."""
        return 4 * (self._icount - 1) if self._icount else 0

    @property
    def data_at(self) -> int:
        """Where in the sealed file the content starts."""
        return self.tail_at if self.layout == INLINE else self._where * BLOCK

    @property
    def chunk_bits(self) -> int:
        """Logarithm of the chunk size, of a sparse file."""
        return (self._where & 0x1F) + _SMALLEST_CHUNK

    @property
    def device_number(self) -> int:
        """The device as Linux packs it; 0 for what is no device."""
        return self._where if self.kind in (Kind.CHARACTER, Kind.BLOCK) else 0

    @property
    def device(self) -> tuple[int, int]:
        """Major and minor of a device."""
        packed = self.device_number
        return packed >> 8 & 0xFFF, packed & 0xFF | packed >> 12 & 0xFFF00

    @property
    def is_whiteout(self) -> bool:
        """Whether this takes a lower layer's path away."""
        return self.kind is Kind.CHARACTER and self._where == 0

    @property
    def is_sparse(self) -> bool:
        """Whether the file has holes."""
        return self.layout == CHUNKED

    @property
    def opaque(self) -> bool:
        """Whether this directory hides what lower layers have in theirs."""
        return bool(self._icount) and any(name == _OPAQUE for name, _ in self.layer.xattrs(self))

    @property
    def has_whiteouts(self) -> bool:
        """Whether this directory, which is not opaque, holds whiteouts."""
        return bool(self._icount) and any(name == _ORIGIN for name, _ in self.layer.xattrs(self))

    @property
    def has_xattrs(self) -> bool:
        """Whether there are extended attributes at all, overlayfs's included."""
        return bool(self._icount)

    @property
    def xattrs(self) -> tuple[tuple[str, bytes], ...]:
        """The extended attributes, sorted, without those that are overlayfs's."""
        if self.dress is not None:
            return self.dress.xattrs
        if not self._icount:
            return ()
        own = (_OPAQUE, _ORIGIN)
        return tuple(sorted(item for item in self.layer.xattrs(self) if item[0] not in own))

    @property
    def target(self) -> bytes:
        """Where a symlink points, as written."""
        return self.layer.symlink_target(self)

    def dressed_as(self, other: "Node") -> "Node":
        """Give this directory with the mode, owner, time and extended attributes of `other`."""
        node = Node(self.layer, self.nid, self.kind)
        _ = node.size  # reads the inode now: what follows takes the place of what it says
        node.mode, node.uid, node.gid = other.mode, other.uid, other.gid
        node.mtime_ns = other.mtime_ns
        node.dress = other
        return node

    def entry(self, path: bytes) -> Entry:
        """Give the record of this node under the name `path`."""
        return Entry(
            path=path,
            kind=self.kind,
            mode=self.mode,
            uid=self.uid,
            gid=self.gid,
            size=self.size if self.kind is Kind.FILE else 0,
            mtime_ns=self.mtime_ns,
            link=self.target if self.kind is Kind.SYMLINK else b"",
            device=self.device,
            xattrs=self.xattrs,
        )


_OF_INODE = frozenset(Node.__slots__) - {"layer", "nid", "kind"}
