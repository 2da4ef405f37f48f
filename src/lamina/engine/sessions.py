"""Uploads that a later process can go on with: their addresses, kept in the root while they run."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256

from lamina.stream.files import DiskFull, acquire, disk_errors

__all__ = ["Session", "Sessions"]

_LIMIT = 8192


class Session:
    """One upload's address; `waited` says that another process has been sending the same blob."""

    def __init__(self, fd: int, *, waited: bool) -> None:
        self._fd = fd
        self.waited = waited
        self.address = os.pread(fd, _LIMIT, 0).decode(errors="replace").strip()

    def note(self, address: str) -> None:
        """Keep the upload's newest address. Not synced: after a power cut it begins anew.

        So it does where a full disk has no room for it: no reason not to push.
        """
        data = f"{address}\n".encode()
        if len(data) <= _LIMIT:
            with suppress(OSError):  # one write: a kill leaves old or new
                os.pwrite(self._fd, data.ljust(_LIMIT, b"\n"), 0)
            self.address = address


class Sessions:
    """The addresses under `folder`, which nobody else may read: they can hold secrets.

    Files that nobody locks are swept like the partial downloads they lie beside.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder

    @contextmanager
    def of(self, place: str, digest: str) -> Iterator[Session]:
        """Give the upload of a blob to a repository `place`, ours alone for the body.

        A blob that has no digest yet goes by other words that mean it alone.

        It is forgotten when the body ends well, or if it never got an address.
        """
        name = sha256(f"{place}@{digest}".encode()).hexdigest()
        path = f"{self._folder}/push-{name}"
        waited = False
        try:
            with disk_errors("beginning an upload"):
                fd = acquire(path, wait=False)
        except BlockingIOError:
            fd, waited = acquire(path), True
        except DiskFull:
            fd = os.open(os.devnull, os.O_RDWR)
        session = Session(fd, waited=waited)
        try:
            yield session
            session.address = ""
        finally:
            if not session.address:
                with suppress(FileNotFoundError):
                    os.unlink(path)
            os.close(fd)
