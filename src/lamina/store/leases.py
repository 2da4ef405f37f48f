"""Leases: what keeps unnamed content alive while work is going on.

A lease is a file under flock, so it ends when its process does, however it does. The file lists
the digests its holder relies on. Garbage collection holds `leases/lock` exclusively for its few
milliseconds; adding a digest to a lease holds it shared. So collection either sees the digest, or
was over before the holder looked whether the blob is there.

Where a full disk has no room for a line, the lease holds `leases/all` shared instead, which takes no
room: until it ends nothing at all is collected. So a full disk can still be read, saved and pushed from.
"""

import os
from _thread import allocate_lock  # `threading` would cost a third of the start-up budget
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from lamina.spec.digest import Digest
from lamina.stream.files import DiskFull, acquire, disk_errors, fresh_name, locked, write_all
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.store.disk import Disk

__all__ = ["Held", "Leases"]

_PREFIX = "lease-"


@dataclass(frozen=True, slots=True)
class Held:
    """What the running leases hold: digests, and since when (epoch nanoseconds, None: no lease).

    `everything`: one of them could not be written down, so nothing may go; `since_ns` is 0 then.
    """

    digests: frozenset[Digest]
    since_ns: int | None
    everything: bool = False


class Leases:
    """The leases of one store. One object has at most one lease file, however often it is entered."""

    def __init__(self, disk: "Disk") -> None:
        self._directory = disk.leases
        self._lock_path = f"{disk.leases}/lock"
        self._all_path = f"{disk.leases}/all"
        self._mutex = allocate_lock()
        self._entered = 0
        self._fd = -1
        self._path = ""
        self._all_fd = -1
        self._pinned: set[Digest] = set()

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Keep every digest that is pinned during the body; other threads may enter too."""
        with self._mutex:
            if self._entered == 0 and not _is_read_only(self._directory):
                self._begin()
            self._entered += 1
        try:
            yield
        finally:
            with self._mutex:
                self._entered -= 1
                if self._entered == 0:
                    self._end()

    def pin(self, digest: Digest) -> None:
        """Hold `digest` until the lease ends; without a lease, do nothing."""
        if self._entered == 0 or digest in self._pinned:
            return
        with self._mutex:
            if self._fd < 0 or self._all_fd >= 0:
                return
            with locked(self._lock_path, shared=True):
                try:
                    with disk_errors("writing a lease"):
                        self._write(f"{digest}\n".encode())
                except DiskFull:
                    self._hold_everything()
            self._pinned.add(digest)

    @contextmanager
    def settled(self) -> Iterator[None]:
        """Keep garbage collection out during the body, which must be short."""
        with locked(self._lock_path, shared=True):
            yield

    @contextmanager
    def alone(self) -> Iterator[Held]:
        """Keep everyone from pinning and naming; give what the running leases hold."""
        with locked(self._lock_path):
            yield self._held()

    def _begin(self) -> None:
        path = f"{self._directory}/{_PREFIX}{fresh_name()}"
        self._pinned = set()
        with locked(self._lock_path, shared=True):
            try:
                with disk_errors("writing a lease"):
                    self._fd = acquire(path)
                    self._path = path
                    # The file's own time: the clock that layers' times come from.
                    self._write(f"{os.fstat(self._fd).st_mtime_ns}\n".encode())
            except DiskFull:
                self._end()
                self._hold_everything()
            except BaseException:
                self._end()
                raise

    def _hold_everything(self) -> None:
        """Keep all that is there. The caller holds the lock shared: nobody is collecting, so none waits."""
        with disk_errors("taking a lease"):
            self._all_fd = acquire(self._all_path, shared=True)

    def _write(self, line: bytes) -> None:
        """Append a line or nothing: half a digest would spoil the next one."""
        size = os.fstat(self._fd).st_size
        try:
            write_all(self._fd, line)
        except OSError:
            os.ftruncate(self._fd, size)
            os.lseek(self._fd, size, os.SEEK_SET)
            raise

    def _end(self) -> None:
        fds, self._fd, self._all_fd = (self._fd, self._all_fd), -1, -1
        if fds[0] >= 0:
            with suppress(OSError):  # nobody holds it then: the next collection removes it
                os.unlink(self._path)
        for fd in fds:
            if fd >= 0:
                os.close(fd)

    def _held(self) -> Held:
        """Read the leases of the living; remove those of the dead."""
        everything = self._is_all_held()
        digests: set[Digest] = set()
        since_ns: int | None = None
        for name in os.listdir(self._directory):
            if not name.startswith(_PREFIX):
                continue
            path = f"{self._directory}/{name}"
            try:
                with open(path, encoding="ascii") as file:
                    first, *lines = file.read().split() or ["0"]
            except FileNotFoundError:
                continue
            if _is_dead(path):
                continue
            digests.update(map(Digest, lines))
            since_ns = int(first) if since_ns is None else min(since_ns, int(first))
        return Held(frozenset(digests), 0 if everything else since_ns, everything)

    def _is_all_held(self) -> bool:
        try:
            os.close(acquire(self._all_path, wait=False, create=False))
        except BlockingIOError:
            return True
        except FileNotFoundError:
            return False
        return False


def _is_read_only(folder: str) -> bool:
    """Tell whether nothing can be removed there anyway, as on a read-only medium."""
    return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)


def _is_dead(path: str) -> bool:
    """Remove the lease file if nobody holds it; tell whether it is gone."""
    try:
        fd = acquire(path, wait=False, create=False)
    except BlockingIOError:
        return False
    except FileNotFoundError:
        return True
    os.unlink(path)
    os.close(fd)
    return True
