"""Connections to web servers, kept open for the next request: the standard library's, pooled.

A connection knows how it is made: through a proxy or not, in TLS or not. What it cannot do is said
by `NotConnected`, which tells whose fault it is; everything after that is the caller's to judge.
"""

import contextlib
import socket
from base64 import b64encode
from http.client import HTTPConnection, HTTPException, HTTPResponse
from threading import Lock
from urllib.parse import unquote, urlsplit

from lamina.remote.messages import origin
from lamina.remote.nested import NestedTls
from lamina.remote.sockets import LiveSockets, dial
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

__all__ = [
    "BREAKS",
    "Connection",
    "Connections",
    "NotConnected",
    "Place",
    "TlsFailed",
    "WireStream",
]

BREAKS = (OSError, HTTPException)
"""What a conversation that breaks off raises."""
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

    def give_back(self, connection: "Connection") -> None:
        """Keep a connection whose response was read to its end."""
        with self._lock:
            idle = self._idle.setdefault(connection.place, [])
            if len(idle) < _MOST_IDLE:
                idle.append(connection)
                return
        connection.close()

    def cut(self) -> None:
        """Shut every socket: whoever waits on one fails at once."""
        self._sockets.cut()

    def close(self) -> None:
        """Close the idle ones."""
        with self._lock:
            rows = [each for idle in self._idle.values() for each in idle]
            self._idle.clear()
        for each in rows:
            each.close()


class Connection(HTTPConnection):
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
        self._proxy = urlsplit(place.proxy) if place.proxy else None
        host, port = place.host, place.port
        if self._proxy is not None:
            host = self._proxy.hostname or ""
            port = self._proxy.port or (443 if self._proxy.scheme == "https" else 80)
        super().__init__(host, port)

    @property
    def is_forwarded(self) -> bool:
        """Whether requests go to a proxy that reads them: they name the whole URL then."""
        return self._proxy is not None and self._context is None

    @property
    def proxy_headers(self) -> dict[str, str]:
        """What the proxy wants to know of us; never the registry's business."""
        if self._proxy is None or not self._proxy.username:
            return {}
        words = f"{unquote(self._proxy.username)}:{unquote(self._proxy.password or '')}"
        return {"Proxy-Authorization": f"Basic {b64encode(words.encode()).decode()}"}

    def is_alive(self) -> bool:
        """Tell whether an idle connection may be used: nothing came meanwhile, not even an end."""
        import select

        if self.sock is None:
            return False
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        return not poll.poll(0)

    def connect(self) -> None:
        """Connect, in TLS where that is due. Raises: NotConnected, TlsFailed."""
        try:
            sock = dial(self.host, self.port, self._connect_s)
        except OSError as error:
            raise self._refusal(error) from error
        self._sockets.add(sock)
        try:
            self.sock = self._prepared(sock)
            self.sock.settimeout(self._read_s)
        except BaseException:
            sock.close()
            self.sock = None
            raise

    def _prepared(self, sock: socket.socket) -> "socket.socket | NestedTls":
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        outer = sock
        if self._proxy is not None and self._proxy.scheme == "https":
            import ssl

            outer = self._wrapped(sock, ssl.create_default_context(), self.host)
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
        lines = [f"CONNECT {self.place.shown} HTTP/1.1", f"Host: {self.place.shown}"]
        lines += [f"{name}: {value}" for name, value in self.proxy_headers.items()]
        sock.sendall("\r\n".join([*lines, "", ""]).encode("latin-1", "replace"))
        response = HTTPResponse(sock, method="CONNECT")
        try:
            response.begin()
        except BREAKS as error:
            raise self._proxy_refusal(str(error) or type(error).__name__) from error
        finally:
            response.close()
        if response.status != 200:  # noqa: PLR2004
            raise self._proxy_refusal(f"{response.status} {response.reason}".strip())

    def _refusal(self, error: OSError) -> NotConnected:
        reason = (error.strerror or str(error) or "timed out").lower()
        if self._proxy is not None:
            return self._proxy_refusal(reason)
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
        return NotConnected(
            f"the proxy does not let us through: {reason}",
            "check HTTPS_PROXY and HTTP_PROXY; NO_PROXY names hosts to reach directly",
        )


class WireStream:
    """A response body still on the wire; gives its connection back when it was read to its end."""

    def __init__(
        self, connection: Connection, response: HTTPResponse, connections: Connections
    ) -> None:
        self._connection = connection
        self._response = response
        self._connections = connections

    def read1(self, size: int) -> bytes:
        """Give the next bytes that come, at most `size`; none at the end. Raises: one of BREAKS."""
        piece = self._response.read1(size)
        if not piece and size and self._response.length:
            raise ConnectionResetError(f"{self._response.length} bytes are missing at the end")
        return piece

    def release(self) -> None:
        """Give the connection back for the next request, if the body has been read."""
        done = self._response.isclosed() or self._response.length == 0
        reusable = done and not self._response.will_close
        self._response.close()
        if reusable:
            self._connections.give_back(self._connection)
        else:
            self._connection.close()

    def close(self) -> None:
        """Drop the connection."""
        with contextlib.suppress(OSError):
            self._connection.close()
            self._response.close()
