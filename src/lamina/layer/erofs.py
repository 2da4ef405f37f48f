"""The bytes of a sealed layer: EROFS structures, and our own header beside its superblock.

EROFS: the kernel's fs/erofs/erofs_fs.h and Documentation/filesystems/erofs.rst. Everything is
little-endian. The layout as a whole: docs/decisions/0002-sealed-layer.md.
"""

from functools import cache, lru_cache
from itertools import accumulate
from struct import Struct
from zlib import crc32

from lamina.layer.entry import EntryInvalid

__all__ = [
    "AREA",
    "BLOCK",
    "CHUNK_SIZE",
    "DIRENT",
    "HEADER",
    "HEADER_AT",
    "HOLE",
    "INODE",
    "MAGIC",
    "SEAL_MAGIC",
    "SUPER",
    "SUPER_AT",
    "ChunkSums",
    "block_up",
    "chunk_format",
    "crc32c",
    "directory_blocks",
    "dirents",
    "pack_block",
    "pack_xattrs",
    "superblock",
    "xattr_name",
]

BLOCK = 512
AREA = 4096  # header area in front of the tar
SUPER_AT = 1024
MAGIC = 0xE0F5E1E2
HOLE = 0xFFFFFFFF  # block address of a chunk of zeros

SUPER = Struct("<IIIBBHQQIIII16s16sIHHHBBIQB23x")
INODE = Struct("<HHHHQIIIIqII16x")
DIRENT = Struct("<QHBB")

# Our header follows the superblock in the same 512 bytes, so the crc32c that the kernel checks
# covers it too: magic, tar size, offsets of metadata and sums, entries, content size, crc of sums,
# flags, length of the digest, digest.
HEADER_AT = SUPER_AT + SUPER.size
HEADER = Struct("<8sQQQQQIHH64s")
SEAL_MAGIC = b"LAMINA\0\1"

CHUNK_SIZE = 64 * 1024
"""Bytes of index behind each stored CRC-32: the least that is read and checked at a time."""

_FEATURE_CHECKSUM = 1
_FEATURE_CHUNKED = 4
_CASTAGNOLI = 0x82F63B78
_NAME_LIMIT = 255
_VALUE_LIMIT = 65535
_XATTR_LIMIT = 4 * 65534
_XATTR_INDEX = (
    ("user.", 1),
    ("trusted.", 4),
    ("security.", 6),
)
_XATTR_WHOLE = {"system.posix_acl_access": 2, "system.posix_acl_default": 3}
_ZERO_CHUNK = bytes(CHUNK_SIZE)


def block_up(value: int) -> int:
    """Round up to a whole block."""
    return value + BLOCK - 1 & -BLOCK


@cache
def _crc_table() -> tuple[int, ...]:
    table = []
    for index in range(256):
        value = index
        for _ in range(8):
            value = value >> 1 ^ (_CASTAGNOLI if value & 1 else 0)
        table.append(value)
    return tuple(table)


@lru_cache(maxsize=1024)
def crc32c(data: bytes) -> int:
    """Sum `data` as EROFS wants it: Castagnoli, all ones to start with, not inverted at the end.

    Byte by byte, so for a block only, and remembered: a layer is opened several times by a command.
    """
    table = _crc_table()
    value = 0xFFFFFFFF
    for byte in data:
        value = value >> 8 ^ table[(value ^ byte) & 0xFF]
    return value


class ChunkSums:
    """CRC-32 of each 64 KiB of a stream that is written front to back."""

    def __init__(self) -> None:
        self._sums: list[int] = []
        self._current = 0
        self._filled = 0
        self._zero = crc32(_ZERO_CHUNK)

    def update(self, data: "bytes | bytearray | memoryview") -> None:
        """Take in the next bytes."""
        view = memoryview(data)
        while view:
            piece = view[: CHUNK_SIZE - self._filled]
            self._current = crc32(piece, self._current)
            self._advance(len(piece))
            view = view[len(piece) :]

    def zeros(self, count: int) -> None:
        """Take in `count` zero bytes, at little cost."""
        while count:
            step = min(count, CHUNK_SIZE - self._filled)
            if step == CHUNK_SIZE:
                self._current = self._zero
            else:
                self._current = crc32(_ZERO_CHUNK[:step], self._current)
            self._advance(step)
            count -= step

    def _advance(self, count: int) -> None:
        self._filled += count
        if self._filled == CHUNK_SIZE:
            self._sums.append(self._current)
            self._current = self._filled = 0

    def finish(self) -> bytes:
        """Give all sums, packed."""
        if self._filled:
            self._sums.append(self._current)
        return Struct(f"<{len(self._sums)}I").pack(*self._sums)


