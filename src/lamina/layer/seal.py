"""Write a sealed layer: the tar as it comes, then the index, the superblock last."""

import os
from array import array
from zlib import crc32

from lamina.errors import Unsupported
from lamina.layer.entry import EntryInvalid, Kind
from lamina.layer.erofs import (
    AREA,
    BLOCK,
    HEADER,
    HOLE,
    SEAL_MAGIC,
    SUPER_AT,
    ChunkSums,
    block_up,
    chunk_format,
    crc32c,
    pack_xattrs,
    superblock,
)
from lamina.layer.index import PackedIndex
from lamina.layer.intake import Intake
from lamina.layer.sparse import data_runs, pieces_of, plan_chunks
from lamina.layer.tree import (
    CHUNKED,
    MEMORY_LIMIT,
    PLAIN,
    LayerTree,
    Shared,
    clean_xattrs,
    pack_inode,
)
from lamina.spec.digest import Digest
from lamina.stream.files import write_out
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Self

    from lamina.layer.entry import Entry
    from lamina.layer.node import Node
    from lamina.layer.sealed import SealedLayer
    from lamina.layer.tree import Deferred

__all__ = ["SealResult", "Sealer", "no_parents"]

_PIECE = 1024 * 1024
_BLOCK_LIMIT = 0xFFFFFFF0
_NEEDS_PARENTS, _IMPLIED_ROOT = 1, 2


def no_parents() -> "Sequence[SealedLayer]":
    """Say that nothing lies below."""
    return ()


@dataclass(frozen=True, slots=True)
class SealResult:
    """What was sealed: entries in the tar, its bytes, bytes of all its files.

    `needs_parents` says that the index took something from the layers below (a hard link's
    target, or the attributes of a directory below the root that the tar does not list), so that the
    same tar on other layers may need another index. Where it is content, too, `copied_from` are the
    paths of the layers that it was copied from, and `copied` its bytes.
    """

    entries: int
    size: int
    needs_parents: bool
    content_size: int
    copied_from: tuple[str, ...] = ()
    copied: int = 0


