"""Requests over pooled connections: proxies, TLS, redirects and retries; no authentication here.

Redirects are followed by hand, because credentials must stay behind when scheme, host or port
change: libraries compare less than that. Bodies are asked for as they are
(`Accept-Encoding: identity`): a layer that was compressed once more matches no digest.
"""

import os
import threading
import time
from collections.abc import Callable, Mapping

from lamina import __version__
from lamina.errors import Invalid, LaminaError
from lamina.events import Listener, Notice, silent
from lamina.remote.endpoints import InsecureRules, speaks_tls
from lamina.remote.errors import (
    CertificateRefused,
    ConnectionBroken,
    RegistryUnreachable,
    ResponseInvalid,
)
from lamina.remote.messages import (
    Body,
    Headers,
    Request,
    Response,
    joined,
    origin,
    quoted,
    split_url,
    without_query,
)
from lamina.remote.proxies import proxy_for
from lamina.remote.retry import RETRIED, Patience, Tries, delay_s, retry_after_s
from lamina.remote.tls import context_for
from lamina.remote.unpacked import unpack

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl

    from lamina.events import Witness
    from lamina.remote.connections import Connection, Connections, Place, WireStream
    from lamina.remote.wire import Answer

__all__ = ["BLOCK", "Transport"]

BLOCK = 256 * 1024
"""Bytes taken from a body to be sent at a time."""
_REDIRECTS = (301, 302, 303, 307, 308)
_METHOD_KEPT = (307, 308)
_MOST_REDIRECTS = 10
_ERROR_LIMIT = 64 * 1024
_WORTH_TELLING_S = 1.0
_STRANGER_TRIES = 2
_URL_SAFE = "!#$%&'()*+,/:;=?@[]~"
_TLS_PORT = 443
_DEFAULT_PORTS = {"http": ":80", "https": f":{_TLS_PORT}"}
_PRIVATE_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization"})


def _no_authorities(host: str) -> tuple[str, ...]:
    """Trust nobody more than the system does."""
    del host
    return ()


def _random() -> float:
    """Give a number in [0, 1), without the module that knows of distributions too."""
    return int.from_bytes(os.urandom(4), "big") / 2**32


