"""Parts of a blob that arrive ahead of their turn, each a file of its own beside the partial blob.

They survive the process that fetched them: the next one takes them up where they stop.
"""

import os
from contextlib import suppress

from lamina.stream.files import acquire, disk_errors, unlimited, write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Spare", "Spares"]

_MARK = ".part-"


class Spares:
    """The parts of one blob, by the byte they begin at. The caller holds the blob's own writer."""

    def __init__(self, folder: str, key: str, spend: "Callable[[int], None]" = unlimited) -> None:
        self._spend = spend
        self._folder = folder
        self._prefix = f"{key}{_MARK}"

    def found(self) -> dict[int, int]:
        """Give the parts that are there: where each begins, and its size."""
        rows = {}
        for name in os.listdir(self._folder):
            begin = name.removeprefix(self._prefix)
            if begin != name and begin.isascii() and begin.isdigit():
                with suppress(FileNotFoundError):
                    rows[int(begin)] = os.stat(f"{self._folder}/{name}").st_size
        return dict(sorted(rows.items()))

    def open(self, begin: int) -> "Spare":
        """Open the part that begins at a byte, made when it is not there. Raises: DiskFull, Denied."""
        path = f"{self._folder}/{self._prefix}{begin}"
        with disk_errors("starting a download"):
            return Spare(acquire(path), path, self._spend)

    def drop(self) -> None:
        """Remove them all."""
        for begin in self.found():
            with suppress(FileNotFoundError):
                os.unlink(f"{self._folder}/{self._prefix}{begin}")


class Spare:
    """One part. One thread writes it, another may read what is there already."""

    def __init__(self, fd: int, path: str, spend: "Callable[[int], None]" = unlimited) -> None:
        self._spend = spend
        self._fd = fd
        self._path = path
        self.size = os.lseek(fd, 0, os.SEEK_END)

    def write(self, data: bytes) -> None:
        """Append. Raises: DiskFull."""
        self._spend(len(data))
        with disk_errors("storing a blob"):
            write_all(self._fd, data)
        self.size += len(data)

    def read(self, position: int, size: int) -> bytes:
        """Give up to `size` bytes from `position` of the part."""
        return os.pread(self._fd, size, position)

    def close(self) -> None:
        """Keep the file and let go of it. May be called twice."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def discard(self) -> None:
        """Remove the file."""
        if self._fd >= 0:
            with suppress(FileNotFoundError):
                os.unlink(self._path)
            self.close()