def superblock(
    *, root_nid: int, inodes: int, blocks: int, meta_block: int, uuid: bytes, chunked: bool
) -> bytes:
    """Pack the superblock, its checksum still zero."""
    return SUPER.pack(
        MAGIC, 0, _FEATURE_CHECKSUM, BLOCK.bit_length() - 1, 0, root_nid, inodes, 0, 0, blocks,
        meta_block, 0, uuid, b"", _FEATURE_CHUNKED if chunked else 0, 0, 0, 0, 0, 0, 0, 0, 0,
    )  # fmt: skip


def chunk_format(bits: int) -> int:
    """Give i_u of a chunk-based inode whose chunks have 2**bits bytes and a plain block map."""
    return bits - (BLOCK.bit_length() - 1)


def pack_xattrs(xattrs: tuple[tuple[str, bytes], ...], path: bytes) -> bytes:
    """Pack the attribute area that follows an inode; empty for none.

    Names of a class EROFS cannot hold are left out: no Linux file system would take them.
    Raises: EntryInvalid (too long a name or value, or too much altogether).
    """
    parts = []
    for name, value in xattrs:
        index, suffix = _split_xattr(name)
        if not index:
            continue
        raw = suffix.encode("utf-8", "surrogateescape")
        if len(raw) > _NAME_LIMIT or len(value) > _VALUE_LIMIT:
            raise EntryInvalid(f"extended attribute {name[:80]!r} of {path!r} is too long")
        item = bytes([len(raw), index]) + len(value).to_bytes(2, "little") + raw + value
        parts.append(item + bytes(-len(item) % 4))
    if not parts:
        return b""
    body = b"".join(parts)
    if len(body) > _XATTR_LIMIT:
        raise EntryInvalid(f"extended attributes of {path!r} take {len(body)} bytes: too much")
    return bytes(12) + body


def _split_xattr(name: str) -> tuple[int, str]:
    whole = _XATTR_WHOLE.get(name)
    if whole:
        return whole, ""
    for prefix, index in _XATTR_INDEX:
        if name.startswith(prefix) and len(name) > len(prefix):
            return index, name[len(prefix) :]
    return 0, name


def xattr_name(index: int, suffix: bytes) -> str | None:
    """Undo what `pack_xattrs` does to a name; None for an index it never writes."""
    for whole, number in _XATTR_WHOLE.items():
        if number == index:
            return whole
    for prefix, number in _XATTR_INDEX:
        if number == index:
            return prefix + suffix.decode("utf-8", "surrogateescape")
    return None


@cache
def dirents(count: int) -> Struct:
    """Give the form of `count` directory entries, all fields in a row."""
    return Struct("<" + "QHBB" * count)


def directory_blocks(names: list[bytes]) -> tuple[list[int], int]:
    """Cut sorted `names` into blocks: where each block ends, and the bytes of all together."""
    size = 12 * len(names) + sum(map(len, names))
    if size <= BLOCK:
        return [len(names)], size
    ends: list[int] = []
    filled = 0
    for position, name in enumerate(names):
        need = 12 + len(name)
        filled += need
        if filled > BLOCK:
            ends.append(position)
            filled = need
    ends.append(len(names))
    return ends, (len(ends) - 1) * BLOCK + filled


def pack_block(names: list[bytes], nids: list[int], types: list[int]) -> bytes:
    """Pack one directory block."""
    count = len(names)
    fields = [0] * (4 * count)
    fields[::4] = nids
    fields[1::4] = list(accumulate(map(len, names), initial=12 * count))[:count]
    fields[2::4] = types
    return dirents(count).pack(*fields) + b"".join(names)