class Transport:
    """Sends requests, follows redirects, waits and tries again. Thread-safe.

    `environ` gives proxies and certificates; `listener` hears of longer waits, `witness` of every
    exchange; `authorities` gives files of certificates for a host. `clock` is epoch seconds, for `Retry-After` dates.
    """

    def __init__(
        self,
        docker_config: str,
        environ: Mapping[str, str],
        rules: InsecureRules,
        *,
        patience: Patience | None = None,
        listener: Listener = silent,
        witness: "Witness | None" = None,
        authorities: Callable[[str], tuple[str, ...]] = _no_authorities,
        clock: Callable[[], float] = time.time,
        dice: Callable[[], float] = _random,
    ) -> None:
        self.patience = patience or Patience()
        self._docker_config = docker_config
        self._environ = environ
        self._rules = rules
        self._listener = listener
        self._witness = witness
        self._authorities = authorities
        self._clock = clock
        self._dice = dice
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._opened: Connections | None = None
        self._met: set[tuple[str, str, int]] = set()

    def abort(self) -> None:
        """Cut every connection, so that threads in the middle of a transfer fail at once."""
        self._closed.set()
        with self._lock:
            connections = self._opened
        if connections is not None:
            connections.cut()
        self.close()

    def close(self) -> None:
        """Close idle connections and wake everybody who waits to try again (they fail then)."""
        self._closed.set()
        with self._lock:
            connections = self._opened
        if connections is not None:
            connections.close()

    def speaks_tls(self, host: str, port: int) -> bool:
        """Find out whether TLS is spoken there, through a proxy where one is set.

        After `abort` nobody is asked: the request itself fails then, whatever this says.
        """
        if self._closed.is_set():
            return False
        if not proxy_for("https", host, port, self._environ):
            return speaks_tls(host, port)
        shown = f"[{host}]" if ":" in host else host
        try:
            self._exchange(Request("GET", f"https://{shown}:{port}/v2/"), "", {})
        except LaminaError:
            return False
        return True

    def send(self, request: Request) -> Response:
        """Give the response, whatever its status; try again what may be tried again.

        After the last try the last response is given, or the last error raised. The caller closes
        a stream. Raises: RegistryUnreachable, CertificateRefused, ConnectionBroken, ResponseInvalid.
        """
        waited_s = 0.0
        attempt = 1
        while True:
            response: Response | None = None
            trouble: LaminaError | None = None
            asked_s = None
            try:
                response = self._follow(request)
            except CertificateRefused:
                raise
            except RegistryUnreachable as error:
                trouble = error
                if attempt >= _STRANGER_TRIES and origin(request.url) not in self._met:
                    raise
            except ConnectionBroken as error:
                trouble = error
            if response is not None:
                if response.status not in RETRIED:
                    return response
                asked_s = retry_after_s(response.headers, self._clock())
            pause_s = (
                delay_s(
                    self.patience, attempt, waited_s=waited_s, asked_s=asked_s, dice=self._dice()
                )
                if request.retry
                else None
            )
            if pause_s is None:
                if response is not None:
                    return response
                raise trouble or ConnectionBroken(f"no answer from {without_query(request.url)}")
            self.wait(
                pause_s, str(trouble or f"{origin(request.url)[1]} answers {_status(response)}")
            )
            waited_s += pause_s
            attempt += 1

    def wait(self, pause_s: float, reason: str) -> None:
        """Sleep before another try; long waits are told to the listener.

        Raises: ConnectionBroken (the client was closed meanwhile).
        """
        if pause_s >= _WORTH_TELLING_S:
            self._listener(Notice(f"Retrying in {pause_s:.0f} seconds: {reason}"))
        if self._closed.wait(pause_s):
            raise ConnectionBroken("stopped while waiting for the registry")

    def tries(self, offset: int = 0) -> Tries:
        """Give the count of tries for a transfer that starts at `offset`."""
        return Tries(self.patience, self._dice, offset)

    def _follow(self, request: Request) -> Response:
        url, headers = request.url, dict(request.headers)
        for _ in range(_MOST_REDIRECTS):
            response = self._exchange(request, url, headers)
            if self._witness is not None:
                from lamina.remote.witnessed import exchanged

                self._witness(exchanged(request, headers, response))
            location = response.header("Location")
            if response.status not in _REDIRECTS or not location:
                return response
            if response.status not in _METHOD_KEPT and request.method not in ("GET", "HEAD"):
                return response
            target = self.resolve(url, location)
            if origin(target) != origin(url):
                headers = {k: v for k, v in headers.items() if k.lower() not in _PRIVATE_HEADERS}
            url = target
        raise ResponseInvalid(f"{without_query(request.url)} redirects without end")

    def resolve(self, url: str, location: str) -> str:
        """Give the address that the answer of `url` sends us to; relative ones are completed.

        Raises: ResponseInvalid (no web address, or plain http where that is not allowed).
        """
        try:
            target = joined(url, location)
            scheme, host, port = origin(target)
        except ValueError as error:
            raise ResponseInvalid(
                f"{without_query(url)} sends us to no usable address: {error}"
            ) from error
        if scheme not in ("http", "https") or not host:
            raise ResponseInvalid(
                f"{without_query(url)} sends us to {without_query(target)!r}, which is no web address"
            )
        if scheme == "http" and not self._rules.allow(host, port):
            raise ResponseInvalid(
                f"{without_query(url)} sends us to {without_query(target)}, which is not encrypted",
                hint=f"if you trust the network to {host}, add it to LAMINA_INSECURE_REGISTRIES",
            )
        return target

    def _exchange(self, request: Request, url: str, headers: Mapping[str, str]) -> Response:
        """Do one request and one response, without a second thought."""
        from lamina.remote.connections import BREAKS, NotConnected, Place, TlsFailed

        url = url or request.url
        try:
            scheme, host, port = origin(url)
            place = Place(scheme, host, port, proxy_for(scheme, host, port, self._environ))
        except ValueError as error:
            raise _unusable(url, request.method) from error
        try:
            return self._talk(request, url, headers, place)
        except NotConnected as error:
            raise RegistryUnreachable(
                f"{_where(url, request.method)}: {error.text}", hint=error.hint
            ) from error
        except TlsFailed as error:
            raise _translate_tls(str(error), _where(url, request.method), place) from error
        except BREAKS as error:
            raise _translate(error, url, request.method, place) from error

    def _talk(
        self, request: Request, url: str, headers: Mapping[str, str], place: "Place"
    ) -> Response:
        """Send and receive over one connection, or two where the first had gone stale unnoticed."""
        from lamina.remote.connections import BREAKS

        connections = self._connections()
        connection = connections.take(place)
        while True:
            if self._closed.is_set():
                raise ConnectionBroken("stopped: the client is closed")
            try:
                raw = _ask(connection, request, url, headers)
            except BREAKS:
                stale = connection.used and request.retry and not self._closed.is_set()
                connection.close()
                if not stale:
                    raise
                connection = connections.take(place, fresh=True)
            except BaseException:
                connection.close()
                raise
            else:
                self._met.add(origin(url))
                return _incoming(request, url, raw, connection, connections)

    def warm(self, url: str, count: int) -> None:
        """Open connections to where `url` is until `count` are idle; whoever asks next takes one.

        Returns at once. What fails is for the request to say that needs the connection.
        """
        from lamina.remote.connections import Place

        if count > 0:
            scheme, host, port = origin(url)
            place = Place(scheme, host, port, proxy_for(scheme, host, port, self._environ))
            self._connections().warm(place, count)

    def _connections(self) -> "Connections":
        from lamina.remote.connections import Connections

        with self._lock:
            if self._opened is None:
                self._opened = Connections(
                    self._context_of,
                    connect_s=self.patience.connect_s,
                    read_s=self.patience.read_s,
                )
            return self._opened

    def _context_of(self, place: "Place") -> "ssl.SSLContext":
        """Make the TLS context of a registry: its own authorities, none asked where it is insecure."""
        names: tuple[str, ...] = (place.shown,)
        if place.port == _TLS_PORT:
            names = (place.shown.removesuffix(f":{_TLS_PORT}"), place.shown)
        return context_for(
            names,
            self._docker_config,
            self._environ,
            verify=not self._rules.allow(place.host, place.port),
            authorities=[path for name in names for path in self._authorities(name)],
        )


