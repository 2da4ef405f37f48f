"""Sockets that can be cut from another thread: what makes Ctrl-C immediate.

A thread that waits in `send` or `recv` cannot be told anything; its socket can.
"""

from contextlib import suppress
from threading import Lock
from weakref import WeakSet

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from typing import Any

__all__ = ["LiveSockets", "dial"]


def dial(host: str, port: int, timeout_s: float) -> "socket.socket":
    """Connect. Raises: OSError, as `socket.create_connection` does."""
    import socket

    # A name in bytes spares us the codec for international names, and loading all of Unicode.
    name: Any = host.encode() if host.isascii() else host  # which the stubs do not know
    return socket.create_connection((name, port), timeout_s)


class LiveSockets:
    """The sockets that are open. Thread-safe; holds none of them alive."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._open: WeakSet[socket.socket] = WeakSet()

    def add(self, sock: "socket.socket") -> None:
        """Note a socket that was just connected."""
        with self._lock:
            self._open.add(sock)

    def cut(self) -> None:
        """Shut every socket down: whoever waits on one gets an error or an end at once."""
        import socket

        with self._lock:
            victims = list(self._open)
        for sock in victims:
            # An SSLSocket's own shutdown would take the TLS state from under the thread that uses
            # it; the plain one only tells the kernel.
            with suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
