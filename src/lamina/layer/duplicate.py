"""Copy a directory exactly: overlayfs's marks, whiteouts, owners, times, holes and links too.

Where the file system shares blocks (btrfs, XFS) contents are shared, not copied.
"""

import errno
import fcntl
import os
import stat
from contextlib import suppress

from lamina.layer.descent import Descent

__all__ = ["duplicate"]

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_FICLONE = 0x40049409
_AT_ONCE = 64 * 1024 * 1024


def duplicate(source: str, target: str) -> None:
    """Make the new directory `target` what `source` is. What goes away meanwhile is left out.

    Costs a copy of every file without shared blocks. Raises: OSError (disk).
    """
    os.mkdir(target, 0o700)
    with Descent(source) as there, Descent(target) as here:
        _Copy(there, here).run()


class _Copy:
    """One tree on its way."""

    def __init__(self, source: Descent, target: Descent) -> None:
        self._source = source
        self._target = target
        self._links: dict[tuple[int, int], bytes] = {}

    def run(self) -> None:
        """Copy it, a directory at a time: no recursion, as trees may be deeper than Python goes."""
        made, pending = [b""], [b""]
        while pending:
            path = pending.pop()
            try:
                names = sorted(map(os.fsencode, os.listdir(self._source.open(path))))
            except (FileNotFoundError, NotADirectoryError):
                continue
            for name in names:
                full = path + b"/" + name if path else name
                with suppress(FileNotFoundError):
                    if self._take(full, name):
                        made.append(full)
                        pending.append(full)
        for path in reversed(made):  # what was put inside has changed their times
            with suppress(FileNotFoundError):
                self._finish_directory(path)

    def _take(self, path: bytes, name: bytes) -> bool:
        """Copy one path; tell whether it is a directory, to be gone into and finished later."""
        source, _ = self._source.split(path)
        target, _ = self._target.split(path)
        found = os.lstat(name, dir_fd=source)
        if stat.S_ISDIR(found.st_mode):
            os.mkdir(name, 0o700, dir_fd=target)
            return True
        if found.st_nlink > 1:
            first = self._links.setdefault((found.st_dev, found.st_ino), path)
            if first != path:
                return self._link(first, path)
        if stat.S_ISREG(found.st_mode):
            self._copy_file(source, target, name)
            return False
        if stat.S_ISLNK(found.st_mode):
            os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=target)
        else:
            os.mknod(name, found.st_mode, found.st_rdev, dir_fd=target)
        os.chown(name, found.st_uid, found.st_gid, dir_fd=target, follow_symlinks=False)
        self._copy_xattrs(source, target, name)
        if not stat.S_ISLNK(found.st_mode):
            os.chmod(name, stat.S_IMODE(found.st_mode), dir_fd=target)
        _set_times(name, found, target)
        return False

    def _link(self, first: bytes, path: bytes) -> bool:
        with Descent(self._target.open(b"")) as other:
            fd, name = other.split(first)
            target, last = self._target.split(path)
            os.link(name, last, src_dir_fd=fd, dst_dir_fd=target, follow_symlinks=False)
        return False

    def _copy_file(self, source: int, target: int, name: bytes) -> None:
        reading = os.open(name, _READ, dir_fd=source)
        try:
            writing = os.open(name, _WRITE, 0o600, dir_fd=target)
            try:
                found = os.fstat(reading)
                _copy_content(reading, writing, found.st_size)
                os.fchown(writing, found.st_uid, found.st_gid)
                for key in os.listxattr(reading):
                    os.setxattr(writing, key, os.getxattr(reading, key))
                os.fchmod(writing, stat.S_IMODE(found.st_mode))
                os.utime(writing, ns=(found.st_atime_ns, found.st_mtime_ns))
            finally:
                os.close(writing)
        finally:
            os.close(reading)

    @staticmethod
    def _copy_xattrs(source: int, target: int, name: bytes) -> None:
        here, there = (b"/proc/self/fd/%d/%b" % (fd, name) for fd in (source, target))
        for key in os.listxattr(here, follow_symlinks=False):
            value = os.getxattr(here, key, follow_symlinks=False)
            os.setxattr(there, key, value, follow_symlinks=False)

    def _finish_directory(self, path: bytes) -> None:
        source, target = self._source.open(path), self._target.open(path)
        found = os.fstat(source)
        os.fchown(target, found.st_uid, found.st_gid)
        for key in os.listxattr(source):
            os.setxattr(target, key, os.getxattr(source, key))
        os.fchmod(target, stat.S_IMODE(found.st_mode))
        os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))


def _set_times(name: bytes, found: os.stat_result, directory: int) -> None:
    times = found.st_atime_ns, found.st_mtime_ns
    os.utime(name, ns=times, dir_fd=directory, follow_symlinks=False)


def _copy_content(source: int, target: int, size: int) -> None:
    """Share all of it in one call where the file system can, else copy where there are data.

    The rest are holes again.
    """
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError:  # it cannot, or only for some files (ext4, tmpfs; XFS without reflink)
        os.ftruncate(target, size)
    else:
        return
    at = 0
    while at < size:
        try:
            at = os.lseek(source, at, os.SEEK_DATA)
            end = min(os.lseek(source, at, os.SEEK_HOLE), size)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            return  # nothing but a hole from here on
        while at < end:
            done = os.copy_file_range(source, target, min(end - at, _AT_ONCE), at, at)
            if not done:
                return  # it shrank
            at += done
