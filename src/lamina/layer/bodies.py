"""The content of files on its way out of sealed layers, at the least cost."""

import os

from lamina.errors import Corrupt
from lamina.stream.files import write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

    from lamina.layer.node import Layer, Node

__all__ = ["Bodies"]

_SMALL = 64 * 1024
"""Up to here a write from our memory costs less than the kernel's own copy, measured on ext4."""
_WINDOW = 256 * 1024
_GRAIN = 4096
_ZEROS = bytes(_GRAIN)


class Bodies:
    """Write files' content to descriptors. A context manager; for one thread.

    The sealed file is read, not mapped: of a mapping every page touched counts as our memory. Files
    that follow each other in the tar are read many at a time.
    """

    def __init__(self) -> None:
        self._fds: dict[str, int] = {}
        self._source = -1
        self._window = memoryview(b"")
        self._start = 0

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *_: object) -> None:
        for fd in self._fds.values():
            os.close(fd)
        self._fds.clear()

    def write(self, node: "Node", target: int) -> None:
        """Write all of a file to the new, empty file `target`. Raises: OSError, Corrupt."""
        source = self._open(node.layer)
        if node.is_sparse:
            self._write_holes(node, source, target)
            return
        for _, where, length in node.layer.extents(node):
            if length <= _SMALL:
                write_all(target, self._read(source, where, length))
            else:
                self._copy(source, where, target, length)

    def _open(self, layer: "Layer") -> int:
        fd = self._fds.get(layer.path)
        if fd is None:
            fd = self._fds[layer.path] = os.open(layer.path, os.O_RDONLY | os.O_CLOEXEC)
        return fd

    def _read(self, source: int, where: int, length: int) -> "memoryview | bytes":
        start = where - self._start
        if source != self._source or start < 0 or start + length > len(self._window):
            self._window = memoryview(os.pread(source, _WINDOW, where))
            self._source, self._start, start = source, where, 0
        if start + length > len(self._window):
            raise _short()
        return self._window[start : start + length]

    def _copy(self, source: int, where: int, target: int, length: int) -> None:
        """Have the kernel copy; long runs of zeros are holes in the sealed file, and stay so."""
        end = where + length
        start = where
        while start < end:
            try:
                start = max(start, os.lseek(source, start, os.SEEK_DATA))
            except OSError:  # ENXIO: nothing but a hole up to the end
                break
            stop = min(end, os.lseek(source, start, os.SEEK_HOLE))
            if start < end:
                self._copy_data(source, start, target, start - where, stop - start)
            start = max(stop, start)
        if os.fstat(target).st_size != length:
            if where + length > os.fstat(source).st_size:
                raise _short()
            os.ftruncate(target, length)

    def _copy_data(self, source: int, where: int, target: int, offset: int, length: int) -> None:
        """Copy data; where the file system shares blocks, it shares those that align."""
        while length > 0:
            try:
                done = os.copy_file_range(source, target, length, where, offset)
            except OSError:  # another file system below, an old kernel, a sandbox
                data = os.pread(source, min(length, _WINDOW), where)
                done = os.pwrite(target, data, offset) if data else 0
            if not done:
                raise _short()
            where += done
            offset += done
            length -= done

    def _write_holes(self, node: "Node", source: int, target: int) -> None:
        """Write a sparse file's data and leave its holes; a chunk may be mostly zeros itself."""
        for offset, where, length in node.layer.extents(node):
            if where < 0:
                continue
            for done in range(0, length, _WINDOW):
                piece = os.pread(source, min(_WINDOW, length - done), where + done)
                for start in range(0, len(piece), _GRAIN):
                    part = piece[start : start + _GRAIN]
                    if part != _ZEROS[: len(part)]:
                        os.pwrite(target, part, offset + done + start)
        os.ftruncate(target, node.size)


def _short() -> Corrupt:
    return Corrupt(
        "a sealed layer became shorter while it was read",
        hint="`lamina fsck --repair` makes it again; else remove the image and pull or build it again",
    )
