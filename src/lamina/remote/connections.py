"""Connections to web servers, kept open for the next request.

A connection knows how it is made: through a proxy or not, in TLS or not. What it cannot do is said
by `NotConnected`, which tells whose fault it is; everything after that is the caller's to judge.
"""

import socket
from contextlib import suppress
from threading import Lock, Thread

from lamina.errors import LaminaError
from lamina.remote.messages import origin
from lamina.remote.nested import NestedTls
from lamina.remote.sockets import LiveSockets, dial
from lamina.remote.wire import Answer, WireBroken, head_of
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable

__all__ = [
    "BREAKS",
    "PROXY_LOGIN",
    "Connection",
    "Connections",
    "NotConnected",
    "Place",
    "TlsFailed",
    "WireStream",
]

BREAKS = (OSError, WireBroken)
"""What a conversation that breaks off raises."""
PROXY_LOGIN = "give the proxy a name and password: HTTPS_PROXY=http://NAME:PASSWORD@HOST:PORT"
"""What to do where a proxy answers 407."""
_PROXIES = "check HTTPS_PROXY and HTTP_PROXY; NO_PROXY names hosts to reach directly"
_MOST_IDLE = 16


class NotConnected(Exception):
    """No connection came about. `text` and `hint` are for people."""

    def __init__(self, text: str, hint: str) -> None:
        super().__init__(text)
        self.text = text
        self.hint = hint


