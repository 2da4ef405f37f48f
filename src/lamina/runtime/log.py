"""The container's log, one JSON object per line as Docker's `json-file` driver writes it.

`log_reading` is the other side.
"""

import os
import time

from lamina.spec.wire import Document, encode

__all__ = ["LogWriter", "timestamp"]

_NS = 1_000_000_000
_LINE = 16 << 10
_NAMES = {1: "stdout", 2: "stderr"}


def timestamp(ns: int) -> str:
    """Write a time as RFC 3339 with nine digits of fraction, in UTC."""
    seconds, fraction = divmod(ns, _NS)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{fraction:09d}Z"


class LogWriter:
    """Appends output to a log file; a line longer than 16 KiB is written in pieces.

    A file that would grow beyond `max_size` bytes (0: no end) becomes `<path>.1`, the older ones
    move up, and what is beyond `max_files` goes; a single one is emptied. `attributes` go with each line.
    """

    def __init__(
        self,
        path: str,
        *,
        max_size: int = 0,
        max_files: int = 1,
        attributes: Document | None = None,
    ) -> None:
        self._path = path
        self._max_size = max_size
        self._max_files = max_files
        self._attributes = b',"attrs":' + encode(attributes) if attributes else b""
        self._rest = {1: b"", 2: b""}
        self._open()

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._fd = os.open(self._path, flags, 0o640)
        self._size = os.fstat(self._fd).st_size

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
        tail = b',"stream":"%b"%b,"time":"%b"}\n' % (
            _NAMES[stream].encode(), self._attributes, now.encode(),
        )  # fmt: skip
        rows = [b'{"log":' + encode(line.decode("utf-8", "replace")) + tail for line in lines]
        if self._max_size:
            self._append_within(rows)
        else:
            os.write(self._fd, b"".join(rows))

    def _append_within(self, rows: list[bytes]) -> None:
        batch: list[bytes] = []
        for row in rows:
            if self._size and self._size + len(row) > self._max_size:
                os.write(self._fd, b"".join(batch))
                batch = []
                self._rotate()
            batch.append(row)
            self._size += len(row)
        os.write(self._fd, b"".join(batch))

    def _rotate(self) -> None:
        if self._max_files == 1:
            os.ftruncate(self._fd, 0)
            self._size = 0
            return
        os.close(self._fd)
        for number in range(self._max_files - 1, 0, -1):
            older = self._path if number == 1 else f"{self._path}.{number - 1}"
            if os.path.exists(older):
                os.replace(older, f"{self._path}.{number}")
        self._open()

    def close(self) -> None:
        """Write what has no line end yet, and close the file."""
        for stream, rest in self._rest.items():
            self._append(stream, [rest] if rest else [])
        self._rest = {1: b"", 2: b""}
        os.close(self._fd)
