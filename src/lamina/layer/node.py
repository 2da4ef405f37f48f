"""One file of a sealed layer, as its inode says."""

from copy import copy
from typing import TYPE_CHECKING

from lamina.layer.entry import Entry, Kind
from lamina.layer.erofs import BLOCK, INODE, xattr_name

if TYPE_CHECKING:
    from lamina.layer.sealed import SealedLayer

__all__ = ["CHUNKED", "INLINE", "PLAIN", "Node"]

PLAIN, INLINE, CHUNKED = 0, 2, 4
_LAYOUT_MASK = 7
_NANO = 10**9
_SMALLEST_CHUNK = 9  # bits: one block
_KINDS = {
    0o10: Kind.FILE,
    0o4: Kind.DIRECTORY,
    0o12: Kind.SYMLINK,
    0o2: Kind.CHARACTER,
    0o6: Kind.BLOCK,
    0o1: Kind.FIFO,
}
_OPAQUE = "trusted.overlay.opaque"
_ORIGIN = "trusted.overlay.origin"


class Node:
    """What a layer says of one inode. Extended attributes and targets are read when asked for.

    `mode` holds the 07777 bits. `nlink` counts the names in this layer. Valid while `layer` is open.
    `dress` is the directory that this one shows the attributes of, if not its own.
    """

    __slots__ = (
        "_icount", "_where", "dress", "gid", "kind", "layer", "layout", "mode", "mtime_ns", "nid",
        "nlink", "size", "uid",
    )  # fmt: skip

    def __init__(self, layer: "SealedLayer", nid: int, fields: tuple[int, ...]) -> None:
        (
            form, self._icount, mode, _, self.size, self._where, _, self.uid, self.gid,
            seconds, nanoseconds, self.nlink,
        ) = fields  # fmt: skip
        kind = _KINDS.get(mode >> 12)
        self.layout = form >> 1 & _LAYOUT_MASK
        if kind is None or not form & 1 or nanoseconds >= _NANO:
            raise ValueError("no inode")
        self.layer = layer
        self.nid = nid
        self.dress: Node | None = None
        self.kind: Kind = kind
        self.mode = mode & 0o7777
        self.mtime_ns = seconds * _NANO + nanoseconds

    def __repr__(self) -> str:
        return f"<Node {self.nid} {self.kind} {self.mode:04o} {self.uid}:{self.gid} {self.size}>"

    @property
    def tail_at(self) -> int:
        """Where in the sealed file inline data or the chunk map starts."""
        size = 12 + 4 * (self._icount - 1) if self._icount else 0
        return self.layer.meta_at + self.nid * 32 + INODE.size + size

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
        return bool(self._icount) and any(name == _OPAQUE for name, _ in self._xattrs())

    @property
    def has_whiteouts(self) -> bool:
        """Whether this directory, which is not opaque, holds whiteouts."""
        return bool(self._icount) and any(name == _ORIGIN for name, _ in self._xattrs())

    @property
    def xattrs(self) -> tuple[tuple[str, bytes], ...]:
        """The extended attributes, sorted, without those that are overlayfs's."""
        if self.dress is not None:
            return self.dress.xattrs
        if not self._icount:
            return ()
        own = (_OPAQUE, _ORIGIN)
        return tuple(sorted(item for item in self._xattrs() if item[0] not in own))

    @property
    def target(self) -> bytes:
        """Where a symlink points, as written."""
        return self.layer.symlink_target(self)

    def dressed_as(self, other: "Node") -> "Node":
        """Give this directory with the mode, owner, time and extended attributes of `other`."""
        node = copy(self)
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

    def _xattrs(self) -> list[tuple[str, bytes]]:
        start = self.tail_at
        size = 4 * (self._icount - 1)
        area = self.layer.index_bytes(start - size, size)
        found = []
        at = 0
        while at + 4 <= size:
            name_size, index = area[at], area[at + 1]
            value_size = int.from_bytes(area[at + 2 : at + 4], "little")
            name = xattr_name(index, area[at + 4 : at + 4 + name_size])
            at += 4 + name_size
            if name is not None:
                found.append((name, area[at : at + value_size]))
            at += value_size + (-(name_size + value_size) % 4)
        return found
