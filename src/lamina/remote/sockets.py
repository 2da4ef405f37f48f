"""Sockets that can be cut from another thread: what makes Ctrl-C immediate.

A thread that waits in `send` or `recv` cannot be told anything; its socket can. urllib3 has no word
for that, so its connections are made to tell us of the sockets they open.
"""

from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING
from weakref import WeakSet

if TYPE_CHECKING:
    import socket

    from urllib3 import HTTPConnectionPool

__all__ = ["LiveSockets"]


class LiveSockets:
    """The sockets that are open. Thread-safe; holds none of them alive."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._open: WeakSet[socket.socket] = WeakSet()

    def add(self, sock: "socket.socket | None") -> None:
        """Note a socket that was just connected."""
        if sock is not None:
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

    def pool_classes(self) -> "dict[str, type[HTTPConnectionPool]]":
        """Give the classes that make a `PoolManager` note its sockets here."""
        from urllib3.connection import HTTPConnection, HTTPSConnection
        from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

        note = self.add

        class Plain(HTTPConnection):
            def connect(self) -> None:
                super().connect()
                note(self.sock)

        class Secure(HTTPSConnection):
            def connect(self) -> None:
                super().connect()
                note(self.sock)

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(HTTPSConnectionPool):
            ConnectionCls = Secure

        return {"http": PlainPool, "https": SecurePool}
