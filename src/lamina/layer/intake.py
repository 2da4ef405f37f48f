"""A tar on its way into a layer's tree: what a layer's every entry goes through.

Most headers of most layers are plain: a regular file, directory or link whose name and numbers fit
their fields, maybe with a path or time in a header before. Those are read here, in one loop without
calls; a regular file goes from its header to its packed inode with no entry made. Whatever is not
plain in any way is left to `TarParser`, so nothing is decided here that is not decided there.
"""

from struct import Struct
from zlib import adler32

from lamina.layer import pax
from lamina.layer.entry import NAME_MAX, Entry, Kind, normal_path
from lamina.layer.erofs import AREA, BLOCK
from lamina.layer.parser import TarParser
from lamina.layer.pax import TarInvalid, number
from lamina.layer.tree import FILE_COST, MODE_TYPE, PLAIN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.layer.tree import Child, LayerTree

__all__ = ["Intake"]

_FIELDS = Struct("100s24s12s12s8s356s")  # name, owner, size, time, checksum, shape
_INODE = Struct("<8sQI4x8s32s")  # format and mode, size, block, owner, the rest
_HEAD = Struct("<HHHH")
_OWNER = Struct("<II")
_REST = Struct("<qII16x")
_LAST = 0xFFFFFFF0 * BLOCK  # the first byte that block addresses do not reach
_NEAR = (b"x", b"L", b"K")
_NEAR_LIMIT = 64 * 1024  # bytes of an extended header that is read on the way
_COMMON = frozenset((b"path", b"linkpath", b"mtime", b"atime", b"ctime"))
_OTHERS = {b"5": Kind.DIRECTORY, b"2": Kind.SYMLINK, b"1": Kind.HARDLINK}
# Looking a member up in its class is a slow call; this is done for every entry.
_DIRECTORY, _HARDLINK = Kind.DIRECTORY, Kind.HARDLINK
_CACHE_LIMIT = 65536
_SHAPES_LIMIT = 1024
_FILE_TYPE = MODE_TYPE[Kind.FILE]
_SPACES = 8 * 0x20  # what the checksum counts in its own place
_NANO = 10**9


class Intake:
    """Put the entries of one tar, fed in pieces of any size, into `tree`."""

    def __init__(self, tree: "LayerTree") -> None:
        self._tree = tree
        self._parser = _Shortcut(tree)

    @property
    def size(self) -> int:
        """Bytes taken so far."""
        return self._parser.size

    def take(self, data: "bytes | memoryview") -> None:
        """Take the next bytes. Raises: TarInvalid, EntryInvalid, Unsupported."""
        found = self._parser.feed(data)
        if found:
            self._tree.add(found)

    def finish(self) -> None:
        """Check that the stream ended where an archive may end. Raises: TarInvalid."""
        self._parser.finish()