class TlsFailed(Exception):
    """The other side's certificate, or its TLS, will not do; in OpenSSL's words."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a connection leads: a web server, by way of a proxy (a URL) or directly."""

    scheme: str
    host: str
    port: int
    proxy: str = ""

    @classmethod
    def of(cls, url: str, proxy: str) -> "Place":
        """Give the place that serves `url`. Raises: ValueError (no usable address)."""
        return cls(*origin(url), proxy)

    @property
    def shown(self) -> str:
        """Host and port as people write them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Connections:
    """Open connections by place. Thread-safe; each connection is one caller's at a time.

    `context_of` gives the TLS context for a place, asked once per place.
    """

    def __init__(
        self, context_of: "Callable[[Place], ssl.SSLContext]", *, connect_s: float, read_s: float
    ) -> None:
        self._context_of = context_of
        self._connect_s = connect_s
        self._read_s = read_s
        self._lock = Lock()
        self._idle: dict[Place, list[Connection]] = {}
        self._contexts: dict[Place, ssl.SSLContext] = {}
        self._closed = False
        self._sockets = LiveSockets()

    def __del__(self) -> None:
        self.close()  # of a client that nobody closed

    def take(self, place: Place, *, fresh: bool = False) -> "Connection":
        """Give an idle connection that still lives (not if `fresh`), else a new one, not yet made."""
        while not fresh:
            with self._lock:
                idle = self._idle.get(place)
                if not idle:
                    break
                found = idle.pop()
            if found.is_alive():
                found.used = True
                return found
            found.close()
        context = None
        if place.scheme == "https":
            with self._lock:
                context = self._contexts.get(place)
            context = context or self._context_of(place)
            with self._lock:
                self._contexts[place] = context
        return Connection(place, context, self._sockets, self._connect_s, self._read_s)

    def warm(self, place: Place, count: int) -> None:
        """Open connections in threads of their own, as far as there are too few idle ones."""
        with self._lock:
            lacking = min(count, _MOST_IDLE) - len(self._idle.get(place, ()))
        for _ in range(lacking):
            Thread(target=self._warm, args=(place,), name="connect", daemon=True).start()

    def _warm(self, place: Place) -> None:
        with suppress(NotConnected, TlsFailed, LaminaError, *BREAKS):
            connection = self.take(place, fresh=True)
            connection.connect()
            self.give_back(connection)

    def give_back(self, connection: "Connection") -> None:
        """Keep a connection whose response was read to its end."""
        with self._lock:
            idle = self._idle.setdefault(connection.place, [])
            if len(idle) < _MOST_IDLE and not self._closed:
                idle.append(connection)
                return
        connection.close()

    def cut(self) -> None:
        """Shut every socket: whoever waits on one fails at once."""
        self._sockets.cut()

    def close(self) -> None:
        """Close the idle ones, and those that are given back later."""
        with self._lock:
            self._closed = True
            rows = [each for idle in self._idle.values() for each in idle]
            self._idle.clear()
        for each in rows:
            each.close()


class Connection:
    """One connection; made at the first request. `used` says whether it served one before."""

    def __init__(
        self,
        place: Place,
        context: "ssl.SSLContext | None",
        sockets: LiveSockets,
        connect_s: float,
        read_s: float,
    ) -> None:
        self.place = place
        self.used = False
        self._context = context
        self._sockets = sockets
        self._connect_s = connect_s
        self._read_s = read_s
        self._sock: socket.socket | NestedTls | None = None
        self._method = ""
        self._proxy = None
        self._host, self._port = place.host, place.port
        if place.proxy:
            from urllib.parse import urlsplit

            self._proxy = proxy = urlsplit(place.proxy)
            self._host = proxy.hostname or ""
            self._port = proxy.port or (443 if proxy.scheme == "https" else 80)

    @property
    def is_forwarded(self) -> bool:
        """Whether requests go to a proxy that reads them: they name the whole URL then."""
        return self._proxy is not None and self._context is None

    @property
    def proxy_headers(self) -> dict[str, str]:
        """What the proxy wants to know of us; never the registry's business."""
        if self._proxy is None or not self._proxy.username:
            return {}
        from binascii import b2a_base64
        from urllib.parse import unquote

        words = f"{unquote(self._proxy.username)}:{unquote(self._proxy.password or '')}"
        return {
            "Proxy-Authorization": f"Basic {b2a_base64(words.encode(), newline=False).decode()}"
        }

    def is_alive(self) -> bool:
        """Tell whether an idle connection may be used: nothing came meanwhile, not even an end."""
        import select

        if self._sock is None:
            return False
        poll = select.poll()
        poll.register(self._sock, select.POLLIN)
        return not poll.poll(0) or self._has_only_tickets()

    def _has_only_tickets(self) -> bool:
        """Tell whether all that came is TLS's own: tickets for a later session come after the hello."""
        from ssl import SSLSocket, SSLWantReadError

        if self._context is None or not isinstance(self._sock, SSLSocket):
            return False
        self._sock.settimeout(0)
        try:
            self._sock.recv(1)
        except SSLWantReadError:
            return True
        except OSError:
            return False
        else:
            return False
        finally:
            self._sock.settimeout(self._read_s)

    def ask(
        self, method: str, target: str, fields: "Iterable[tuple[str, str]]", body: bytes = b""
    ) -> None:
        """Send the head of a request and as much of its body as is at hand; connect first if need be.

        Raises: one of BREAKS, NotConnected, TlsFailed.
        """
        head = head_of(method, target, fields)
        self._method = method
        if self._sock is None:
            self.connect()
        self.send(head + body)

    def send(self, data: bytes) -> None:
        """Send more of the body. Raises: OSError."""
        if self._sock is None:
            raise ConnectionResetError("the connection was closed")
        self._sock.sendall(data)

    def answer(self) -> Answer:
        """Give the answer to what was asked last, its head read. Raises: one of BREAKS."""
        if self._sock is None:
            raise ConnectionResetError("the connection was closed")
        return Answer(self._sock, self._method)

    def close(self) -> None:
        """Hang up. May be called twice."""
        sock, self._sock = self._sock, None
        if sock is not None:
            sock.close()

    def connect(self) -> None:
        """Connect, in TLS where that is due. Raises: NotConnected, TlsFailed."""
        try:
            sock = dial(self._host, self._port, self._connect_s)
        except OSError as error:
            raise self._refusal(error) from error
        self._sockets.add(sock)
        try:
            self._sock = self._prepared(sock)
            self._sock.settimeout(self._read_s)
        except BaseException:
            sock.close()
            self._sock = None
            raise

    def _prepared(self, sock: socket.socket) -> "socket.socket | NestedTls":
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        outer = sock
        if self._proxy is not None and self._proxy.scheme == "https":
            import ssl

            outer = self._wrapped(sock, ssl.create_default_context(), self._host)
        if self._context is None:
            return outer
        try:
            if self._proxy is not None:
                self._ask_for_tunnel(outer)
            if outer is not sock:
                return NestedTls(outer, self._context, self.place.host)
        except BaseException:
            outer.close()
            raise
        return self._wrapped(sock, self._context, self.place.host)

    def _wrapped(self, sock: socket.socket, context: "ssl.SSLContext", host: str) -> socket.socket:
        from ssl import SSLError

        try:
            wrapped = context.wrap_socket(sock, server_hostname=host)
        except SSLError as error:
            raise TlsFailed(str(error)) from error
        self._sockets.add(wrapped)
        return wrapped

    def _ask_for_tunnel(self, sock: socket.socket) -> None:
        """Let the proxy connect us through. Raises: NotConnected."""
        fields = [("Host", self.place.shown), *self.proxy_headers.items()]
        try:
            sock.sendall(head_of("CONNECT", self.place.shown, fields))
            answer = Answer(sock, "CONNECT")
        except BREAKS as error:
            raise self._proxy_refusal(str(error) or type(error).__name__) from error
        answer.close()
        if answer.status != 200:  # noqa: PLR2004
            raise self._proxy_refusal(f"{answer.status} {answer.reason}".strip())

    def _refusal(self, error: OSError) -> NotConnected:
        reason = (error.strerror or str(error) or "timed out").lower()
        if self._proxy is not None:
            return NotConnected(
                f"cannot reach the proxy {self._host}:{self._port}: {reason}", _PROXIES
            )
        if isinstance(error, socket.gaierror):
            return NotConnected(
                f"no such host: {self.place.host}", "check the registry's name and the network"
            )
        if isinstance(error, TimeoutError):
            return NotConnected(
                f"no answer from {self.place.shown}",
                "check the network, and the registry's port",
            )
        return NotConnected(
            f"cannot connect to {self.place.shown}: {reason}",
            "check the registry's name and port, and that it is running",
        )

    def _proxy_refusal(self, reason: str) -> NotConnected:
        wants_login = reason.startswith("407")
        return NotConnected(
            f"the proxy does not let us through: {reason}", PROXY_LOGIN if wants_login else _PROXIES
        )


class WireStream:
    """A response body still on the wire; gives its connection back when it was read to its end."""

    def __init__(self, connection: Connection, answer: Answer, connections: Connections) -> None:
        self._connection = connection
        self._answer = answer
        self._connections = connections

    def read1(self, size: int) -> bytes:
        """Give the next bytes that come, at most `size`; none at the end. Raises: one of BREAKS."""
        return self._answer.read1(size)

    def release(self) -> None:
        """Give the connection back for the next request, if the body has been read."""
        reusable = self._answer.is_over and not self._answer.will_close
        self._answer.close()
        if reusable:
            self._connections.give_back(self._connection)
        else:
            self._connection.close()

    def close(self) -> None:
        """Drop the connection."""
        with suppress(OSError):
            self._connection.close()
            self._answer.close()