def _ask(
    connection: "Connection", request: Request, url: str, headers: Mapping[str, str]
) -> "Answer":
    """Send a request, give the answer with its headers read."""
    parts = split_url(url)
    target = quoted(f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}", _URL_SAFE)
    host = parts.netloc.rpartition("@")[2].removesuffix(
        _DEFAULT_PORTS.get(parts.scheme.lower(), "")
    )
    if connection.is_forwarded:
        target = f"{parts.scheme}://{host}{target}"
    sent = {
        "Host": host,
        "User-Agent": f"lamina/{__version__}",
        "Accept-Encoding": "identity",
        **headers,
        **(connection.proxy_headers if connection.is_forwarded else {}),
    }
    body = request.body
    if isinstance(body, Body) and body.size is None:
        sent["Transfer-Encoding"] = "chunked"
    elif body is not None:
        sent["Content-Length"] = str(body.size if isinstance(body, Body) else len(body))
    for name, value in sent.items():
        if not (value.isascii() and value.isprintable()):
            raise Invalid(f"what is to be sent as {name} has characters that cannot be sent")
    try:
        at_hand = body if isinstance(body, bytes) else b""
        connection.ask(request.method, target, sent.items(), at_hand)
        if isinstance(body, Body):
            _send_pieces(connection, body)
    except (BrokenPipeError, ConnectionResetError):
        # A server that refuses before the end of the body says why before it hangs up.
        try:
            return connection.answer()
        except OSError:
            pass
        raise
    return connection.answer()


def _send_pieces(connection: "Connection", body: Body) -> None:
    for piece in body.pieces():
        if body.size is not None:
            connection.send(piece)
        elif piece:
            connection.send(b"%x\r\n%b\r\n" % (len(piece), piece))
    if body.size is None:
        connection.send(b"0\r\n\r\n")