class _Shortcut(TarParser):
    """A parser that puts what is plain into the tree by itself, and gives the rest."""

    def __init__(self, tree: "LayerTree") -> None:
        super().__init__()
        self._tree = tree
        self._stated: dict[bytes, int] = {}
        self._shapes: dict[bytes, tuple[bytes | None, int]] = {}
        self._shape = b"\0"
        self._prefix: bytes | None = None
        self._shape_sum = 0
        self._packed: dict[bytes, tuple[bytes, bytes]] = {}
        self._rests: dict[bytes, bytes] = {}

    def _headers(self, data: bytes, base: int, found: list[Entry]) -> None:  # noqa: C901, PLR0912, PLR0915 - the loop every entry of every layer goes through: a call more is 5 % of a pull
        """Read plain headers as long as they come; leave the first unusual one to the parser."""
        tree = self._tree
        if found:
            tree.add(found)
            found.clear()
        if self._globals:
            return
        unpack, pack = _FIELDS.unpack_from, _INODE.pack
        stated, numbers, packed, rests = self._stated, self._numbers, self._packed, self._rests
        places, shape, prefix, shape_sum = tree.places, self._shape, self._prefix, self._shape_sum
        total = len(data) - BLOCK
        position = self._next - base
        start = AREA + base + BLOCK  # where in the file the body of a header at 0 would be
        view = memoryview(data)
        pending = bool(self._records or self._long)
        count = size_sum = end = 0
        place: bytes | None = None  # the directory part that `children` belong to
        children: dict[bytes, Child] = {}
        time = owned = front = ids = rest = b""
        while position <= total:
            name, owner, size_field, time_field, check, found_shape = unpack(data, position)
            if found_shape != shape:
                shape = found_shape
                prefix, shape_sum = self._look(shape)
            wanted = stated.get(check)
            if wanted is None:
                wanted = self._state_sum(check)
            if (adler32(view[position : position + 148]) & 0xFFFF) + shape_sum != wanted + 1:
                break
            size = numbers.get(size_field)
            if size is None:
                size = self._number(size_field)
            if prefix is None:
                body = position + BLOCK
                letter = shape[:1]
                if letter in _NEAR and 0 < size <= _NEAR_LIMIT and body + size <= total:
                    self._extend(letter, data[body : body + size])
                    position, pending = body + (size + 511 & -512), True
                    continue
                if not self._take_other(name, owner, time_field, shape, base + position):
                    break
                position, pending, place = body, False, None
                continue
            path = name.split(b"\0", 1)[0]
            if prefix:
                path = prefix + path
            if time_field != time:
                time = time_field
                rest = rests.get(time) or self._rest(time)
            if pending:
                common = self._common()
                if common is None:
                    break
                path = common.get(b"path", path)
                if b"mtime" in common:
                    rest = _pack_rest(pax.pax_time(common[b"mtime"]))
                    time = b""
            head, _, last = path.rpartition(b"/")
            if last < b"/" and (last in (b"", b".", b"..") or last[:4] == b".wh."):
                break
            if len(last) > NAME_MAX:
                break
            if head != place:
                children = (places.get(head) or tree.place(head)).children
                place = head
            if owner != owned:
                front, ids = packed.get(owner) or self._pack_owner(owner)
                owned = owner
            at = start + position
            if not 0 <= size < _LAST - at:
                break
            before = children.get(last)
            if before is not None:
                tree.replace(before)
                place = None
            children[last] = pack(front, size, at >> 9 if size else 0, ids, rest)
            count += 1
            size_sum += size
            position += BLOCK + (size + 511 & -512)
            end = at + size
            if pending:
                pending, self._records, self._long, self._extended = False, [], {}, 0
        self._shape, self._prefix, self._shape_sum = shape, prefix, shape_sum
        if end:
            self._body_end = end - AREA
        self._next = base + position
        tree.entries += count
        tree.content_size += size_sum
        tree.spend(count * FILE_COST)

    def _take_other(
        self, name: bytes, owner: bytes, time_field: bytes, shape: bytes, at: int
    ) -> bool:
        """Take a plain directory or link; tell whether it was one."""
        kind = _OTHERS.get(shape[:1])
        records = self._common() if self._records or self._long else {}
        if kind is None or records is None:
            return False
        path = records.get(b"path") or _prefix(shape) + name.split(b"\0", 1)[0]
        link = b""
        if kind is not _DIRECTORY:
            link = records.get(b"linkpath") or shape[1:101].split(b"\0", 1)[0]
            if not link:
                return False
            if kind is _HARDLINK:
                link = normal_path(link)
        head, _, last = path.removesuffix(b"/").rpartition(b"/")
        if last in (b"", b".", b"..") or len(last) > NAME_MAX:
            return False
        parent = self._heads.get(head)
        if parent is None:
            parent = self._head(head)
        time = self._times.get(time_field)
        if time is None:
            time = self._time(time_field)
        if b"mtime" in records:
            time = pax.pax_time(records[b"mtime"])
        mode, uid, gid = self._owners.get(owner) or self._owner(owner)
        self._tree.add(
            (Entry(parent + last, kind, mode, uid, gid, 0, time, link, offset=at + BLOCK),)
        )
        self._records, self._long, self._extended = [], {}, 0
        return True

    def _look(self, shape: bytes) -> tuple[bytes | None, int]:
        """Give what stands before the name of a regular file, None for what is none, and a sum.

        `shape` is all of a header from its type letter on, which most files of a layer share.
        """
        found = self._shapes.get(shape)
        if found is None:
            prefix = _prefix(shape) if shape[:1] == b"0" else None
            found = prefix, _sum(shape[:178]) + _sum(shape[178:])
            if len(self._shapes) < _SHAPES_LIMIT and shape[:1] not in _OTHERS:
                self._shapes[shape] = found
        return found

    def _state_sum(self, check: bytes) -> int:
        """Give the sum of a header's other bytes that its checksum states; -1 for nonsense."""
        try:
            stated = max(number(check) - _SPACES, -1)
        except TarInvalid:
            return -1
        if len(self._stated) < _CACHE_LIMIT:
            self._stated[check] = stated
        return stated

    def _rest(self, field: bytes) -> bytes:
        rest = _pack_rest(self._time(field))
        if len(self._rests) < _CACHE_LIMIT:
            self._rests[field] = rest
        return rest

    def _pack_owner(self, field: bytes) -> tuple[bytes, bytes]:
        mode, uid, gid = self._owner(field)
        both = _HEAD.pack(PLAIN, 0, _FILE_TYPE | mode, 0), _OWNER.pack(uid, gid)
        if len(self._packed) < _CACHE_LIMIT:
            self._packed[field] = both
        return both


def _sum(data: bytes) -> int:
    """Sum up to 256 bytes: adler32's low half is one more as long as it stays below 65521."""
    return (adler32(data) & 0xFFFF) - 1


def _prefix(shape: bytes) -> bytes:
    if shape[189] and shape[101:109] == b"ustar\x0000":
        return shape[189:344].split(b"\0", 1)[0] + b"/"
    return b""


def _pack_rest(mtime_ns: int) -> bytes:
    """Pack an inode from its time on: one link."""
    seconds, nanoseconds = divmod(mtime_ns, _NANO)
    return _REST.pack(seconds, nanoseconds, 1)
