"""Directories below a root, opened step by step and never through a symlink.

Whoever owns the tree may be hostile and may be changing it: a path is not looked up by the kernel
as a whole, but component by component with O_NOFOLLOW, each from the descriptor of the one before.
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

__all__ = ["Descent"]

_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_KEPT = 64  # descriptors held open at a time


class Descent:
    """Open directories below `root`; going from neighbour to neighbour costs little.

    A context manager. One thread at a time.
    """

    def __init__(self, root: str | int) -> None:
        """Start at a path, or at an open directory, whose descriptor is not taken over."""
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        self._root = os.dup(root) if isinstance(root, int) else os.open(root, flags)
        self._path = b""
        self._names: list[bytes] = []
        self._fds: list[int] = []  # -1: closed to save descriptors

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every descriptor."""
        self._leave(0)
        if self._root >= 0:
            os.close(self._root)
            self._root = -1

    def open(self, path: bytes) -> int:
        """Give a descriptor of the directory `path`, good until the next call; do not close it.

        Raises: OSError (ELOOP or ENOTDIR where a component is no directory).
        """
        here = self._path
        if path == here:
            return self._fds[-1] if self._fds else self._root
        if here and not path.startswith(here + b"/"):
            self._leave(self._shared(path))
        if self._fds and self._fds[-1] < 0:
            self._leave(0)
        fd = self._fds[-1] if self._fds else self._root
        rest = path[len(self._path) :].lstrip(b"/")
        for part in rest.split(b"/") if rest else ():
            fd = self._enter(fd, part)
        return fd

    def _shared(self, path: bytes) -> int:
        """Count the leading components that `path` has in common with where we are."""
        if not path:
            return 0
        if self._path.startswith(path + b"/"):
            return len(self._names) - self._path.count(b"/", len(path))
        same = 0
        for mine, wanted in zip(self._names, path.split(b"/"), strict=False):
            if mine != wanted:
                break
            same += 1
        return same

    def split(self, path: bytes) -> tuple[int, bytes]:
        """Give a descriptor of the directory that holds `path`, and the name in it."""
        head, _, name = path.rpartition(b"/")
        return self.open(head), name

    def forget(self) -> None:
        """Leave every directory: one of them may have been replaced."""
        self._leave(0)

    def _enter(self, fd: int, name: bytes) -> int:
        try:
            below = os.open(name, _FLAGS, dir_fd=fd)
        except OSError:
            self._leave(0)
            raise
        self._names.append(name)
        self._fds.append(below)
        self._path = self._path + b"/" + name if self._path else name
        if len(self._fds) > _KEPT and self._fds[-_KEPT - 1] >= 0:
            os.close(self._fds[-_KEPT - 1])
            self._fds[-_KEPT - 1] = -1
        return below

    def _leave(self, depth: int) -> None:
        while len(self._fds) > depth:
            fd = self._fds.pop()
            name = self._names.pop()
            self._path = self._path[: max(0, len(self._path) - len(name) - 1)]
            if fd >= 0:
                os.close(fd)
