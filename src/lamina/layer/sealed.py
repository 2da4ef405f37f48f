"""Read a sealed layer by mmap: no mount, no privilege."""

import io
import mmap
import os
from collections.abc import Callable, Iterator
from itertools import repeat
from struct import Struct
from zlib import crc32

from lamina.errors import Corrupt
from lamina.layer import erofs
from lamina.layer.directory import Columns, DirectoryDamaged, columns, names_in, part
from lamina.layer.entry import Kind
from lamina.layer.erofs import AREA, BLOCK, CHUNK_SIZE, HOLE, INODE, xattr_name
from lamina.layer.node import CHUNKED, KINDS, Node
from lamina.spec.digest import Digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO, Self

__all__ = ["Node", "SealedLayer", "SealedLayerCorrupt"]

_PIECE = 1024 * 1024
_WORD = Struct("<I")
_Numbers = tuple[int, ...]
_DIRENT_KINDS = {
    1: Kind.FILE,
    2: Kind.DIRECTORY,
    3: Kind.CHARACTER,
    4: Kind.BLOCK,
    5: Kind.FIFO,
    7: Kind.SYMLINK,
}
_DIRECTORY = 2
_NANO = 10**9
_LENT_LIMIT = 32 * _PIECE  # of content read, before its pages are let go
_NEEDS_PARENTS, _IMPLIED_ROOT = 1, 2
_ALGORITHM = {32: "sha256", 64: "sha512"}
_ZEROS = bytes(_PIECE)
_TARGET_LIMIT = 4095


class SealedLayerCorrupt(Corrupt):
    """A sealed layer on this machine's disk is damaged; its tar may still be good."""

    def __init__(self, path: str, what: str) -> None:
        super().__init__(
            f"sealed layer {path}: {what}",
            hint="`lamina fsck --repair` makes it again; else remove the image and pull or build it again",
        )


