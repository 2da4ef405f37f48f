"""The files that a log is kept in, as a reader has them: plain, or compressed after their rotation."""

import os

from lamina.runtime.log_packing import inode_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["LogFile", "PackedLogFile", "PlainLogFile", "is_same", "open_log_file"]

_BLOCK = 1 << 16
_GZIP = 31  # zlib's way of saying: gzip header, 32 KiB window


def open_log_file(path: str, number: int) -> "LogFile | None":
    """Open the log's file `number`, 0 is the one that is written; None where there is none."""
    name = f"{path}.{number}" if number else path
    plain = _open(name)
    if plain >= 0:
        return PlainLogFile(plain)
    packed = _open(f"{name}.gz") if number else -1
    return PackedLogFile(packed) if packed >= 0 else None


def is_same(one: "LogFile", other: "LogFile") -> bool:
    """Tell whether two are one file of the log, renamed or compressed in between.

    The number that a compressed file notes may have gone to a newer file since: there the beginnings tell,
    whose lines have times in them.
    """
    if one.identity != other.identity:
        return False
    both_open = isinstance(one, PlainLogFile) and isinstance(other, PlainLogFile)
    return both_open or one.beginning() == other.beginning()


def _open(path: str) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return -1


class PlainLogFile:
    """A file that may grow yet. `identity` is the same after a renaming."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        info = os.fstat(fd)
        self.identity = (info.st_dev, info.st_ino)
        self._end = -1

    def beginning(self) -> bytes:
        """Give the first block, wherever reading has come to."""
        return os.pread(self._fd, _BLOCK, 0)

    def end_here(self) -> None:
        """Give nothing of what is written from now on."""
        self._end = os.fstat(self._fd).st_size

    def read(self) -> bytes:
        """Read on; a file that was emptied is begun anew."""
        if self._position() > os.fstat(self._fd).st_size:
            os.lseek(self._fd, 0, os.SEEK_SET)
        left = _BLOCK if self._end < 0 else max(0, self._end - self._position())
        return os.read(self._fd, min(left, _BLOCK))

    def has_more(self) -> bool:
        """Tell whether there is something that was not read yet."""
        return self._position() < os.fstat(self._fd).st_size

    def _position(self) -> int:
        return os.lseek(self._fd, 0, os.SEEK_CUR)

    def skip_to_last(self, count: int) -> int:
        """Go to where the last `count` lines begin; give how many there are, `count` at most."""
        position, found = self._place_of_last(count)
        os.lseek(self._fd, position, os.SEEK_SET)
        return found

    def _place_of_last(self, count: int) -> tuple[int, int]:
        position = os.fstat(self._fd).st_size if self._end < 0 else self._end
        if count == 0:
            return position, 0
        wanted = count + 1  # the file ends with a line end
        found = 0
        while position > 0:
            start = max(0, position - _BLOCK)
            block = os.pread(self._fd, position - start, start)
            ends = block.count(b"\n")
            if ends < wanted:
                wanted -= ends
                found += ends
                position = start
                continue
            at = len(block)
            for _ in range(wanted):
                at = block.rfind(b"\n", 0, at)
            return start + at + 1, count
        return 0, found

    def close(self) -> None:
        """Let go of it."""
        os.close(self._fd)


class PackedLogFile:
    """A compressed file; its identity is that of the one it was made of. Damage is its end."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        info = os.fstat(fd)
        self.identity = (info.st_dev, inode_of(fd) or info.st_ino)
        self._begin()

    def beginning(self) -> bytes:
        """Give the first block, wherever reading has come to; what can be read of it."""
        import zlib

        inflate = zlib.decompressobj(_GZIP)
        data = b""
        place = 0
        while len(data) < _BLOCK and (packed := os.pread(self._fd, _BLOCK, place)):
            place += len(packed)
            try:
                data += inflate.decompress(packed, _BLOCK - len(data))
            except zlib.error:
                break
        return data

    def end_here(self) -> None:
        """Nothing more is written to it."""

    def _begin(self) -> None:
        import zlib

        os.lseek(self._fd, 0, os.SEEK_SET)
        self._inflate: Any = zlib.decompressobj(_GZIP)
        self._ahead = b""

    def read(self) -> bytes:
        """Read on; nothing at the end."""
        data, self._ahead = self._ahead or self._more(), b""
        return data

    def _more(self) -> bytes:
        import zlib

        while not self._inflate.eof:
            packed = self._inflate.unconsumed_tail or os.read(self._fd, _BLOCK)
            if not packed:
                break
            try:
                data: bytes = self._inflate.decompress(packed, _BLOCK)
            except zlib.error:
                os.lseek(self._fd, 0, os.SEEK_END)
                self._inflate = zlib.decompressobj(_GZIP)
                break
            if data:
                return data
        return b""

    def has_more(self) -> bool:
        """Tell whether there is something that was not read yet."""
        self._ahead = self._ahead or self._more()
        return bool(self._ahead)

    def skip_to_last(self, count: int) -> int:
        """Go to where the last `count` lines begin; give how many there are, `count` at most."""
        lines = 0
        if count:
            while data := self.read():
                lines += data.count(b"\n")
            self._begin()
        skipped = lines - min(count, lines)
        while skipped:
            data = self.read()
            ends = data.count(b"\n")
            if ends < skipped:
                skipped -= ends
                continue
            at = -1
            for _ in range(skipped):
                at = data.index(b"\n", at + 1)
            self._ahead = data[at + 1 :]
            break
        if not count:
            os.lseek(self._fd, 0, os.SEEK_END)
        return min(count, lines)

    def close(self) -> None:
        """Let go of it."""
        os.close(self._fd)


LogFile = PlainLogFile | PackedLogFile
"""One file of a log."""
