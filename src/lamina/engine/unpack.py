"""Unpack a tar into a folder whose content nobody can trust, from a stream that cannot seek."""

import errno
import os
import stat
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial

from lamina.errors import Invalid
from lamina.layer.entry import Entry, Kind
from lamina.layer.recorded import RECORD, Record
from lamina.layer.tar import TarParser
from lamina.runtime import syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

__all__ = ["Body", "place", "unpack"]

Body = Callable[[int], None]
"""Writes a file's content to a descriptor."""

_PIECE = 1 << 20
_IN_ROOT = 0x10
_BENEATH_NO_SYMLINKS = 0x08 | 0x04


def unpack(
    stream: "BinaryIO",
    target: int,
    *,
    root: int = -1,
    base: str = "",
    owner: tuple[int, int] | None = None,
    owners: bool = False,
    rename: tuple[str, str | None] = ("", None),
) -> int:
    """Write the tar's entries into the folder `target`; give how many there were.

    `rename` gives the first name of every path another one: (old, new), new None keeps it.

    With `root`, symlinks among the folders on the way are followed as a process with that root
    would; without, a symlink on the way is refused. `owner` replaces the owners in the tar, which
    are set only with `owners`. Raises: TarInvalid, Invalid (a path that leaves the folder).
    """
    spool = _spool()
    try:
        destination = _Place(target, root, base, owner, owners=owners)
        count = 0
        pending: list[Entry] = []
        parser = TarParser()
        while data := stream.read(_PIECE):
            _write_all(spool, data)
            pending += _renamed(parser.feed(data), *rename)
            # An entry's body is whole once the next entry has been seen.
            for entry in pending[:-1]:
                destination.write(entry, partial(_copy_body, entry, spool))
                count += 1
            del pending[:-1]
        parser.finish()
        for entry in pending:
            destination.write(entry, partial(_copy_body, entry, spool))
            count += 1
        destination.finish()
        return count
    finally:
        os.close(spool)


def place(items: Iterable[tuple[Entry, Body]], target: int, *, owners: bool = False) -> None:
    """Write entries into the folder `target`, as `unpack` does; a body writes a file's content.

    Raises: Invalid.
    """
    destination = _Place(target, -1, "", None, owners=owners)
    for entry, body in items:
        destination.write(entry, body)
    destination.finish()


def _renamed(entries: list[Entry], old: str, new: str | None) -> list[Entry]:
    if new is None or old == new:
        return entries
    return [
        entry._replace(
            path=_moved(entry.path, os.fsencode(old), os.fsencode(new)),
            link=_moved(entry.link, os.fsencode(old), os.fsencode(new))
            if entry.kind is Kind.HARDLINK
            else entry.link,
        )
        for entry in entries
    ]


def _moved(path: bytes, old: bytes, new: bytes) -> bytes:
    """Put `new` in the place of the leading name `old`; an empty `old` means before all."""
    if not old:
        return b"/".join(part for part in (new, path) if part)
    if path != old and not path.startswith(old + b"/"):
        return path
    return (new + path[len(old) :]).lstrip(b"/")


def _spool() -> int:
    import tempfile

    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


