"""The container's log, one JSON object per line as Docker's `json-file` driver writes it.

`log_reading` is the other side, `log_packing` what compresses rotated files.
"""

import os
import time
from contextlib import suppress

from lamina.spec.wire import Document, encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.runtime.log_packing import Packing

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
    move up, and what is beyond `max_files` goes; a single one is emptied. With `compress` rotated
    files become `<path>.1.gz` while the next one fills. `attributes` go with each line. What the disk
    has no room for is lost; a container does not end for its log.
    """

    def __init__(
        self,
        path: str,
        *,
        max_size: int = 0,
        max_files: int = 1,
        compress: bool = False,
        attributes: Document | None = None,
    ) -> None:
        self._path = path
        self._max_size = max_size
        self._max_files = max_files
        self._compress = compress and max_files > 1
        self._packing: Packing | None = None
        self._attributes = b',"attrs":' + encode(attributes) if attributes else b""
        self._rest = {1: b"", 2: b""}
        self._open()
        self._torn = self._size > 0 and os.pread(self._fd, 1, self._size - 1) != b"\n"
        self._pack()

    def _open(self) -> None:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
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
            self._put(b"".join(rows))

    def _append_within(self, rows: list[bytes]) -> None:
        batch: list[bytes] = []
        filled = self._size
        for row in rows:
            if filled and filled + len(row) > self._max_size:
                self._put(b"".join(batch))
                batch = []
                if self._size:  # on a full disk there is nothing to rotate
                    self._rotate()
                filled = self._size
            batch.append(row)
            filled += len(row)
        self._put(b"".join(batch))

    def _put(self, data: bytes) -> None:
        """Write rows; what does not fit on the disk is lost, and the row it broke off is ended."""
        if self._torn and data:
            data = b"\n" + data
        try:
            written = os.write(self._fd, data)
        except OSError:
            return
        self._size += written
        if written:
            self._torn = written < len(data) and data[written - 1 : written] != b"\n"
        if self._packing and self._packing.go_on(2 * len(data)):
            self._packing = None

    def _rotate(self) -> None:
        if self._max_files == 1:
            os.ftruncate(self._fd, 0)
            self._size, self._torn = 0, False
            return
        self._finish_packing()
        try:
            for number in range(self._max_files - 1, 0, -1):
                self._move(number)
        except OSError:  # a full disk may refuse even that: the file grows until there is room
            return
        os.close(self._fd)
        self._open()
        self._torn = False
        self._pack()

    def _move(self, number: int) -> None:
        """Let the file before it be number `number`, packed or not."""
        older = self._path if number == 1 else f"{self._path}.{number - 1}"
        if os.path.exists(older):
            os.replace(older, f"{self._path}.{number}")
            with suppress(FileNotFoundError):
                os.unlink(f"{self._path}.{number}.gz")
        elif number > 1 and os.path.exists(f"{older}.gz"):
            os.replace(f"{older}.gz", f"{self._path}.{number}.gz")
            with suppress(FileNotFoundError):
                os.unlink(f"{self._path}.{number}")

    def _pack(self) -> None:
        """Begin to compress the newest rotated file; or again, where a killed shim left it half done."""
        if self._compress and os.path.exists(f"{self._path}.1"):
            from lamina.runtime.log_packing import Packing

            with suppress(OSError):
                self._packing = Packing(f"{self._path}.1")

    def _finish_packing(self) -> None:
        if self._packing:
            self._packing.finish()
            self._packing = None

    def close(self) -> None:
        """Write what has no line end yet, and close the file."""
        for stream, rest in self._rest.items():
            self._append(stream, [rest] if rest else [])
        self._rest = {1: b"", 2: b""}
        self._finish_packing()
        os.close(self._fd)
