"""Compressing a log's rotated files, a little with each write, so that nobody waits for it.

The gzip header says which file it was (its inode, in an extra field): a reader that follows has the file
itself open, and finds in the packed one what it has read already.
"""

import os
import zlib
from contextlib import suppress

__all__ = ["Packing", "inode_of"]

_BLOCK = 1 << 16
_LEVEL = 3
_INODE = 8
_FIELD = b"Li\x08\x00"  # two letters of ours and the length. Spec: RFC 1952, 2.3.1.1
_START = b"\x1f\x8b\x08\x04\0\0\0\0\0\xff" + b"\x0c\x00" + _FIELD


class Packing:
    """Makes `<path>.gz` of `path`, and takes that away. Raises: OSError (it cannot begin)."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._source = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        try:
            self._target = os.open(f"{path}.gz.new", flags, 0o640)
        except OSError:
            os.close(self._source)
            raise
        self._squeeze = zlib.compressobj(_LEVEL, zlib.DEFLATED, -15)
        self._sum = 0
        self._size = 0
        self._begun = False
        self.ended = False

    def go_on(self, size: int) -> bool:
        """Take in `size` bytes more, and some; tell whether it is done, or given up (a full disk)."""
        try:
            while size > 0 and not self.ended:
                size -= self._step()
        except OSError:
            self._end(keep=False)
        return self.ended

    def finish(self) -> None:
        """Take in all the rest."""
        while not self.go_on(_BLOCK):
            pass

    def _step(self) -> int:
        from lamina.stream.files import write_all

        if not self._begun:
            inode = os.fstat(self._source).st_ino
            write_all(self._target, _START + inode.to_bytes(_INODE, "little"))
            self._begun = True
        data = os.read(self._source, _BLOCK)
        if data:
            self._sum = zlib.crc32(data, self._sum)
            self._size += len(data)
            write_all(self._target, self._squeeze.compress(data))
            return len(data)
        trailer = self._sum.to_bytes(4, "little") + (self._size & 0xFFFFFFFF).to_bytes(4, "little")
        write_all(self._target, self._squeeze.flush() + trailer)
        os.replace(f"{self._path}.gz.new", f"{self._path}.gz")
        os.unlink(self._path)
        self._end(keep=True)
        return 0

    def _end(self, *, keep: bool) -> None:
        if not keep:
            with suppress(OSError):
                os.unlink(f"{self._path}.gz.new")
        os.close(self._source)
        os.close(self._target)
        self.ended = True


def inode_of(fd: int) -> int:
    """Give the inode of the file that a packed one was made of; 0 where it does not say."""
    header = os.pread(fd, len(_START) + _INODE, 0)
    if not header.startswith(_START):
        return 0
    return int.from_bytes(header[len(_START) :], "little")
