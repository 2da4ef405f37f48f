"""Read a directory that overlayfs writes into, or a plain one, as entries.

Format of an upper directory: the kernel's Documentation/filesystems/overlayfs.rst. A whiteout is a
0/0 character device; the rest are marks, extended attributes: `opaque` is `y` on a directory that
hides what lies below, `redirect` says where something was moved from, `metacopy` that a file's
content is still in the layers. What the last two lead to is for `lamina.layer.union`.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator

from lamina.layer.descent import Descent
from lamina.layer.entry import Entry, Kind
from lamina.layer.recorded import RECORD, Record
from lamina.layer.whiteout import is_union_xattr
from lamina.stream.verify import CHUNK
from lamina.values import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container
    from typing import Self

    from lamina.layer.stack import MarkSpace

__all__ = [
    "IS_DIRECTORY",
    "IS_FILE",
    "IS_OTHER",
    "Marks",
    "Owners",
    "Upper",
    "Xattrs",
    "carried_xattrs",
    "is_plain",
    "is_whiteout",
    "rows_at",
]

Xattrs = tuple[tuple[str, bytes], ...]
Owners = Callable[[int, int], tuple[int, int]]
"""From owner and group on this disk to those that the container sees."""

_KINDS = {
    stat.S_IFREG: Kind.FILE,
    stat.S_IFDIR: Kind.DIRECTORY,
    stat.S_IFLNK: Kind.SYMLINK,
    stat.S_IFCHR: Kind.CHARACTER,
    stat.S_IFBLK: Kind.BLOCK,
    stat.S_IFIFO: Kind.FIFO,
}
_ZEROS = bytes(1024 * 1024)
_CAPABILITY = "security.capability"
_ORIGINS = ("trusted.overlay.origin", "user.overlay.origin")
_DEVICES = (Kind.CHARACTER, Kind.BLOCK)
IS_FILE, IS_DIRECTORY, IS_OTHER = range(3)
"""What `rows_at` says of a name."""


def carried_xattrs(xattrs: Xattrs) -> Xattrs:
    """Leave out what belongs to this machine and not to the tree.

    overlayfs's own marks, and labels of the machine's security policy: of `security.` only file
    capabilities mean the same elsewhere.
    """
    return tuple(
        item
        for item in xattrs
        if item[0] == _CAPABILITY
        or not (item[0].startswith("security.") or is_union_xattr(item[0]))
    )


class Marks(NamedTuple):
    """What overlayfs noted on one path of an upper directory."""

    opaque: bool = False
    metacopy: bool = False
    redirect: bytes | None = None


_NO_MARKS = Marks()


def rows_at(fd: int) -> "Iterator[tuple[bytes, int]]":
    """Give each name in an open directory and what it is, in no order, with no call per name."""
    with os.scandir(fd) as entries:
        for entry in entries:
            kind = (
                IS_FILE
                if entry.is_file(follow_symlinks=False)
                else IS_DIRECTORY
                if entry.is_dir(follow_symlinks=False)
                else IS_OTHER
            )
            yield entry.name.encode("utf-8", "surrogateescape"), kind


class Upper:
    """One directory tree, read without ever following a symlink. A context manager.

    `marks` is the namespace of extended attributes that the kernel keeps its marks in, empty where
    no overlayfs wrote. In the other one programs in the container may write what they like.
    """

    def __init__(
        self, path: str, *, owners: Owners | None = None, marks: "MarkSpace" = "trusted"
    ) -> None:
        self._walking = Descent(path)
        self._reading = Descent(path)
        self._owners = owners
        self._us = (os.geteuid(), os.getegid())
        self._prefix = f"{marks}.overlay." if marks else ""
        self._known: tuple[bytes, Xattrs] | None = None

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *_: object) -> None:
        self._walking.close()
        self._reading.close()

    def names(self, path: bytes) -> list[bytes]:
        """Give the names in a directory, sorted; none if it went away meanwhile."""
        try:
            return sorted(map(os.fsencode, os.listdir(self._walking.open(path))))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def fresh(
        self, top: bytes, exclude: "Container[bytes]"
    ) -> Iterator[tuple[int, bytes, bytes, bool]]:
        """Give what is below the directory `top`, each directory before what is in it, sorted.

        As (descriptor of its directory, path, name in it, whether it is a file); the descriptor is
        good until the next step. Of a directory that was moved here, itself alone. One `getdents` per directory and nothing per file: the caller
        opens what it wants. No recursion: a hostile container nests deeper than Python goes.
        """
        stack = [(top + b"/" if top else b"", iter(self._rows(top)))]
        while stack:
            prefix, rows = stack[-1]
            try:
                fd = self._walking.open(prefix[:-1])
            except (FileNotFoundError, NotADirectoryError):  # went away meanwhile
                stack.pop()
                continue
            for name, kind in rows:
                path = prefix + name
                if path in exclude:
                    continue
                yield fd, path, name, kind == IS_FILE
                if kind == IS_DIRECTORY and self.marks(path).redirect is None:
                    stack.append((path + b"/", iter(self._rows(path))))
                    break
            else:
                stack.pop()

    def _rows(self, path: bytes) -> list[tuple[bytes, int]]:
        """Give the names in a directory with what the directory itself says of each, sorted."""
        try:
            fd = self._walking.open(path)
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(rows_at(fd))

    def status(self, path: bytes) -> os.stat_result | None:
        """Give what lstat says of `path`, or None if it went away meanwhile."""
        if not path:
            return os.fstat(self._walking.open(b""))
        fd, name = self._walking.split(path)
        try:
            return os.lstat(name, dir_fd=fd)
        except FileNotFoundError:
            return None

    def split(self, path: bytes) -> tuple[int, bytes]:
        """Give a descriptor of the directory that holds `path`, good until the next call, and its name."""
        return self._walking.split(path)

    def xattrs(self, path: bytes) -> Xattrs:
        """Give the extended attributes that go with the tree, sorted."""
        return carried_xattrs(self._xattrs(path))

    def marks(self, path: bytes) -> Marks:
        """Give what overlayfs noted on `path`."""
        return self._marks_among(self._xattrs(path))

    def read_marks(self, directory: int, name: bytes) -> Marks:
        """Give what overlayfs noted on `name` of an open directory."""
        return self._marks_among(_read_xattrs(directory, name))

    def _marks_among(self, xattrs: Xattrs) -> Marks:
        prefix = self._prefix
        found = {
            name.removeprefix(prefix): value
            for name, value in xattrs
            if prefix and name.startswith(prefix)
        }
        if not found:
            return _NO_MARKS
        return Marks(found.get("opaque") == b"y", "metacopy" in found, found.get("redirect"))

    def entry(self, path: bytes, status: os.stat_result) -> Entry | None:
        """Give the record of `path`; None for a socket, which no layer holds."""
        kind = _KINDS.get(stat.S_IFMT(status.st_mode))
        if kind is None:
            return None
        xattrs = self._xattrs(path)
        uid, gid = status.st_uid, status.st_gid
        device = _device(status.st_rdev) if kind in _DEVICES else (0, 0)
        record = self._record(status, xattrs)
        if record is not None:
            uid, gid = record.uid, record.gid
            if record.kind is not Kind.FILE and kind is Kind.FILE and not status.st_size:
                kind, device = record.kind, record.device
        elif self._owners is not None:
            uid, gid = self._owners(uid, gid)
        return Entry(
            path=path,
            kind=kind,
            mode=0o777 if kind is Kind.SYMLINK else stat.S_IMODE(status.st_mode),
            uid=uid,
            gid=gid,
            size=status.st_size if kind is Kind.FILE else 0,
            mtime_ns=status.st_mtime_ns,
            link=self.target(path) if kind is Kind.SYMLINK else b"",
            device=device,
            xattrs=carried_xattrs(xattrs),
        )

    def _record(self, status: os.stat_result, xattrs: Xattrs) -> Record | None:
        """Give what a file without a place here really is; once it has another owner, that holds."""
        if (status.st_uid, status.st_gid) != self._us:
            return None
        value = dict(xattrs).get(RECORD) if xattrs else None
        return None if value is None else Record.parse(value)

    def target(self, path: bytes) -> bytes:
        """Give where a symlink points."""
        fd, name = self.split(path)
        return os.readlink(name, dir_fd=fd)

    def body(self, path: bytes) -> Iterator[bytes]:
        """Give a file's content in pieces of 256 KiB, its holes in one piece of zeros again and again.

        Nothing if it is no file any more.
        """
        try:
            fd = self.open(path)
        except FileNotFoundError:
            return
        try:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                return
            if status.st_blocks * 512 < status.st_size:
                yield from _holes_apart(fd, status.st_size)
            while data := os.read(fd, CHUNK):
                yield data
        finally:
            os.close(fd)

    def open(self, path: bytes) -> int:
        """Open what has the content of a file; the caller closes. Raises: OSError (it went away)."""
        directory, name = self._split_content(path)
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        return os.open(name, flags, dir_fd=directory)

    def _split_content(self, path: bytes) -> tuple[int, bytes]:
        return self._reading.split(path)

    def _xattrs(self, path: bytes) -> Xattrs:
        """Give all extended attributes; of one path more than once in a row without asking again."""
        if self._known is None or self._known[0] != path:
            self._known = path, _read_xattrs(*self.split(path))
        return self._known[1]


def _read_xattrs(directory: int, name: bytes) -> Xattrs:
    # There is no lgetxattrat yet: the descriptor's own name in /proc leads to the directory
    # itself, and the last component is not followed.
    place = b"/proc/self/fd/%d/%b" % (directory, name)
    follow = not name
    try:
        names = os.listxattr(place, follow_symlinks=follow)
    except OSError:
        return ()
    found = []
    for key in names:
        try:
            found.append((key, os.getxattr(place, key, follow_symlinks=follow)))
        except OSError:
            continue
    return tuple(sorted(found))


def _holes_apart(fd: int, size: int) -> Iterator[bytes]:
    """Give the first `size` bytes, read where there are data: a terabyte of hole is not read.

    Leaves the file where it stopped: at `size`, or before it when the file shrank meanwhile.
    """
    at = 0
    while at < size:
        start = _sought(fd, at, os.SEEK_DATA, size)
        for done in range(at, start, len(_ZEROS)):
            yield _ZEROS[: start - done]
        end = _sought(fd, start, os.SEEK_HOLE, size)
        at = os.lseek(fd, max(at, start), os.SEEK_SET)
        if end <= at:
            return
        while at < end and (data := os.read(fd, min(CHUNK, end - at))):
            yield data
            at += len(data)


def _sought(fd: int, at: int, whence: int, size: int) -> int:
    """Give where data or a hole begins at or after `at`; the end of the file where none does."""
    try:
        return min(os.lseek(fd, at, whence), size)
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        return min(os.fstat(fd).st_size, size)


def is_whiteout(status: os.stat_result) -> bool:
    """Tell whether this is overlayfs's mark of a removed path."""
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def is_plain(fd: int, status: os.stat_result) -> bool:
    """Tell whether an open file is a plain one: one name, and no attributes that say anything."""
    if status.st_nlink != 1 or not stat.S_ISREG(status.st_mode):
        return False
    names = os.listxattr(fd)
    return not names or all(map(_says_nothing, names))


def _says_nothing(name: str) -> bool:
    """Tell whether an attribute is a label of this machine, or where a file was copied up from."""
    return name in _ORIGINS or (name.startswith("security.") and name != _CAPABILITY)


def _device(number: int) -> tuple[int, int]:
    return os.major(number), os.minor(number)
