"""TLS inside TLS: a registry reached through a proxy that is itself spoken to in TLS.

A socket can be wrapped once only; the inner conversation therefore runs over memory, and this class
carries its records over the outer one.
"""

import io
from functools import partial

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable
    from typing import TypeVar

    from _typeshed import WriteableBuffer

    _T = TypeVar("_T")

__all__ = ["NestedTls"]

_RECORDS = 64 * 1024


class NestedTls:
    """As much of a socket as a connection needs. Raises: ssl.SSLError, OSError."""

    def __init__(self, outer: "socket.socket", context: "ssl.SSLContext", host: str) -> None:
        import ssl

        self._outer = outer
        self._wants_more: type[OSError] = ssl.SSLWantReadError
        self._ends: tuple[type[OSError], ...] = (ssl.SSLZeroReturnError, ssl.SSLEOFError)
        self._coming = ssl.MemoryBIO()
        self._going = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._coming, self._going, server_hostname=host)
        self._carry(self._tls.do_handshake)

    def sendall(self, data: "bytes | memoryview") -> None:
        """Send all of it."""
        left = memoryview(data).cast("B")
        while left:
            left = left[self._carry(partial(self._tls.write, left[:_RECORDS])) :]

    def recv_into(self, buffer: memoryview) -> int:
        """Take what comes; 0 at the end."""
        try:
            return self._carry(partial(self._read, buffer))
        except self._ends:
            return 0

    def makefile(self, mode: str) -> io.BufferedReader:
        """Give a reader of what comes, as a socket does."""
        del mode  # "rb" and nothing else is asked for
        return io.BufferedReader(_Incoming(self))

    def fileno(self) -> int:
        """Give the number to poll."""
        return self._outer.fileno()

    def settimeout(self, timeout_s: float | None) -> None:
        """Say how long one send or receive may take."""
        self._outer.settimeout(timeout_s)

    def close(self) -> None:
        """Hang up."""
        self._outer.close()

    def _read(self, buffer: memoryview) -> int:
        data = self._tls.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _carry(self, step: "Callable[[], _T]") -> "_T":
        """Do a step of the inner conversation, and carry records until it is done."""
        while True:
            try:
                done = step()
            except self._wants_more:
                self._flush()
                records = self._outer.recv(_RECORDS)
                if records:
                    self._coming.write(records)
                else:
                    self._coming.write_eof()
            else:
                self._flush()
                return done

    def _flush(self) -> None:
        if records := self._going.read():
            self._outer.sendall(records)


class _Incoming(io.RawIOBase):
    """The raw end that a BufferedReader reads from."""

    def __init__(self, tls: NestedTls) -> None:
        self._tls = tls

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        return self._tls.recv_into(memoryview(buffer).cast("B"))
