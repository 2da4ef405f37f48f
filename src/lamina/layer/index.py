"""Pack a layer's tree into EROFS metadata: inodes, then directory blocks."""

from lamina.layer.entry import Kind
from lamina.layer.erofs import BLOCK, INODE, directory_blocks, pack_block, pack_xattrs
from lamina.layer.tree import (
    INLINE,
    INLINE_LIMIT,
    Deferred,
    Directory,
    Shared,
    is_whiteout,
    pack_inode,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.layer.tree import Child

__all__ = ["PackedIndex"]

_DIRECTORY = 2
_FILE_TYPES = {0x8: 1, 0x4: _DIRECTORY, 0x2: 3, 0x6: 4, 0x1: 5, 0xC: 6, 0xA: 7}
_TYPES = tuple(_FILE_TYPES.get(mode >> 4, 0) for mode in range(256))  # by the mode's high byte
_INODE_SIZE = INODE.size
_NLINK_AT = 44
_WHERE_AT = 16
_NID = 32
_OPAQUE = (("trusted.overlay.opaque", b"y"),)
# overlayfs looks for whiteouts in a directory that only one layer has if this mark is there, empty
# or not (ovl_get_inode, "non-merge dir that may have whiteouts"). Without it, a whiteout of
# something that no lower layer has would be listed as a name that cannot be opened.
_WHITEOUTS = (("trusted.overlay.origin", b""),)
_NLINK_LIMIT = (1 << 32) - 1


class PackedIndex:
    """The metadata area of one layer, how many inodes it has, and the nid of its root."""

    __slots__ = ("_blocks", "_meta", "_shared", "_whiteout", "inodes", "root_nid")

    def __init__(self) -> None:
        self._meta = bytearray()
        self._blocks: list[bytes] = []
        self._shared: list[tuple[int, Shared]] = []
        self._whiteout: Shared | None = None
        self.inodes = 0
        self.root_nid = 0

    def pack(self, root: Directory, meta_block: int) -> list[bytes | bytearray]:
        """Give the area's pieces; `root` is spent afterwards."""
        large: list[tuple[int, int]] = []
        self._place_directory(root)  # first, because its nid has 16 bits only
        self.root_nid = root.inode_at // _NID  # not always 0: its names must not cross a block
        stack: list[tuple[Directory, int]] = [(root, self.root_nid)]
        while stack:
            directory, parent_nid = stack.pop()
            nid = directory.inode_at // _NID
            directory.children[b"."] = nid
            directory.children[b".."] = parent_nid
            self._fill(directory, stack, nid, large)
            directory.children = {}
            directory.names = []
        meta = self._meta
        for at, shared in self._shared:
            meta[at + _NLINK_AT : at + _NLINK_AT + 4] = shared.count.to_bytes(4, "little")
        meta += bytes(-len(meta) % BLOCK)
        first = meta_block + len(meta) // BLOCK
        for at, relative in large:
            meta[at + _WHERE_AT : at + _WHERE_AT + 4] = (first + relative).to_bytes(4, "little")
        return [meta, *self._blocks]

    def _fill(
        self,
        directory: Directory,
        stack: "list[tuple[Directory, int]]",
        nid: int,
        large: list[tuple[int, int]],
    ) -> None:
        """Place the children of `directory`, then write its names."""
        nids: list[int] = []
        types: list[int] = []
        children, names, meta = directory.children, directory.names, self._meta
        below: list[tuple[Directory, int]] = []
        plain: list[bytes] = []  # inodes that follow each other, written together
        next_nid = 0
        for name in names:
            child = children[name]
            if type(child) is bytes and len(child) == _INODE_SIZE:
                if not plain:
                    meta += bytes(-len(meta) % _NID)
                    next_nid = len(meta) // _NID
                plain.append(child)
                nids.append(next_nid)
                types.append(_TYPES[child[5]])
                next_nid += _INODE_SIZE // _NID
                continue
            if plain:
                self._place_all(plain)
                plain = []
            if type(child) is bytes:
                nids.append(self._place(child) // _NID)
                types.append(_TYPES[child[5]])
            elif type(child) is Directory:
                self._place_directory(child)
                below.append((child, nid))
                nids.append(child.inode_at // _NID)
                types.append(_DIRECTORY)
            elif type(child) is int:
                nids.append(child)
                types.append(_DIRECTORY)
            else:
                number, kind = self._place_other(child)
                nids.append(number)
                types.append(kind)
        if plain:
            self._place_all(plain)
        stack += reversed(below)
        self._write_names(directory, nids, types, large)

    def _write_names(
        self,
        directory: Directory,
        nids: list[int],
        types: list[int],
        large: list[tuple[int, int]],
    ) -> None:
        names, meta, at = directory.names, self._meta, directory.inode_at
        ends, _ = directory_blocks(names)
        if meta[at] == INLINE:
            data = pack_block(names, nids, types)
            count = int.from_bytes(meta[at + 2 : at + 4], "little")
            start = at + INODE.size + (12 + 4 * (count - 1) if count else 0)
            meta[start : start + len(data)] = data
            return
        large.append((at, len(self._blocks)))
        start = 0
        for end in ends:
            data = pack_block(names[start:end], nids[start:end], types[start:end])
            self._blocks.append(data.ljust(BLOCK, b"\0"))
            start = end

    def _place_all(self, inodes: list[bytes]) -> None:
        self._meta += b"".join(inodes)
        self.inodes += len(inodes)

    def _place(self, inode: bytes) -> int:
        """Append an inode with what follows it; its inline tail must not cross a block."""
        meta = self._meta
        at = len(meta) + 31 & -32
        if inode[0] == INLINE:
            tail = int.from_bytes(inode[8:16], "little")
            fixed = len(inode) - tail
            start = at + fixed
            if (start & BLOCK - 1) + tail > BLOCK:
                boundary = start + BLOCK - 1 & -BLOCK
                at = boundary - fixed + 31 & -32
        meta += bytes(at - len(meta))
        meta += inode
        self.inodes += 1
        return at

    def _place_other(self, child: "Child") -> tuple[int, int]:
        if isinstance(child, Deferred):
            return self._place(child.inode) // _NID, _TYPES[child.inode[5]]
        if not isinstance(child, Shared):
            raise TypeError(child)
        shared = child.final()
        inode = shared.inode
        raw = inode.inode if isinstance(inode, Deferred) else inode or b""
        if shared.nid < 0:
            at = self._place(raw)
            shared.nid = at // _NID
            self._shared.append((at, shared))
        shared.count = min(shared.count + 1, _NLINK_LIMIT)
        return shared.nid, _TYPES[raw[5]]

    def _place_directory(self, directory: Directory) -> None:
        """Lay out the names of `directory` and place its inode; the names are written later."""
        children = directory.children
        marks: tuple[tuple[str, bytes], ...] = ()
        if directory.whiteouts and self._white_out(directory):
            marks = _WHITEOUTS
        if directory.opaque:
            marks = _OPAQUE
        directory.names = names = sorted([*children, b".", b".."])
        ends, size = directory_blocks(names)
        links = 2 + sum(1 for child in children.values() if type(child) is Directory)
        attributes = tuple(sorted(directory.xattrs + marks)) if marks else directory.xattrs
        xattrs = pack_xattrs(attributes, b"") if attributes else b""
        inline = len(ends) == 1 and size <= INLINE_LIMIT
        inode = bytearray(
            pack_inode(
                Kind.DIRECTORY, directory.mode, directory.uid, directory.gid, size,
                directory.mtime_ns, 0, xattrs, INLINE if inline else 1,
            )
        )  # fmt: skip
        inode[_NLINK_AT : _NLINK_AT + 4] = links.to_bytes(4, "little")
        directory.inode_at = self._place(bytes(inode) + bytes(size) if inline else bytes(inode))

    def _white_out(self, directory: Directory) -> bool:
        """Turn whiteouts into devices; tell whether there are any.

        One that names a directory of this layer makes it opaque instead. In an opaque directory
        there is nothing to take away.
        """
        children = directory.children
        marked = False
        for name in directory.whiteouts or ():
            child = children.get(name)
            if is_whiteout(child):
                child = None
                del children[name]
            if type(child) is Directory:
                child.opaque = True
            elif child is None and not directory.opaque:
                if self._whiteout is None:
                    self._whiteout = Shared(pack_inode(Kind.CHARACTER, 0, 0, 0, 0, 0, 0, b""))
                children[name] = self._whiteout
                marked = True
        return marked
