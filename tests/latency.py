"""A long line to a server, for tests and the bench: a port that counts round trips, and delays them."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from typing import Self

__all__ = ["LongLine"]

_PATIENCE_S = 60.0
_BEGINNINGS = (
    b"GET ",
    b"HEAD ",
    b"POST ",
    b"PUT ",
    b"PATCH ",
    b"DELETE ",
    b"\x16",
)  # the last of TLS


class LongLine:
    """A loopback port that forwards to another, `delay_s` later for each turn of the conversation.

    `turns` are the round trips: a connection on which requests follow answers has as many as
    requests. Answers of requests that `held` picks wait until `together` of them are under way at
    once and as many connections as `lines` are open, so that a client that sends them one after
    another, or connects only when it needs to, does not get on (`stuck` then).
    """

    def __init__(
        self,
        address: str,
        *,
        delay_s: float = 0.0,
        held: Callable[[bytes], bool] = lambda request: False,
        together: int = 1,
        lines: int = 0,
    ) -> None:
        host, _, port = address.rpartition(":")
        self._target = (host, int(port))
        self._delay_s = delay_s
        self._held = held
        self._together = together
        self._lines = lines
        self._waiting = 0
        self._news = threading.Condition()
        self._ended = False
        self.turns = 0
        self.connections = 0
        self.requests: list[bytes] = []
        self.stuck = False
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._spawn(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        with self._news:
            self._ended = True
            self._news.notify_all()
        # shutdown, not close alone: it wakes the threads that wait in accept and recv
        for one in [self._listener, *self._sockets]:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(100)
        for one in [self._listener, *self._sockets]:
            one.close()

    def _spawn(self, function: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=function, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            time.sleep(0)
            try:
                far = socket.create_connection(self._target)
            except OSError:  # nobody there: whoever came hears of it
                near.close()
                continue
            for one in (near, far):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sockets += [near, far]
            with self._news:
                self.connections += 1
                self._news.notify_all()
            self._spawn(self._talk, near, far)

    def _talk(self, near: socket.socket, far: socket.socket) -> None:
        """Carry one connection: `asking` is the request whose answer has not begun."""
        talk = _Talk()
        self._spawn(self._answers, near, far, talk)
        time.sleep(self._delay_s)  # the handshake's
        with contextlib.suppress(OSError):
            while piece := near.recv(256 * 1024):
                # A server may have answered before the body came, which is no other request.
                if not talk.asking and piece.startswith(_BEGINNINGS):
                    self._begin(talk, piece)
                far.sendall(piece)
            far.shutdown(socket.SHUT_WR)

    def _begin(self, talk: "_Talk", request: bytes) -> None:
        with self._news:
            talk.asking, talk.held = True, self._held(request)
            self.turns += 1
            self.requests.append(request.partition(b"\r\n")[0])
            self._waiting += talk.held
            self._news.notify_all()
        time.sleep(self._delay_s / 2)

    def _answers(self, near: socket.socket, far: socket.socket, talk: "_Talk") -> None:
        with contextlib.suppress(OSError):
            while piece := far.recv(256 * 1024):
                if talk.asking:
                    self._end(talk)
                near.sendall(piece)
            near.shutdown(socket.SHUT_WR)

    def _end(self, talk: "_Talk") -> None:
        time.sleep(self._delay_s / 2)
        with self._news:
            if talk.held:
                enough = self._news.wait_for(
                    lambda: (
                        self._ended
                        or (self._waiting >= self._together and self.connections >= self._lines)
                    ),
                    _PATIENCE_S,
                )
                self.stuck = self.stuck or not enough
                self._held = lambda request: False  # once is enough
            talk.asking = talk.held = False


class _Talk:
    """What two threads know of one connection."""

    asking = False
    held = False