def _incoming(
    request: Request,
    url: str,
    raw: "Answer",
    connection: "Connection",
    connections: "Connections",
) -> Response:
    """Read the body, unless it was asked for as a stream and is a good one."""
    from lamina.remote.connections import WireStream

    headers = Headers(raw.fields)
    stream = WireStream(connection, raw, connections)
    good = 200 <= raw.status < 300  # noqa: PLR2004
    if request.stream and good:
        return Response(raw.status, headers, b"", url, request.method, stream)
    limit = request.limit if good else min(request.limit, _ERROR_LIMIT)
    body = _read_body(stream, limit, tolerant=not good)
    if coding := headers.get("Content-Encoding", ""):
        body = unpack(body, coding, limit)
    return Response(raw.status, headers, body, url, request.method)


def _read_body(stream: "WireStream", limit: int, *, tolerant: bool) -> bytes:
    """Read up to limit + 1 bytes. `tolerant`: half an error message is better than none."""
    from lamina.remote.connections import BREAKS

    pieces: list[bytes] = []
    size = 0
    try:
        while size <= limit:
            piece = stream.read1(limit + 1 - size)
            if not piece:
                stream.release()
                return b"".join(pieces)
            pieces.append(piece)
            size += len(piece)
        stream.close()
    except BREAKS:
        stream.close()
        if not tolerant:
            raise
    return b"".join(pieces)


def _status(response: Response | None) -> int:
    return response.status if response else 0


def _where(url: str, method: str) -> str:
    return f'{method.capitalize()} "{without_query(url)}"'


def _unusable(url: str, method: str) -> LaminaError:
    return ResponseInvalid(f"{_where(url, method)}: not a usable address")


def _translate(error: Exception, url: str, method: str, place: "Place") -> LaminaError:
    """Say what broke in words of ours."""
    from lamina.remote.wire import NotWritable

    where = _where(url, method)
    if isinstance(error, NotWritable):
        return _unusable(url, method)
    if isinstance(error, TimeoutError):
        return ConnectionBroken(f"{where}: the registry stopped answering")
    if type(error).__module__ == "ssl":  # not imported here: most who come by have no need of it
        return _translate_tls(str(error), where, place)
    reason = str(error) or type(error).__name__
    if isinstance(error, OSError) and error.strerror:
        reason = error.strerror.lower()
    return ConnectionBroken(f"{where}: the connection broke off ({reason})")


def _translate_tls(text: str, where: str, place: "Place") -> LaminaError:
    if "EOF" in text:
        return ConnectionBroken(f"{where}: the connection broke off")
    if "CERTIFICATE_VERIFY_FAILED" in text:
        reason = text.partition("certificate verify failed: ")[2].partition(" (_ssl")[0]
        return CertificateRefused(
            f"{where}: tls: failed to verify certificate: {reason or text}",
            hint=_certificate_hint(reason, place),
        )
    if any(
        sign in text for sign in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "record layer")
    ):
        return CertificateRefused(
            f"{where}: http: server gave HTTP response to HTTPS client",
            hint=f"if you trust the network to it, set LAMINA_INSECURE_REGISTRIES={place.shown}",
        )
    if any(
        sign in text for sign in ("PROTOCOL", "VERSION", "NO_SHARED_CIPHER", "SSLV3_ALERT_HAND")
    ):
        hint = "the two sides have no kind of TLS in common: the registry's may be too old"
    else:
        hint = f"the registry may want a client certificate: client.cert and client.key in certs.d/{place.shown}"
    return CertificateRefused(f"{where}: tls: {text}", hint=hint)


def _certificate_hint(reason: str, place: "Place") -> str:
    """Say who can do something about a certificate that is not accepted."""
    if "expired" in reason or "not yet valid" in reason:
        return "the registry's owner must renew it, unless this machine's clock is wrong"
    if "mismatch" in reason.lower():
        return "the certificate is for other names: ask for the registry by one of them"
    return (
        f"put its authority's certificate into /etc/docker/certs.d/{place.shown}/ca.crt,"
        " or set SSL_CERT_FILE"
    )
