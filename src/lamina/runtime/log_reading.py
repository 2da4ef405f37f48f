"""Reading a container's log, the files that it was rotated into included."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack

from lamina.values import NamedTuple

__all__ = ["LogLine", "read_log"]

_BLOCK = 1 << 16
_POLL_S = 0.05
_NOTHING: Mapping[str, str] = {}


class LogLine(NamedTuple):
    """One line of the log: text with its line end, `stdout` or `stderr`, RFC 3339 time.

    `attributes` are the labels and variables that the container's log options name.
    """

    text: str
    stream: str
    time: str
    attributes: Mapping[str, str] = _NOTHING


def read_log(
    path: str,
    *,
    tail: int = -1,
    since: str = "",
    until: str = "",
    follow: Callable[[], bool] | None = None,
) -> Iterator[LogLine]:
    """Give the log's lines, oldest first; the last `tail` where that is not negative.

    `since` and `until` are RFC 3339 in UTC. With `follow` the reader waits at the end for as long
    as `follow()` is true, and goes on in the next file when the log is rotated. A half-written last
    line is left until it is whole.
    """
    with ExitStack() as stack:
        files = _Files(path, stack)
        files.skip_to(tail)
        rest = b""
        while files.current >= 0:
            alive = follow() if follow else False
            data = files.read()
            if data:
                *lines, rest = (rest + data).split(b"\n")
                for raw in lines:
                    line = _parse(raw)
                    if line and (not until or line.time <= until) and line.time >= since:
                        yield line
            elif files.advance():
                rest = b""
            elif alive:
                time.sleep(_POLL_S)
            else:
                return


class _Files:
    """The files of one log: `current` is the descriptor that is read, -1 where there is no log."""

    def __init__(self, path: str, stack: ExitStack) -> None:
        self._path = path
        self._stack = stack
        self._ahead: list[int] = []  # newer ones, the newest first
        seen: set[tuple[int, int]] = set()
        number = 0
        while True:
            # The newest first: one that is renamed meanwhile turns up again, and none is missed.
            fd = self._open(path if number == 0 else f"{path}.{number}")
            if fd < 0:
                if number > 0 or not os.path.exists(f"{path}.1"):
                    break
            elif _identity(fd) in seen:
                os.close(fd)
            else:
                seen.add(_identity(fd))
                self._ahead.append(fd)
            number += 1
        for fd in self._ahead:
            stack.callback(os.close, fd)
        self.current = self._ahead.pop() if self._ahead else -1

    @staticmethod
    def _open(path: str) -> int:
        try:
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return -1

    def skip_to(self, tail: int) -> None:
        """Go to where the last `tail` lines begin; negative for the very beginning."""
        if tail < 0 or self.current < 0:
            return
        wanted = tail
        newest = [*self._ahead, self.current]
        for place, fd in enumerate(newest):
            offset, found = _tail_offset(fd, wanted)
            wanted -= found
            if wanted <= 0 or place == len(newest) - 1:
                os.lseek(fd, offset, os.SEEK_SET)
                self.current, self._ahead = fd, newest[:place]
                return

    def read(self) -> bytes:
        """Read on in the current file; one that was emptied is begun anew."""
        if os.lseek(self.current, 0, os.SEEK_CUR) > os.fstat(self.current).st_size:
            os.lseek(self.current, 0, os.SEEK_SET)
        return os.read(self.current, _BLOCK)

    def advance(self) -> bool:
        """Go on to the next newer file, if there is one."""
        if not self._ahead:
            self._look()
        if not self._ahead:
            return False
        self.current = self._ahead.pop()
        return True

    def _look(self) -> None:
        """Find the files that are newer than the current one, which may have been renamed."""
        own = _identity(self.current)
        newer: list[int] = []
        number = 0
        while True:
            fd = self._open(self._path if number == 0 else f"{self._path}.{number}")
            if fd < 0 or _identity(fd) == own:
                if fd >= 0:
                    os.close(fd)
                break
            self._stack.callback(os.close, fd)
            newer.append(fd)
            number += 1
        # What was written between our last look and the renaming comes first.
        if newer and os.lseek(self.current, 0, os.SEEK_CUR) < os.fstat(self.current).st_size:
            newer.append(self.current)
        self._ahead = newer


def _identity(fd: int) -> tuple[int, int]:
    info = os.fstat(fd)
    return info.st_dev, info.st_ino


def _parse(raw: bytes) -> LogLine | None:
    from lamina.errors import Invalid
    from lamina.spec.wire import decode

    try:
        row = decode(raw)
        attributes = row.get("attrs") or _NOTHING
        return LogLine(str(row["log"]), str(row["stream"]), str(row["time"]), attributes)
    except (Invalid, KeyError):  # a line cut short by a full disk or a crash
        return None


def _tail_offset(fd: int, count: int) -> tuple[int, int]:
    """Find where the last `count` lines of a file begin, from its end; give how many there are."""
    position = os.fstat(fd).st_size
    if count == 0:
        return position, 0
    wanted = count + 1  # the file ends with a line end
    found = 0
    while position > 0:
        start = max(0, position - _BLOCK)
        block = os.pread(fd, position - start, start)
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