class _Place:
    """Where entries go."""

    def __init__(
        self,
        target: int,
        root: int,
        base: str,
        owner: tuple[int, int] | None,
        *,
        owners: bool,
    ) -> None:
        self._target = target
        self._root = root
        self._base = base
        self._owner = owner
        self._owners = owners
        self._times: list[tuple[bytes, int]] = []

    def _folder(self, path: bytes) -> int:
        """Open the folder `path` of the tar, making what is missing."""
        missing: list[bytes] = []
        fd = -1
        while path and fd < 0:
            try:
                fd = self._open(path)
            except FileNotFoundError:
                path, _, name = path.rpartition(b"/")
                missing.append(name)
        if fd < 0:
            fd = os.dup(self._target)
        while missing:
            name = missing.pop()
            path = path + b"/" + name if path else name
            try:
                with suppress(FileExistsError):  # a symlink to nothing, or another's work
                    os.mkdir(name, 0o755, dir_fd=fd)
            finally:
                os.close(fd)
            try:
                fd = self._open(path)
            except FileNotFoundError as error:
                raise Invalid(
                    f"cannot unpack into {os.fsdecode(path)!r}: it leads nowhere"
                ) from error
        return fd

    def _open(self, path: bytes) -> int:
        flags = os.O_RDONLY | os.O_DIRECTORY
        text = os.fsdecode(path)
        try:
            if self._root < 0:
                return syscalls.openat2(self._target, text, flags, resolve=_BENEATH_NO_SYMLINKS)
            return syscalls.openat2(
                self._root, os.path.join(self._base, text), flags, resolve=_IN_ROOT
            )
        except (NotADirectoryError, OSError) as error:
            if isinstance(error, FileNotFoundError):
                raise
            raise Invalid(f"cannot unpack into {text!r}: {error.strerror}") from error

    def write(self, entry: Entry, body: Body) -> None:
        """Write one entry, replacing what is there unless both are folders."""
        if not entry.path:
            return
        head, _, name = entry.path.rpartition(b"/")
        parent = self._folder(head)
        try:
            self._make(parent, name, entry, body)
        finally:
            os.close(parent)

    def _make(self, parent: int, name: bytes, entry: Entry, body: Body) -> None:
        if entry.kind is Kind.DIRECTORY:
            self._make_folder(parent, name, entry)
            return
        self._clear(parent, name)
        if entry.kind is Kind.FILE:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            fd = os.open(name, flags, 0o600, dir_fd=parent)
            try:
                body(fd)
            finally:
                os.close(fd)
        elif entry.kind is Kind.SYMLINK:
            os.symlink(entry.link, name, dir_fd=parent)
        elif entry.kind is Kind.HARDLINK:
            self._link(parent, name, entry)
            return
        elif entry.kind is Kind.FIFO:
            os.mkfifo(name, 0o600, dir_fd=parent)
        else:
            kind = stat.S_IFCHR if entry.kind is Kind.CHARACTER else stat.S_IFBLK
            try:
                os.mknod(name, 0o600 | kind, os.makedev(*entry.device), dir_fd=parent)
            except PermissionError:  # devices need root; a copy without them is fine
                return
        self._dress(parent, name, entry)

    def _make_folder(self, parent: int, name: bytes, entry: Entry) -> None:
        try:
            found = os.stat(name, dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:
            found = None
        if found is not None and stat.S_ISLNK(found.st_mode) and self._root >= 0:
            with suppress(Invalid, FileNotFoundError):
                os.close(self._open(entry.path))  # a symlink to a folder stays one
                return
        if found is not None and not stat.S_ISDIR(found.st_mode):
            raise Invalid(
                f"cannot overwrite non-directory {os.fsdecode(entry.path)!r} with directory"
            )
        if found is None:
            os.mkdir(name, 0o700, dir_fd=parent)
        try:
            self._dress(parent, name, entry)
        except OSError as error:
            # A read-only mount of the container, such as /sys, keeps what it is.
            if found is None or error.errno != errno.EROFS:
                raise

    def _clear(self, parent: int, name: bytes) -> None:
        try:
            os.unlink(name, dir_fd=parent)
        except FileNotFoundError:
            return
        except (IsADirectoryError, PermissionError) as error:
            raise Invalid(
                f"cannot overwrite directory {os.fsdecode(name)!r} with non-directory"
            ) from error

    def _link(self, parent: int, name: bytes, entry: Entry) -> None:
        head, _, source = entry.link.rpartition(b"/")
        folder = self._folder(head)
        try:
            os.link(source, name, src_dir_fd=folder, dst_dir_fd=parent, follow_symlinks=False)
        finally:
            os.close(folder)

    def _dress(self, parent: int, name: bytes, entry: Entry) -> None:
        """Give owner, then mode (chown clears set-uid bits), xattrs, and last the times."""
        path = os.path.join(f"/proc/self/fd/{parent}".encode(), name)
        if self._owners:
            self._own(path, entry)
        if entry.kind is not Kind.SYMLINK:
            _chmod(parent, name, entry.mode)
        for key, value in entry.xattrs:
            with suppress(OSError):
                os.setxattr(path, key, value, follow_symlinks=False)
        stamp = (entry.mtime_ns, entry.mtime_ns)
        if entry.kind is Kind.DIRECTORY:
            self._times.append((entry.path, entry.mtime_ns))
        else:
            os.utime(name, ns=stamp, dir_fd=parent, follow_symlinks=False)

    def _own(self, path: bytes, entry: Entry) -> None:
        """Give the owner; one without a place in this user namespace is recorded in a container."""
        uid, gid = self._owner or (entry.uid, entry.gid)
        try:
            os.chown(path, uid, gid, follow_symlinks=False)
        except PermissionError:
            return
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            if self._root >= 0 and entry.kind in (Kind.FILE, Kind.DIRECTORY):
                with suppress(OSError):  # a disk without attributes keeps no owners
                    os.setxattr(path, RECORD, bytes(Record(uid, gid)), follow_symlinks=False)

    def finish(self) -> None:
        """Set the folders' times, deepest last touched first."""
        for path, mtime_ns in reversed(self._times):
            with suppress(Invalid, FileNotFoundError):
                fd = self._open(path)
                try:
                    os.utime(fd, ns=(mtime_ns, mtime_ns))
                finally:
                    os.close(fd)


def _chmod(parent: int, name: bytes, mode: int) -> None:
    """Set the mode of what stands at `name` now, following no symlink.

    A process in the container may put one in the place of what was just made, and chmod by name
    would follow it out of the container, to make a program of this machine set-uid.
    """
    fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        if not stat.S_ISLNK(os.fstat(fd).st_mode):
            os.chmod(f"/proc/self/fd/{fd}", mode)
    finally:
        os.close(fd)


def _copy_body(entry: Entry, spool: int, fd: int) -> None:
    """Copy a file's bytes; the holes of a sparse one stay holes."""
    segments = entry.segments or ((0, entry.offset, entry.size),)
    for logical, offset, length in segments:
        done = 0
        while done < length:
            data = os.pread(spool, min(_PIECE, length - done), offset + done)
            if not data:
                raise Invalid("the tar ended in the middle of a file")
            os.pwrite(fd, data, logical + done)
            done += len(data)
    os.ftruncate(fd, entry.size)