class SealedLayer:
    """One sealed layer, open for reading; a context manager.

    Each 64 KiB of the index is checked against its sum when it is first touched. Several threads
    may read at once. `implied_root` says that the tar does not list its root: in a pile, the root's
    attributes are those of the topmost layer that does.
    """

    meta_at: int
    tar_size: int
    entries: int
    content_size: int

    def __init__(self, path: str) -> None:
        self._take(path, os.open(path, os.O_RDONLY | os.O_CLOEXEC))

    def _take(self, path: str, fd: int) -> None:
        """Read `fd`, which is closed here, under the name `path`."""
        self.path = path
        self._lent = 0
        try:
            self._length = os.fstat(fd).st_size
            if self._length < AREA:
                raise SealedLayerCorrupt(path, f"only {self._length} bytes long")
            first = os.pread(fd, BLOCK, erofs.SUPER_AT)  # by the map, megabytes of tar come along
            self._map = mmap.mmap(fd, self._length, access=mmap.ACCESS_READ)
        finally:
            os.close(fd)
        try:
            self._read_header(first)
        except BaseException:
            self._map.close()
            raise

    @classmethod
    def open(cls, path: str) -> "Self":
        """Open the sealed layer at `path`. Raises: SealedLayerCorrupt, OSError."""
        return cls(path)

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file; nodes and files of it are dead afterwards."""
        self._map.close()

    def _read_header(self, first: bytes) -> None:
        fields = erofs.SUPER.unpack_from(first)
        if fields[0] != erofs.MAGIC:
            raise SealedLayerCorrupt(self.path, "no superblock: it was never finished")
        if fields[1] != erofs.crc32c(first[:4] + bytes(4) + first[8:]):
            raise SealedLayerCorrupt(self.path, "the superblock does not match its checksum")
        (
            magic, self.tar_size, self.meta_at, self._meta_end, self.entries,
            self.content_size, sums_sum, flags, digest_size, raw_digest,
        ) = erofs.HEADER.unpack_from(first, erofs.SUPER.size)  # fmt: skip
        if magic != erofs.SEAL_MAGIC:
            raise SealedLayerCorrupt(self.path, "an EROFS image, but not a sealed layer")
        if fields[9] * BLOCK != self._length:
            raise SealedLayerCorrupt(
                self.path, f"{self._length} bytes long instead of {fields[9] * BLOCK}"
            )
        self._tail = erofs.block_up(AREA + self.tar_size)
        count = (self._meta_end - self._tail + CHUNK_SIZE - 1) // CHUNK_SIZE
        self._root_nid: int = fields[5]
        self.inodes: int = fields[6]
        in_order = AREA <= self._tail <= self.meta_at < self._meta_end
        if not in_order or self._meta_end + 4 * count > self._length:
            raise SealedLayerCorrupt(self.path, "its header does not fit its length")
        # What is touched of the index is read from there on, not around it: before it lies the tar.
        start = self._tail & -mmap.PAGESIZE
        self._map.madvise(mmap.MADV_SEQUENTIAL, start, self._length - start)
        sums = self._map[self._meta_end : self._meta_end + 4 * count]
        if digest_size not in _ALGORITHM:
            raise SealedLayerCorrupt(self.path, f"a diff ID of {digest_size} bytes")
        if crc32(sums) != sums_sum:
            raise SealedLayerCorrupt(self.path, "the table of sums does not match its checksum")
        self._sums = Struct(f"<{count}I").unpack(sums)
        self._checked = bytearray(count)
        self._last_inode = self._meta_end - INODE.size  # none begins later
        self.needs_parents = bool(flags & _NEEDS_PARENTS)
        self.implied_root = bool(flags & _IMPLIED_ROOT)
        self.diff_id = Digest(f"{_ALGORITHM[digest_size]}:{raw_digest[:digest_size].hex()}")

    # Bytes of the index, checked.

    def _check(self, start: int, end: int) -> None:
        """Check the pieces behind [start, end) of the file, which must lie after the tar."""
        if not self._tail <= start <= end <= self._meta_end:
            raise SealedLayerCorrupt(self.path, f"a reference to {start}, outside the index")
        for index in range((start - self._tail) // CHUNK_SIZE, -((self._tail - end) // CHUNK_SIZE)):
            if not self._checked[index]:
                first = self._tail + index * CHUNK_SIZE
                with memoryview(self._map) as view:
                    piece = view[first : min(first + CHUNK_SIZE, self._meta_end)]
                    good = crc32(piece) == self._sums[index]
                    piece.release()
                if not good:
                    raise SealedLayerCorrupt(self.path, f"the index is damaged near byte {first}")
                self._checked[index] = 1

    def index_bytes(self, start: int, size: int) -> bytes:
        """Give checked bytes of the index by their place in the file."""
        end = start + size
        first = (start - self._tail) // CHUNK_SIZE
        # One piece that was checked before needs no more: the most common case by far.
        if not (self._tail <= start < end <= self._meta_end and self._checked[first]) or (
            end > self._tail + (first + 1) * CHUNK_SIZE
        ):
            self._check(start, end)
        return self._map[start:end]

    @property
    def index_span(self) -> tuple[int, int]:
        """Where in the file what follows the tar begins, and the file ends."""
        return self._tail, self._length

    def raw(self, start: int, size: int) -> bytes:
        """Give bytes of the file as they are, unchecked."""
        return self._map[start : start + size]

    def check(self) -> None:
        """Check the whole index against its sums; quick enough to do before every mount.

        Raises: SealedLayerCorrupt.
        """
        self._check(self._tail, self._meta_end)

    def header(self) -> tuple[bytes, bytes]:
        """Give the block with superblock and header, and the sums of what follows the tar."""
        start, end = self._meta_end, self._meta_end + 4 * len(self._sums)
        return self._map[erofs.SUPER_AT : erofs.SUPER_AT + BLOCK], self._map[start:end]

    def metadata(self, size: int) -> Iterator[bytes]:
        """Give all that follows the tar, checked, in pieces of `size`. Raises: SealedLayerCorrupt."""
        for start in range(self._tail, self._meta_end, size):
            yield self.index_bytes(start, min(size, self._meta_end - start))

    def verify(self, told: "Callable[[int], None]" = lambda _: None) -> None:
        """Check everything: the index, and the tar against the diff ID. Reads the whole file.

        `told` is called with the bytes that were looked at since the last call. Raises: SealedLayerCorrupt.
        """
        import hashlib

        self.check()
        end = self._meta_end + 4 * len(self._sums)
        first = self._map[: erofs.SUPER_AT] + self._map[erofs.SUPER_AT + BLOCK : AREA]
        padding = self._map[AREA + self.tar_size : self._tail] + self._map[end:]
        if first.strip(b"\0") or padding.strip(b"\0"):
            raise SealedLayerCorrupt(self.path, "something stands where zeros should be")
        total = hashlib.new(self.diff_id.algorithm)
        for piece in self.tar():
            total.update(piece)
            told(len(piece))
        told(len(self._map) - self.tar_size)
        if total.hexdigest() != self.diff_id.hex:
            raise SealedLayerCorrupt(self.path, f"the tar is no longer {self.diff_id}")

    def tar(self) -> Iterator[bytes]:
        """Give the layer's tar, every byte of it, in pieces of 1 MiB."""
        yield from self._mapped(AREA, AREA + self.tar_size)

    # Nodes.

    def node(self, nid: int) -> Node:
        """Read the inode `nid`. Raises: SealedLayerCorrupt."""
        mode = INODE.unpack(self.index_bytes(self.meta_at + nid * 32, INODE.size))[2]
        if mode >> 12 not in KINDS:
            raise SealedLayerCorrupt(self.path, f"inode {nid}: no inode")
        return Node(self, nid, KINDS[mode >> 12])

    def inode(self, nid: int, kind: Kind) -> tuple[int, tuple[int, ...]]:
        """Give where an inode is in the file, and its fields. Raises: SealedLayerCorrupt."""
        at = self.meta_at + nid * 32
        after = at - self._tail
        # Asked for every file of a walk: little is done where its pieces were checked before.
        if not (
            at <= self._last_inode
            and self._checked[after // CHUNK_SIZE]
            and self._checked[(after + INODE.size - 1) // CHUNK_SIZE]
        ):
            self._check(at, at + INODE.size)
        fields = INODE.unpack_from(self._map, at)
        if KINDS.get(fields[2] >> 12) is not kind:
            raise SealedLayerCorrupt(self.path, f"inode {nid} is not the {kind} it was listed as")
        if not fields[0] & 1 or fields[10] >= _NANO:
            raise SealedLayerCorrupt(self.path, f"inode {nid}: no inode")
        return at, fields

    @property
    def root(self) -> Node:
        """The layer's root directory."""
        return self._directory(self.node(self._root_nid))

    def lookup(self, path: bytes) -> Node | None:
        """Find `path` (relative, normal; the root is empty), following no symlink."""
        node = self.root
        for name in path.split(b"/") if path else ():
            child = self.child(node, name) if node.kind is Kind.DIRECTORY else None
            if child is None:
                return None
            node = child
        return node

    def child(self, directory: Node, name: bytes) -> Node | None:
        """Find one name in a directory, by halving its blocks."""
        if name in (b".", b"..", b""):
            return None
        low, high = 0, (directory.size + BLOCK - 1) // BLOCK - 1
        while low < high:
            middle = (low + high + 1) // 2
            if self._block(directory, middle)[0][0] <= name:
                low = middle
            else:
                high = middle - 1
        names, nids, forms = self._block(directory, low)
        if name not in names:
            return None
        position = names.index(name)
        if forms[position] not in _DIRENT_KINDS:
            raise self._damaged(directory, "lists something unknown")
        return Node(self, nids[position], _DIRENT_KINDS[forms[position]])

    def listdir(self, directory: "Node | bytes") -> list[tuple[bytes, Node]]:
        """Give the names of a directory, sorted, with their nodes."""
        if isinstance(directory, bytes):
            found = self.lookup(directory)
            if found is None:
                return []
            directory = found
        if directory.kind is not Kind.DIRECTORY:
            return []
        names, nodes, _ = self._list(directory)
        return list(zip(names, nodes, strict=True))

    def names(self, directory: Node) -> tuple[list[bytes], list[int], list[Kind]]:
        """Give a directory's names, sorted, with inodes and kinds: a third of what nodes of all cost."""
        names, nids, forms = self._columns(directory)
        return names, nids, list(map(_DIRENT_KINDS.__getitem__, forms))

    def part(
        self, directory: Node, offset: int, limit: int
    ) -> tuple[int, list[tuple[bytes, Node]]] | None:
        """Count a directory's names, and give `limit` of them with nodes from the one at `offset`.

        None: there are whiteouts in it, or other devices. Takes milliseconds, however many there are.
        """
        data = self.index_bytes(directory.data_at, directory.size)
        try:
            found = part(data, offset, limit)
        except DirectoryDamaged as error:
            raise self._damaged(directory, str(error)) from error
        if found is None:
            return None
        total, (names, nids, forms) = found
        return total, list(zip(names, self._nodes(directory, nids, forms), strict=True))

    def _columns(self, directory: Node) -> Columns:
        try:
            found = columns(self.index_bytes(directory.data_at, directory.size))
        except DirectoryDamaged as error:
            raise self._damaged(directory, str(error)) from error
        if not _DIRENT_KINDS.keys() >= set(found.forms):
            raise self._damaged(directory, "lists something unknown")
        return found

    def _list(self, directory: Node) -> tuple[list[bytes], list[Node], list[int]]:
        """Give a directory's names, sorted, their nodes, and the kinds as numbers."""
        names, nids, forms = self._columns(directory)
        return names, self._nodes(directory, nids, forms), forms

    def _nodes(self, directory: Node, nids: list[int], forms: list[int]) -> list[Node]:
        try:
            kinds = [_DIRENT_KINDS[form] for form in forms]
        except KeyError as error:
            raise self._damaged(directory, "lists something unknown") from error
        return list(map(Node, repeat(self), nids, kinds))

    def _damaged(self, directory: Node, what: str) -> SealedLayerCorrupt:
        return SealedLayerCorrupt(self.path, f"directory {directory.nid} {what}")

    def walk(self) -> Iterator[tuple[bytes, Node]]:
        """Give every path of the layer with its node, a directory before its children, sorted."""
        yield b"", self.root
        seen: set[int] = set()
        stack: list[tuple[bytes, Iterator[tuple[bytes, Node]]]] = []
        path, directory = b"", self.root
        while True:
            if directory.nid in seen:
                raise SealedLayerCorrupt(self.path, f"directory {path!r} stands in two places")
            seen.add(directory.nid)
            prefix = path + b"/" if path else b""
            names, nodes, forms = self._list(directory)
            rows = zip(map(prefix.__add__, names), nodes, strict=True)
            if _DIRECTORY in forms:
                stack.append((prefix, rows))
            else:  # most have none in them: nothing is to be looked at
                yield from rows
            while stack:
                for path, directory in stack[-1][1]:
                    yield path, directory
                    if directory.kind is Kind.DIRECTORY:
                        break
                else:
                    stack.pop()
                    continue
                break
            else:
                return

    def _directory(self, node: Node) -> Node:
        if node.kind is not Kind.DIRECTORY:
            raise SealedLayerCorrupt(self.path, f"inode {node.nid} is not a directory")
        return node

    def _block(self, directory: Node, block: int) -> tuple[list[bytes], _Numbers, _Numbers]:
        at = directory.data_at + block * BLOCK
        data = self.index_bytes(at, min(BLOCK, directory.size - block * BLOCK))
        try:
            return names_in(data)
        except DirectoryDamaged as error:
            raise self._damaged(directory, str(error)) from error

    def xattrs(self, node: Node) -> list[tuple[str, bytes]]:
        """Give every extended attribute of a node, overlayfs's marks among them."""
        size = node.xattrs_size
        area = self.index_bytes(node.tail_at - size, size)
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

    # Contents.

    def pieces(self, node: Node, offset: int = 0, size: int = -1) -> Iterator[bytes]:
        """Give a file's content, or a part, in pieces of at most 1 MiB; holes are zeros."""
        for _, where, length in self.extents(node, offset, size):
            if where < 0:
                for done in range(0, length, _PIECE):
                    yield _ZEROS[: min(_PIECE, length - done)]
            else:
                yield from self._mapped(where, where + length)

    def _mapped(self, start: int, end: int) -> Iterator[bytes]:
        """Give bytes of the file in pieces, keeping few of its pages in this process's memory."""
        for at in range(start, end, _PIECE):
            stop = min(at + _PIECE, end)
            yield self._map[at:stop]
            self._lent += stop - at
            if self._lent >= _LENT_LIMIT:
                self._map.madvise(mmap.MADV_DONTNEED)  # they stay in the page cache
                self._lent = 0

    def extents(
        self, node: Node, offset: int = 0, size: int = -1
    ) -> Iterator[tuple[int, int, int]]:
        """Give a file's content as (offset in it, place in this file or -1 for a hole, length)."""
        if node.kind is not Kind.FILE:
            raise SealedLayerCorrupt(self.path, f"inode {node.nid} is not a file")
        end = node.size if size < 0 else min(offset + size, node.size)
        if offset >= end:
            return
        if node.layout != CHUNKED:
            where = node.data_at + offset
            self._check_body(where, end - offset)
            yield offset, where, end - offset
            return
        chunk = 1 << node.chunk_bits
        while offset < end:
            index, within = divmod(offset, chunk)
            length = min(chunk - within, end - offset)
            block = _WORD.unpack(self.index_bytes(node.tail_at + 4 * index, 4))[0]
            if block == HOLE:
                yield offset, -1, length
            else:
                self._check_body(block * BLOCK + within, length)
                yield offset, block * BLOCK + within, length
            offset += length

    def read(self, node: Node, offset: int = 0, size: int = -1) -> bytes:
        """Give up to `size` bytes of a file from `offset`; all the rest where negative."""
        return b"".join(self.pieces(node, offset, size))

    def open_file(self, node: Node) -> "BinaryIO":
        """Give a file's content as a seekable, buffered stream."""
        return io.BufferedReader(_FileReader(self, node))

    def _check_body(self, where: int, size: int) -> None:
        if where >= self._tail:
            self._check(where, where + size)
        elif where < AREA or where + size > self._tail:
            raise SealedLayerCorrupt(self.path, f"a file at {where}, outside the tar")

    def digest(self, node: Node) -> bytes | None:  # noqa: ARG002 - content is here to be read
        """Give nothing: it is not noted."""
        return None

    def symlink_target(self, node: Node) -> bytes:
        """Give where a symlink points."""
        if node.kind is not Kind.SYMLINK or not 0 < node.size <= _TARGET_LIMIT:
            raise SealedLayerCorrupt(self.path, f"inode {node.nid} is not a symlink")
        return self.index_bytes(node.data_at, node.size)


class _FileReader(io.RawIOBase):
    """A file of a sealed layer as a raw stream."""

    def __init__(self, layer: SealedLayer, node: Node) -> None:
        self._layer = layer
        self._node = node
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._node.size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def readinto(self, buffer: "bytearray | memoryview", /) -> int:  # type: ignore[override]
        data = self._layer.read(self._node, self._at, len(buffer))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
