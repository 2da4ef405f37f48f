"""Where files and directories are made before they get their name, and unmade after they lost it.

Everything in a workplace is guarded by a lock file of the same name with `.lock` behind it; what a
killed process left has a lock that anyone can take, and so it is found and removed.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lamina.stream.files import acquire, disk_errors, fresh_name, remove_tree
from lamina.values import dataclass

__all__ = ["Claim", "Workplace"]

_LOCK = ".lock"


@dataclass(slots=True)
class Claim:
    """The right to use `path`, at which nothing exists yet; to be released once."""

    path: str
    _fd: int

    def release(self) -> None:
        """Remove what is at `path`, if anything, and unlock. May be called twice."""
        if self._fd >= 0:
            _remove(self.path)
            os.unlink(self.path + _LOCK)
            os.close(self._fd)
            self._fd = -1


@dataclass(frozen=True, slots=True)
class Workplace:
    """One folder of things in the making."""

    folder: str

    def claim(self, name: str = "", *, waiting: Callable[[], None] | None = None) -> Claim:
        """Claim `name` (a fresh one when empty), waiting while another process has it.

        `waiting` is called about 20 times a second meanwhile and may raise. Raises: DiskFull.
        """
        path = f"{self.folder}/{name or fresh_name()}"
        with disk_errors("preparing a layer"):
            fd = acquire(path + _LOCK, waiting=waiting)
        try:
            _remove(path)
        except BaseException:
            os.close(fd)
            raise
        return Claim(path, fd)

    @contextmanager
    def place(self, name: str = "", *, waiting: Callable[[], None] | None = None) -> Iterator[str]:
        """Claim `name` for the body; what is still at the path afterwards is removed."""
        claim = self.claim(name, waiting=waiting)
        try:
            yield claim.path
        finally:
            claim.release()

    def clean(self) -> None:
        """Remove what killed processes left. What is in use stays."""
        for name in os.listdir(self.folder):
            if not name.endswith(_LOCK):
                continue
            path = f"{self.folder}/{name}"
            try:
                fd = acquire(path, wait=False, create=False)
            except (BlockingIOError, FileNotFoundError):
                continue
            Claim(path.removesuffix(_LOCK), fd).release()


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    except IsADirectoryError:
        remove_tree(path)
