"""The container's log, one JSON object per line as Docker's `json-file` driver writes it."""

import os
import time
from collections.abc import Callable, Iterator

from lamina.spec.wire import encode
from lamina.values import NamedTuple

__all__ = ["LogLine", "LogWriter", "read_log", "timestamp"]

_NS = 1_000_000_000
_LINE = 16 << 10
_BLOCK = 1 << 16
_NAMES = {1: "stdout", 2: "stderr"}


def timestamp(ns: int) -> str:
    """Write a time as RFC 3339 with nine digits of fraction, in UTC."""
    seconds, fraction = divmod(ns, _NS)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{fraction:09d}Z"


class LogWriter:
    """Appends output to a log file; a line longer than 16 KiB is written in pieces."""

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        self._rest = {1: b"", 2: b""}

    def write(self, stream: int, data: bytes) -> None:
        """Take what the container wrote to `stream` (1 or 2)."""
        *lines, rest = (self._rest[stream] + data).split(b"\n")
        pieces = [line + b"\n" for line in lines]
        while len(rest) >= _LINE:
            pieces.append(rest[:_LINE])
            rest = rest[_LINE:]
        self._rest[stream] = rest
        self._append(stream, pieces)

    def _append(self, stream: int, lines: list[bytes]) -> None:
        if not lines:
            return
        now = timestamp(time.time_ns())
        tail = f',"stream":"{_NAMES[stream]}","time":"{now}"}}\n'.encode()
        out = b"".join(
            b'{"log":' + encode(line.decode("utf-8", "replace")) + tail for line in lines
        )
        os.write(self._fd, out)

    def close(self) -> None:
        """Write what has no line end yet, and close the file."""
        for stream, rest in self._rest.items():
            self._append(stream, [rest] if rest else [])
        self._rest = {1: b"", 2: b""}
        os.close(self._fd)


class LogLine(NamedTuple):
    """One line of the log: text with its line end, `stdout` or `stderr`, RFC 3339 time."""

    text: str
    stream: str
    time: str


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
    as `follow()` is true. A half-written last line is left until it is whole.
    """
    try:
        file = open(path, "rb")  # noqa: SIM115 - closed below, whatever the caller does
    except FileNotFoundError:
        return
    with file:
        if tail >= 0:
            file.seek(_tail_offset(file.fileno(), tail))
        rest = b""
        while True:
            alive = follow() if follow else False
            data = file.read(_BLOCK)
            if data:
                *lines, rest = (rest + data).split(b"\n")
                for raw in lines:
                    line = _parse(raw)
                    if line and _between(line.time, since, until):
                        yield line
            elif alive:
                time.sleep(0.05)
            else:
                return


def _between(moment: str, since: str, until: str) -> bool:
    return (not since or moment >= since) and (not until or moment <= until)


def _parse(raw: bytes) -> LogLine | None:
    from lamina.errors import Invalid
    from lamina.spec.wire import decode

    try:
        row = decode(raw)
        return LogLine(str(row["log"]), str(row["stream"]), str(row["time"]))
    except (Invalid, KeyError):  # a line cut short by a full disk or a crash
        return None


def _tail_offset(fd: int, count: int) -> int:
    """Find where the last `count` lines begin, reading from the end."""
    position = os.fstat(fd).st_size
    wanted = count + 1  # the file ends with a line end
    if count == 0:
        return position
    while position > 0:
        start = max(0, position - _BLOCK)
        block = os.pread(fd, position - start, start)
        ends = block.count(b"\n")
        if ends < wanted:
            wanted -= ends
            position = start
            continue
        at = len(block)
        for _ in range(wanted):
            at = block.rfind(b"\n", 0, at)
        return start + at + 1
    return 0
