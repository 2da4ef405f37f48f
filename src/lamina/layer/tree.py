"""The entries of one layer as a tree, while it is being sealed.

A plain file is kept as its packed EROFS inode: 64 bytes that the index only has to copy. So a
million entries fit in a few hundred megabytes, and no entry is touched twice.
"""

from lamina.errors import Unsupported
from lamina.layer.entry import NAME_MAX, Entry, EntryInvalid, Kind, normal_path
from lamina.layer.erofs import AREA, INODE, pack_xattrs
from lamina.layer.whiteout import PREFIX, Whiteout, is_union_xattr, parse_whiteout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = [
    "CHUNKED",
    "FILE_COST",
    "INLINE",
    "INLINE_LIMIT",
    "MEMORY_LIMIT",
    "MODE_TYPE",
    "PLAIN",
    "Child",
    "Deferred",
    "Directory",
    "LayerTree",
    "Shared",
    "clean_xattrs",
    "device_number",
    "is_whiteout",
    "pack_inode",
]

MODE_TYPE = {
    Kind.FILE: 0o100000,
    Kind.DIRECTORY: 0o040000,
    Kind.SYMLINK: 0o120000,
    Kind.CHARACTER: 0o020000,
    Kind.BLOCK: 0o060000,
    Kind.FIFO: 0o010000,
}
# Looking a member up in its class is a slow call; this is done for every entry.
_FILE, _DIRECTORY, _SYMLINK, _HARDLINK = Kind.FILE, Kind.DIRECTORY, Kind.SYMLINK, Kind.HARDLINK
_FIFO = Kind.FIFO
PLAIN, INLINE, CHUNKED = 1, 5, 9  # i_format of extended inodes, by layout
INLINE_LIMIT = 480  # an inline tail this short fits some block wherever the inode ends
_NIBBLE_SYMLINK, _NIBBLE_CHARACTER = 0xA, 0x2
_HOPS = 40
_TARGET_LIMIT = 4095
_MAJOR_LIMIT, _MINOR_LIMIT = 1 << 12, 1 << 20
_META = b".wh..wh."
_PLACES_LIMIT, _SPELLING_LIMIT = 16384, 512
_ACL, _ACL_DEFAULT = "system.posix_acl_", "system.posix_acl_default"
_CAPABILITY, _CAPABILITY_FORMS = "security.capability", ((b"\2", 20), (b"\3", 24))
_ACL_VERSION = b"\2\0\0\0"
_ACL_TAGS = (1, 2, 4, 8, 16, 32)  # owner, a user, group, a group, mask, others
# What is kept in memory, roughly: a plain file, a directory, an inode that has more to it. A layer of
# millions of files fits; a bomb of small change (long attributes, sparse maps, implied directories)
# does not.
FILE_COST, _DIRECTORY_COST, _OTHER_COST, _PIECE_COST = 315, 600, 500, 160
MEMORY_LIMIT = 2 * 1024**3
"""About six million files."""
_REMEMBERED_LIMIT = 32 * 1024 * 1024  # bytes of the paths of known directories
_FOLLOWED_LIMIT = 8 * 1024 * 1024  # bytes of symlinks' targets; each step of one costs time
_DEPTH_LIMIT = 8192  # directories in directories; more come only through symlinks


class Directory:
    """One directory: its attributes, and what stands in it."""

    __slots__ = (
        "children", "gid", "inode_at", "listed", "mode", "mtime_ns", "names", "opaque", "uid",
        "whiteouts", "xattrs",
    )  # fmt: skip

    def __init__(self) -> None:
        self.mode = 0o755
        self.uid = self.gid = self.mtime_ns = self.inode_at = 0
        self.xattrs: tuple[tuple[str, bytes], ...] = ()
        self.listed = self.opaque = False
        self.children: dict[bytes, Child] = {}
        self.whiteouts: set[bytes] | None = None
        self.names: list[bytes] = []


class Deferred:
    """An inode whose data blocks are known only when the tar has ended."""

    __slots__ = ("entry", "inode")

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.inode = b""


class Shared:
    """An inode with several names, or a hard link whose target is still to be found."""

    __slots__ = ("alias", "count", "inode", "nid", "path", "target")

    def __init__(
        self, inode: "bytes | Deferred | None", *, path: bytes = b"", target: bytes = b""
    ) -> None:
        self.inode = inode
        self.path = path
        self.target = target
        self.alias: Shared | None = None
        self.nid = -1
        self.count = 0

    def final(self) -> "Shared":
        """Give the one this stands for."""
        shared = self
        while shared.alias is not None:
            shared = shared.alias
        return shared


