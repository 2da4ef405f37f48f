"""Reading a container's log, the files that it was rotated into included."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack

from lamina.runtime.log import timestamp
from lamina.runtime.log_files import LogFile, is_same, open_log_file
from lamina.values import NamedTuple

__all__ = ["LogLine", "read_log"]

_POLL_S = 0.05
_GAP = 2
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
    as `follow()` is true and it is not later than `until`, and goes on in the next file when the log is
    rotated. A half-written last line is left until it is whole; a damaged one is passed over. Where
    compressed files are among the last `tail` lines they are inflated twice.
    """
    with ExitStack() as stack:
        files = _Files(path, stack)
        if follow is None:  # who writes faster than we read would keep us for ever
            files.end_here()
        files.skip_to(tail)
        rest = b""
        while files.current is not None:
            alive = follow() if follow else False
            data = files.current.read()
            if data:
                *lines, rest = (rest + data).split(b"\n")
                for raw in lines:
                    line = _parse(raw)
                    if line and until and line.time > until:
                        return
                    if line and line.time >= since:
                        yield line
            elif files.advance():
                rest = b""
            elif alive and (not until or timestamp(time.time_ns()) <= until):
                time.sleep(_POLL_S)
            else:
                return


class _Files:
    """The files of one log; `current` is the one that is read, None where there is no log."""

    def __init__(self, path: str, stack: ExitStack) -> None:
        self._path = path
        self._stack = stack
        self._complete = False
        self._ahead: list[LogFile] = []  # newer ones, the newest first
        missing = number = 0
        # The newest first: one that is renamed meanwhile turns up again, and none is missed. While
        # they are moved up there is a gap of one.
        while missing < _GAP:
            file = open_log_file(path, number)
            number += 1
            if file is None:
                missing += 1
                continue
            stack.callback(file.close)
            missing = 0
            if not any(is_same(file, seen) for seen in self._ahead):
                self._ahead.append(file)
        self.current = self._ahead.pop() if self._ahead else None

    def end_here(self) -> None:
        """Take what there is now for all."""
        self._complete = True
        for file in self._ahead:
            file.end_here()
        if self.current is not None:
            self.current.end_here()

    def skip_to(self, tail: int) -> None:
        """Go to where the last `tail` lines begin; negative for the very beginning."""
        if tail < 0 or self.current is None:
            return
        wanted = tail
        newest = [*self._ahead, self.current]
        for place, file in enumerate(newest):
            wanted -= file.skip_to_last(wanted)
            if wanted <= 0 or place == len(newest) - 1:
                self.current, self._ahead = file, newest[:place]
                return

    def advance(self) -> bool:
        """Go on to the next newer file, if there is one."""
        if not self._ahead and not self._complete:
            self._look()
        if not self._ahead:
            return False
        self.current = self._ahead.pop()
        return True

    def _look(self) -> None:
        """Find the files that are newer than the current one, which may have been renamed or packed."""
        current = self.current
        if current is None:
            return
        newer: list[LogFile] = []
        missing = number = 0
        while missing < _GAP:
            file = open_log_file(self._path, number)
            number += 1
            if file is None:
                missing += 1
                continue
            missing = 0
            if is_same(file, current):
                file.close()
                break
            self._stack.callback(file.close)
            newer.append(file)
        # What was written between our last look and the renaming comes first.
        if newer and current.has_more():
            newer.append(current)
        self._ahead = newer


def _parse(raw: bytes) -> LogLine | None:
    from lamina.errors import Invalid
    from lamina.spec.wire import decode

    try:
        row = decode(raw)
        attributes = row.get("attrs") or _NOTHING
        return LogLine(str(row["log"]), str(row["stream"]), str(row["time"]), attributes)
    except (Invalid, KeyError):  # a line cut short by a full disk or a crash
        return None