class Sealer:
    """Write one sealed layer to a new file at `path`, which the caller names, moves and removes.

    `write` takes the uncompressed tar in pieces of any size; whoever calls it does the hashing.
    Leaving the context without `finish` closes the file: it has no superblock, so nothing mounts
    or opens it. Memory grows with the entries, not with the bytes, up to about `memory_limit`.
    With `early` the disk begins with what is there before the end: for callers who sync.
    """

    def __init__(self, path: str, *, memory_limit: int = MEMORY_LIMIT, early: bool = True) -> None:
        self.path = path
        self._early = early
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._size = 0  # bytes of tar
        self._chunked = False
        self._copied_from: set[str] = set()
        self._copied = 0
        self._tree = LayerTree(memory_limit)
        self._intake = Intake(self._tree)
        self._tail = _Tail(self._fd)

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, data: "bytes | memoryview") -> None:
        """Take the next bytes of the tar: parse them and write them.

        Raises: TarInvalid, EntryInvalid (not a layer), OSError (disk).
        """
        self._intake.take(data)
        self.append(data)

    def add(self, entries: "Sequence[Entry]") -> None:
        """Take the next entries of a tar of our own writing, whose bytes come through `append`.

        They must be what a parser would give: then the same index comes of it, at half the cost.
        Raises: EntryInvalid.
        """
        self._tree.add(entries)

    def append(self, data: "bytes | memoryview") -> None:
        """Take the next bytes of a tar whose entries come through `add`; not to be mixed with `write`.

        Another thread than the one that calls `add` may do it. Raises: OSError (disk).
        """
        if not isinstance(data, bytes):
            data = bytes(data)
        view = memoryview(data)
        at = AREA + self._size
        for start, end in data_runs(data):
            _write_at(self._fd, view[start:end], at + start)
        self._size += len(data)
        if self._early:
            write_out(self._fd, at, at + len(data))

    def leave_out(self, size: int) -> None:
        """Count the next bytes of such a tar as they were there: for layers whose contents are elsewhere."""
        self._size += size

    def finish(
        self,
        diff_id: "Digest",
        parents: "Callable[[], Sequence[SealedLayer]]" = no_parents,
        *,
        most: int = 1 << 62,
    ) -> SealResult:
        """Write the index and, last, the superblock; close the file.

        `parents` gives the layers below, lowest first; it is called only if the tar leaves
        something for them to say, and of their files `most` bytes are copied. Nothing is synced to the disk.
        Raises: TarInvalid (cut short), EntryInvalid (a hard link to nothing), OSError.
        """
        if self._intake.size:
            self._intake.finish()
        size = self._size
        os.ftruncate(self._fd, AREA + size)  # it may end with zeros that were not written
        needs_parents = self._ask_parents(parents, most)
        self._tail.start(block_up(AREA + size))
        for deferred in self._tree.deferred:
            self._settle(deferred)
        self._finish_index(diff_id, size, needs_parents=needs_parents)
        self.close()
        tree = self._tree
        return SealResult(
            tree.entries, size, needs_parents, tree.content_size, tuple(sorted(self._copied_from)),
            self._copied,
        )  # fmt: skip

    def unlisted(self) -> "list[bytes] | None":
        """Give the directories of which lower layers are to tell the attributes, sorted; not the root.

        Of them alone follows what lower layers add to the index: None where it is more than that (hard
        links wait for a target), or where they are very many. To be called by `parents` of `finish`.
        """
        from lamina.layer.below import unlisted

        if any(one.alias is None and one.inode is None for one in self._tree.pending):
            return None
        return unlisted(self._tree.root)

    def close(self) -> None:
        """Close the file as it is; a second call does nothing."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def abort(self) -> None:
        """Close the file and remove it."""
        self.close()
        try:
            os.unlink(self.path)
        except FileNotFoundError:
            return

    def _ask_parents(self, parents: "Callable[[], Sequence[SealedLayer]]", most: int) -> bool:
        """Fill in what the tar leaves open; tell whether there was any such thing."""
        # Not the root: most builders do not list it, and its layer must still serve every pile. The
        # header says so, and whoever stacks layers gives the root what a lower one lists.
        root = self._tree.root
        implied = any(not item.listed and item is not root for item in self._tree.directories())
        pending = self._tree.pending
        if not (implied or pending):
            return False
        from lamina.layer.below import adopt, bind
        from lamina.layer.view import Tree

        below = Tree.of(parents())
        if implied:
            adopt(self._tree.root, below)
        self._tail.start(block_up(AREA + self._size))
        copied: dict[tuple[str, int], Shared] = {}
        for shared, node in bind(self._tree, below):
            known = copied.setdefault((node.layer.path, node.nid), shared)
            if known is shared:
                self._copied_from.add(node.layer.path)
                self._copied += node.size
                if self._copied > most:
                    raise EntryInvalid(f"hard links into lower layers bring more than {most} bytes")
                shared.inode = self._copy(shared, node)
            else:
                shared.alias = known
        return True

    def _copy(self, shared: Shared, node: "Node") -> bytes:
        """Copy a lower layer's file, as the target of a hard link, into this layer."""
        where, chunks, layout = node.device_number, b"", PLAIN
        if node.kind is Kind.FILE and node.is_sparse:
            where, chunks, layout = chunk_format(node.chunk_bits), self._copy_chunks(node), CHUNKED
        elif node.kind is Kind.FILE:
            where = self._tail.place() if node.size else 0
            for piece in node.layer.pieces(node):
                self._tail.write_data(piece)
            self._tail.align()
        elif node.kind is Kind.SYMLINK:
            where = self._tail.place()
            self._tail.write(node.target)
            self._tail.align()
        xattrs = pack_xattrs(clean_xattrs(node.xattrs, node.kind), shared.path)
        inode = pack_inode(
            node.kind, node.mode, node.uid, node.gid, node.size, node.mtime_ns, where, xattrs,
            layout,
        )  # fmt: skip
        return inode + chunks

    def _copy_chunks(self, node: "Node") -> bytes:
        """Copy a sparse file's data; give the map of it, in which the holes are holes still."""
        blocks = array("I")
        for offset, where, length in node.layer.extents(node):
            if where < 0:
                blocks.append(HOLE)
                continue
            blocks.append(self._tail.place())
            for piece in node.layer.pieces(node, offset, length):
                self._tail.write_data(piece)
            self._tail.align()
        self._tree.spend(4 * len(blocks))
        self._chunked = True
        return blocks.tobytes()

    def _settle(self, deferred: "Deferred") -> None:
        """Write the blocks of a long symlink or a sparse file, and pack its inode."""
        entry = deferred.entry
        xattrs = pack_xattrs(clean_xattrs(entry.xattrs, entry.kind), entry.path)
        if entry.kind is Kind.SYMLINK:
            where = self._tail.place()
            self._tail.write(entry.link)
            self._tail.align()
            deferred.inode = pack_inode(
                entry.kind, 0o777, entry.uid, entry.gid, len(entry.link), entry.mtime_ns, where,
                xattrs,
            )  # fmt: skip
            return
        self._chunked = True
        plan = plan_chunks(entry.size, entry.segments)
        self._tree.spend(4 * len(plan.blocks))
        start = 0
        for index in plan.copies:
            found, start = pieces_of(index, plan, entry.size, entry.segments, start)
            plan.blocks[index] = self._tail.place()
            filled = 0
            for within, offset, length in found:
                self._tail.skip(within - filled)
                self._copy_tar(offset, length)
                filled = within + length
            whole = min(1 << plan.bits, entry.size - (index << plan.bits))
            self._tail.skip(block_up(whole) - filled)
        inode = pack_inode(
            Kind.FILE, entry.mode, entry.uid, entry.gid, entry.size, entry.mtime_ns,
            chunk_format(plan.bits), xattrs, CHUNKED,
        )  # fmt: skip
        deferred.inode = inode + plan.blocks.tobytes()

    def _copy_tar(self, offset: int, length: int) -> None:
        while length:
            piece = os.pread(self._fd, min(length, _PIECE), AREA + offset)
            if not piece:
                raise OSError(f"{self.path} lost its end while it was written")
            self._tail.write(piece)
            offset += len(piece)
            length -= len(piece)

    def _finish_index(self, diff_id: "Digest", size: int, *, needs_parents: bool) -> None:
        tail = self._tail
        meta_block = tail.place()
        index = PackedIndex()
        for piece in _joined(index.pack(self._tree.root, meta_block)):
            tail.write(piece)
        meta_end = tail.at
        sums = tail.finish()
        end = meta_end + len(sums) + 4095 & -4096
        if end // BLOCK > _BLOCK_LIMIT:
            raise Unsupported("a layer of more than 2 TiB cannot be sealed")
        os.ftruncate(self._fd, end)
        _write_at(self._fd, sums, meta_end)
        name = diff_id.encode()
        header = HEADER.pack(
            SEAL_MAGIC, size, meta_block * BLOCK, meta_end, self._tree.entries,
            self._tree.content_size, crc32(sums),
            _NEEDS_PARENTS * needs_parents | _IMPLIED_ROOT * (not self._tree.root.listed),
            len(diff_id.hex) // 2, bytes.fromhex(diff_id.hex),
        )  # fmt: skip
        block = superblock(
            root_nid=index.root_nid, inodes=index.inodes, blocks=end // BLOCK, meta_block=meta_block,
            uuid=bytes.fromhex(Digest.of(b"lamina sealed layer 1\n" + name + b"\n" + sums).hex[:32]),
            chunked=self._chunked,
        )  # fmt: skip
        first = (block + header).ljust(BLOCK, b"\0")
        checked = first[:4] + crc32c(first).to_bytes(4, "little") + first[8:]
        _write_at(self._fd, checked, SUPER_AT)