Child = bytes | Directory | Shared | Deferred | int


def clean_xattrs(
    xattrs: tuple[tuple[str, bytes], ...], kind: Kind
) -> tuple[tuple[str, bytes], ...]:
    """Leave out what overlayfs would take for its own orders, and what Linux has on no such file.

    It would be listed and could not be read, and then overlayfs cannot copy the file up.
    """
    return tuple(item for item in xattrs if _is_possible(*item, kind))


def _is_possible(name: str, value: bytes, kind: Kind) -> bool:
    if is_union_xattr(name):
        return False
    if name.startswith("user."):
        return kind in (Kind.FILE, Kind.DIRECTORY)
    if name == _CAPABILITY:
        return (value[3:4], len(value)) in _CAPABILITY_FORMS
    if name.startswith(_ACL):
        fits = kind is Kind.DIRECTORY if name == _ACL_DEFAULT else kind is not Kind.SYMLINK
        return fits and _is_acl(value)
    return True


def _is_acl(value: bytes) -> bool:
    """Tell whether this is an access control list as Linux has it: version 2, some rows."""
    rows = [value[at : at + 8] for at in range(4, len(value), 8)]
    return (
        value[:4] == _ACL_VERSION
        and bool(rows)
        and all(len(row) == 8 and row[0] in _ACL_TAGS and row[1] == 0 for row in rows)  # noqa: PLR2004
    )


def pack_inode(  # noqa: PLR0917 - called once per file: keywords cost
    kind: Kind, mode: int, uid: int, gid: int, size: int, mtime_ns: int, where: int, xattrs: bytes,
    layout: int = PLAIN,
) -> bytes:  # fmt: skip
    """Pack an extended inode with one link, and its attributes; `where` is i_u."""
    seconds, nanoseconds = divmod(mtime_ns, 1_000_000_000)
    count = (len(xattrs) - 12) // 4 + 1 if xattrs else 0
    inode = INODE.pack(
        layout, count, MODE_TYPE[kind] | mode, 0, size, where, 0, uid, gid, seconds, nanoseconds, 1
    )
    return inode + xattrs if xattrs else inode


def device_number(device: tuple[int, int], path: bytes) -> int:
    """Pack major and minor as Linux does on disk. Raises: EntryInvalid."""
    major, minor = device
    if not (0 <= major < _MAJOR_LIMIT and 0 <= minor < _MINOR_LIMIT):
        raise EntryInvalid(f"device {major}:{minor} of {path!r} is not possible on Linux")
    return minor & 0xFF | major << 8 | (minor & ~0xFF) << 12


def is_whiteout(child: "Child | None") -> bool:
    """Tell whether this is a device that overlayfs takes for a whiteout."""
    return isinstance(child, bytes) and child[5] >> 4 == _NIBBLE_CHARACTER and not any(child[16:20])


def _is_symlink(child: "Child") -> bool:
    inode = child.final().inode if isinstance(child, Shared) else child
    if isinstance(inode, Deferred):
        return inode.entry.kind is _SYMLINK
    return isinstance(inode, bytes) and inode[5] >> 4 == _NIBBLE_SYMLINK


def _target(child: "Child") -> bytes:
    """Give the target of a symlink as it stands in the tree."""
    inode = child.final().inode if isinstance(child, Shared) else child
    if isinstance(inode, Deferred):
        return inode.entry.link
    if not isinstance(inode, bytes):
        return b""
    return inode[-int.from_bytes(inode[8:16], "little") :]


class LayerTree:
    """Take the entries of one layer in their order; the last of a path wins."""

    def __init__(self, memory_limit: int = MEMORY_LIMIT) -> None:
        self.root = Directory()
        self.entries = 0
        self.content_size = 0
        self.pending: list[Shared] = []
        self.deferred: list[Deferred] = []
        self.places: dict[bytes, Directory] = {}  # by a path's directory part as a tar spells it
        self._directories: dict[bytes, Directory] = {b"": self.root}
        self._remembered = 0
        self._cost = 0
        self._limit = memory_limit
        self._followed = 0
        self._nowhere: dict[bytes, Directory] = {}

    def add(self, entries: "Iterable[Entry]") -> None:
        """Put `entries` in their places.

        A path through a symlink of the same layer follows it inside the root, as extraction does.
        Raises: EntryInvalid, Unsupported (more than 2 TiB, or of memory).
        """
        directories = self._directories
        count = size_sum = 0
        for entry in entries:
            count += 1
            path, kind, mode, uid, gid, size, mtime_ns, _, _, xattrs, offset, segments = entry
            head, _, name = path.rpartition(b"/")
            directory = directories.get(head)
            if directory is None:
                directory = self._reach(head)
            if name[:4] == PREFIX:
                self._white_out(directory, name)
                continue
            children = directory.children
            before = children.get(name)
            if kind is _FILE and not segments and not xattrs:
                size_sum += size
                where = AREA + offset >> 9 if size else 0
                if where + (size >> 9) >= 0xFFFFFFF0:  # noqa: PLR2004 - 32-bit block addresses
                    raise Unsupported("a layer of more than 2 TiB cannot be sealed")
                child: Child = pack_inode(kind, mode, uid, gid, size, mtime_ns, where, b"")
            elif kind is _DIRECTORY:
                self._add_directory(entry, directory, name)
                continue
            elif kind is _HARDLINK:
                child = self._link(entry, before)
            else:
                size_sum += size
                child = self._unusual(entry, directory, name)
            if before is not None:
                self.replace(before)
            children[name] = child
        self.entries += count
        self.content_size += size_sum
        self.spend(count * FILE_COST)

    def spend(self, cost: int) -> None:
        """Count bytes of memory that the index takes, roughly. Raises: Unsupported (the limit)."""
        self._cost += cost
        if self._cost > self._limit:
            raise Unsupported(
                f"a layer whose index needs over {self._limit >> 20} MiB of memory cannot be sealed",
                hint="it has millions of files, or was made to exhaust this machine",
            )

    def place(self, spelling: bytes) -> Directory:
        """Give the directory that `spelling` means, and remember it in `places`.

        Raises: EntryInvalid.
        """
        head = normal_path(spelling)
        directory = self._directories.get(head) or self._reach(head)
        if len(spelling) <= _SPELLING_LIMIT:
            if len(self.places) >= _PLACES_LIMIT:
                self.places.clear()
            self.places[spelling] = directory
        return directory

    def replace(self, before: "Child") -> None:
        """Note that something else takes the place of `before`."""
        if type(before) is Directory or _is_symlink(before):
            self._forget()

    def directories(self) -> "Iterator[Directory]":
        """Give every directory, parents first."""
        stack = [self.root]
        while stack:
            directory = stack.pop()
            yield directory
            stack += [child for child in directory.children.values() if type(child) is Directory]

    def find(self, path: bytes) -> "tuple[Directory, bytes, Child] | None":
        """Give where `path` stands and what is there, or None."""
        head, _, name = path.rpartition(b"/")
        directory = self._directories.get(head) or self._walk(head, create=False)
        child = directory.children.get(name) if directory else None
        if directory is None or child is None:
            return None
        return directory, name, child

    def share(self, path: bytes) -> "Shared | None":
        """Give what stands at `path` as something that can have one name more, or None.

        Raises: EntryInvalid (a directory).
        """
        found = self.find(path)
        if found is None:
            return None
        directory, name, child = found
        if isinstance(child, Shared):
            return child.final()
        if not isinstance(child, bytes | Deferred):
            raise EntryInvalid(f"hard link to {path!r}, which is a directory")
        if is_whiteout(child):
            return None
        shared = directory.children[name] = Shared(child)
        return shared

    def _add_directory(self, entry: Entry, parent: Directory, name: bytes) -> None:
        if not entry.path:
            directory = self.root
        else:
            before = parent.children.get(name)
            if type(before) is Directory:
                directory = before
            else:
                if before is not None:
                    self._forget()
                if len(name) > NAME_MAX:
                    raise EntryInvalid(f"a name of {len(name)} bytes is too long")
                directory = parent.children[name] = Directory()
                self._remember(entry.path, directory)
                self.spend(_DIRECTORY_COST)
        directory.listed = True
        directory.mode, directory.uid, directory.gid = entry.mode, entry.uid, entry.gid
        directory.mtime_ns = entry.mtime_ns
        directory.xattrs = clean_xattrs(entry.xattrs, Kind.DIRECTORY)
        if entry.xattrs:
            self.spend(sum(_PIECE_COST + len(value) for _, value in entry.xattrs))

    def _white_out(self, directory: Directory, name: bytes) -> None:
        what, target = parse_whiteout(name)
        if what is Whiteout.OPAQUE:
            directory.opaque = True
        elif what is Whiteout.PATH:
            self._hide(directory, target)

    def _hide(self, directory: Directory, name: bytes) -> None:
        if directory.whiteouts is None:
            directory.whiteouts = set()
        directory.whiteouts.add(name)
        self.spend(_PIECE_COST)

    def _link(self, entry: Entry, before: "Child | None") -> "Child":
        if entry.link == entry.path and before is not None:
            return before
        if not entry.link:
            raise EntryInvalid(f"hard link {entry.path!r} to the root directory")
        shared = self.share(entry.link)
        if shared is None:
            shared = Shared(None, path=entry.path, target=entry.link)
            self.pending.append(shared)
            self.spend(len(entry.path) + len(entry.link))
        self.spend(_OTHER_COST)
        return shared

    def _unusual(self, entry: Entry, directory: Directory, name: bytes) -> "Child":
        """Pack what is not a plain file without attributes."""
        kind, path = entry.kind, entry.path
        xattrs = pack_xattrs(clean_xattrs(entry.xattrs, kind), path) if entry.xattrs else b""
        self.spend(len(xattrs))
        if kind is _FILE:
            if entry.segments:
                return self._defer(entry)
            where = AREA + entry.offset >> 9 if entry.size else 0
        elif kind is _SYMLINK:
            length = len(entry.link)
            if length > _TARGET_LIMIT:
                raise EntryInvalid(f"symlink {path!r} has a target of {length} bytes: too long")
            if length > INLINE_LIMIT:
                return self._defer(entry)
            inode = pack_inode(
                kind, 0o777, entry.uid, entry.gid, length, entry.mtime_ns, 0, xattrs, INLINE
            )
            return inode + entry.link
        elif kind is _FIFO:
            where = 0
        else:
            where = device_number(entry.device, path)
            if kind is Kind.CHARACTER and not where:  # overlayfs's whiteout: so it is one here too
                self._hide(directory, name)
        return pack_inode(
            kind, entry.mode, entry.uid, entry.gid, entry.size, entry.mtime_ns, where, xattrs
        )

    def _defer(self, entry: Entry) -> Deferred:
        self.spend(_OTHER_COST + len(entry.path) + len(entry.link))
        self.spend(_PIECE_COST * (len(entry.segments) + len(entry.xattrs)))
        deferred = Deferred(entry)
        self.deferred.append(deferred)
        return deferred

    def _remember(self, path: bytes, directory: Directory) -> None:
        self._remembered += len(path)
        if self._remembered > _REMEMBERED_LIMIT:
            self._forget()
        self._directories[path] = directory

    def _forget(self) -> None:
        """Drop remembered places: something they may lead through was replaced."""
        self.places.clear()
        self._directories.clear()
        self._directories[b""] = self.root
        self._remembered = 0

    def _reach(self, head: bytes) -> Directory:
        directory = self._walk(head, create=True)
        if directory is None:
            raise EntryInvalid(f"{head[:100]!r} cannot be a directory")
        self._remember(head, directory)
        return directory

    def _walk(self, head: bytes, *, create: bool) -> Directory | None:
        """Go to the directory `head`, following this layer's symlinks within the root."""
        trail = [self.root]
        todo = head.split(b"/")[::-1]
        hops = 0
        while todo:
            part = todo.pop()
            if part == b"..":
                del trail[max(1, len(trail) - 1) :]
            if part in (b"", b".", b".."):
                continue
            if part[:8] == _META:
                return self._nowhere.setdefault(part, Directory())
            child = trail[-1].children.get(part) or (create and self._imply(trail[-1], part))
            if type(child) is Directory:
                trail.append(child)
                if len(trail) > _DEPTH_LIMIT:
                    raise EntryInvalid(f"over {_DEPTH_LIMIT} directories in each other")
            elif child and _is_symlink(child):
                hops += 1
                target = _target(child)
                self._followed += len(target)
                if hops > _HOPS or self._followed > _FOLLOWED_LIMIT:
                    raise EntryInvalid(f"{head[:100]!r} goes through too many symlinks")
                del trail[1 if target[:1] == b"/" else len(trail) :]
                todo += target.split(b"/")[::-1]
            elif create:
                raise EntryInvalid(
                    f"{head[:100]!r} goes through a file, so nothing can stand below it"
                )
            else:
                return None
        return trail[-1]

    def _imply(self, parent: Directory, name: bytes) -> Directory:
        if name.startswith(PREFIX):
            raise EntryInvalid(f"an entry stands below the whiteout {name!r}")
        if len(name) > NAME_MAX:
            raise EntryInvalid(f"a name of {len(name)} bytes is too long")
        child = parent.children[name] = Directory()
        self.spend(_DIRECTORY_COST)
        return child