class _Tail:
    """What follows the tar: written in order, and summed."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._sums = ChunkSums()
        self.at = -1

    def start(self, offset: int) -> None:
        """Begin at `offset`, if not begun already."""
        if self.at < 0:
            self.at = offset

    def place(self) -> int:
        """Give the block that the next bytes go to."""
        if self.at // BLOCK > _BLOCK_LIMIT:
            raise Unsupported("a layer of more than 2 TiB cannot be sealed")
        return self.at // BLOCK

    def write(self, data: "bytes | bytearray") -> None:
        """Write the next bytes."""
        _write_at(self._fd, data, self.at)
        self._sums.update(data)
        self.at += len(data)

    def write_data(self, data: bytes) -> None:
        """Write the next bytes, long runs of zeros as holes."""
        done = 0
        for first, end in data_runs(data):
            self.skip(first - done)
            self.write(data[first:end])
            done = end
        self.skip(len(data) - done)

    def skip(self, count: int) -> None:
        """Leave a hole of zeros."""
        self._sums.zeros(count)
        self.at += count

    def align(self) -> None:
        """Fill up the block with zeros."""
        self.skip(-self.at % BLOCK)

    def finish(self) -> bytes:
        """Give the sums of everything written."""
        return self._sums.finish()


def _joined(pieces: "list[bytes | bytearray]") -> "list[bytes | bytearray]":
    """Join directory blocks into larger writes."""
    rest = pieces[1:]
    step = _PIECE // BLOCK
    return [pieces[0], *(b"".join(rest[at : at + step]) for at in range(0, len(rest), step))]


def _write_at(fd: int, data: "bytes | bytearray | memoryview", offset: int) -> None:
    view = memoryview(data)
    while view:
        done = os.pwrite(fd, view, offset)
        view = view[done:]
        offset += done
