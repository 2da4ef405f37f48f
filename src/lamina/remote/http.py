"""Requests over pooled connections: proxies, TLS, redirects and retries; no authentication here.

Redirects are followed by hand, because credentials must stay behind when scheme, host or port
change: urllib3 and others compare less than that. Bodies are asked for as they are
(`Accept-Encoding: identity`): a layer that was compressed once more matches no digest.
"""

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from random import random
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from lamina import __version__
from lamina.errors import LaminaError
from lamina.events import Listener, Notice, silent
from lamina.remote.endpoints import InsecureRules, speaks_tls
from lamina.remote.errors import (
    CertificateRefused,
    ConnectionBroken,
    RegistryUnreachable,
    ResponseInvalid,
)
from lamina.remote.messages import Body, Request, Response, origin, without_query
from lamina.remote.proxies import proxy_for
from lamina.remote.retry import RETRIED, Patience, Tries, delay_s, retry_after_s
from lamina.remote.sockets import LiveSockets
from lamina.remote.tls import context_for

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager

__all__ = ["BLOCK", "Transport"]

BLOCK = 256 * 1024
"""Bytes handed to or taken from a socket at a time."""
_REDIRECTS = (301, 302, 303, 307, 308)
_METHOD_KEPT = (307, 308)
_MOST_REDIRECTS = 10
_ERROR_LIMIT = 64 * 1024
_CONNECTIONS = 16
_WORTH_TELLING_S = 1.0
_STRANGER_TRIES = 2
_PRIVATE_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization"})


class Transport:
    """Sends requests, follows redirects, waits and tries again. Thread-safe.

    `environ` gives proxies and certificates; `listener` hears of longer waits. `clock` is epoch
    seconds, for `Retry-After` dates.
    """

    def __init__(
        self,
        docker_config: str,
        environ: Mapping[str, str],
        rules: InsecureRules,
        *,
        patience: Patience | None = None,
        listener: Listener = silent,
        clock: Callable[[], float] = time.time,
        dice: Callable[[], float] = random,
    ) -> None:
        self.patience = patience or Patience()
        self._docker_config = docker_config
        self._environ = environ
        self._rules = rules
        self._listener = listener
        self._clock = clock
        self._dice = dice
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._managers: dict[tuple[str, str], PoolManager] = {}
        self._met: set[tuple[str, str, int]] = set()
        self._sockets = LiveSockets()

    def abort(self) -> None:
        """Cut every connection, so that threads in the middle of a transfer fail at once."""
        self._closed.set()
        self._sockets.cut()
        self.close()

    def close(self) -> None:
        """Close idle connections and wake everybody who waits to try again (they fail then)."""
        self._closed.set()
        with self._lock:
            managers = list(self._managers.values())
            self._managers.clear()
        for manager in managers:
            manager.clear()

    def speaks_tls(self, host: str, port: int) -> bool:
        """Find out whether TLS is spoken there, through a proxy where one is set."""
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
            target = urljoin(url, location)
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
        from urllib3 import Timeout
        from urllib3.exceptions import HTTPError

        if self._closed.is_set():
            raise ConnectionBroken("stopped: the client is closed")
        url = url or request.url
        body, sent = _outgoing(request, headers)
        timeout = Timeout(connect=self.patience.connect_s, read=self.patience.read_s)
        try:
            raw = self._manager(url).urlopen(
                request.method,
                url,
                body=body,
                headers=sent,
                redirect=False,
                retries=False,
                preload_content=False,
                decode_content=False,
                timeout=timeout,
            )
            self._met.add(origin(url))
            return _incoming(request, url, raw)
        except (HTTPError, OSError) as error:
            raise _translate(error, url, request.method) from error

    def _manager(self, url: str) -> "PoolManager":
        """Give the connections to a place: one set per proxy and, with TLS, per host and port."""
        scheme, host, port = origin(url)
        proxy = proxy_for(scheme, host, port, self._environ)
        place = urlsplit(url).netloc.rpartition("@")[2].lower() if scheme == "https" else ""
        with self._lock:
            found = self._managers.get((proxy, place))
            if found is None:
                verify = not self._rules.allow(host, port)
                found = self._make_manager(proxy, place, verify=verify)
                self._managers[proxy, place] = found
            return found

    def _make_manager(self, proxy: str, place: str, *, verify: bool) -> "PoolManager":
        from urllib3 import PoolManager, ProxyManager, disable_warnings, make_headers
        from urllib3.exceptions import InsecureRequestWarning
        from urllib3.util import parse_url

        context = None
        if place:
            context = context_for(place, self._docker_config, self._environ, verify=verify)
            if not verify:  # whoever allowed plain http there knows; it is not said per request
                disable_warnings(InsecureRequestWarning)
        if not proxy:
            manager = PoolManager(ssl_context=context, maxsize=_CONNECTIONS, blocksize=BLOCK)
        else:
            parsed = parse_url(proxy)
            auth = make_headers(proxy_basic_auth=parsed.auth) if parsed.auth else None
            manager = ProxyManager(
                parsed._replace(auth=None).url,
                proxy_headers=auth,
                ssl_context=context,
                maxsize=_CONNECTIONS,
                blocksize=BLOCK,
            )
        manager.pool_classes_by_scheme = self._sockets.pool_classes()
        return manager


def _outgoing(
    request: Request, headers: Mapping[str, str]
) -> tuple["bytes | object | None", dict[str, str]]:
    sent = {
        "User-Agent": f"lamina/{__version__}",
        "Accept-Encoding": "identity",
        **headers,
    }
    if isinstance(request.body, Body):
        sent["Content-Length"] = str(request.body.size)
        return request.body.pieces(), sent
    return request.body, sent


def _incoming(request: Request, url: str, raw: "BaseHTTPResponse") -> Response:
    """Read the body, unless it was asked for as a stream and is a good one."""
    good = 200 <= raw.status < 300  # noqa: PLR2004
    if request.stream and good:
        return Response(raw.status, raw.headers, b"", url, request.method, raw)
    limit = request.limit if good else min(request.limit, _ERROR_LIMIT)
    body = _read_body(raw, limit, tolerant=not good)
    return Response(raw.status, raw.headers, body, url, request.method)


def _read_body(raw: "BaseHTTPResponse", limit: int, *, tolerant: bool) -> bytes:
    """Read up to limit + 1 bytes. `tolerant`: half an error message is better than none."""
    from urllib3.exceptions import HTTPError

    pieces: list[bytes] = []
    size = 0
    try:
        while size <= limit:
            piece = raw.read1(limit + 1 - size, decode_content=True)
            if not piece:
                raw.release_conn()
                return b"".join(pieces)
            pieces.append(piece)
            size += len(piece)
        raw.close()
    except (HTTPError, OSError):
        raw.close()
        if not tolerant:
            raise
    return b"".join(pieces)


def _status(response: Response | None) -> int:
    return response.status if response else 0


def _translate(error: Exception, url: str, method: str) -> LaminaError:
    """Say what broke in words of ours. The order matters: urllib3's classes overlap."""
    from urllib3 import exceptions as lib

    _, host, port = origin(url)
    where = f'{method.capitalize()} "{without_query(url)}"'
    if isinstance(error, lib.SSLError):
        return _translate_tls(error, where, host, port)
    if isinstance(error, lib.LocationParseError):
        return ResponseInvalid(f"{where}: not a usable address")
    unreachable = (
        (
            lib.ProxyError,
            f"the proxy does not let us through: {_reason(error)}",
            "check HTTPS_PROXY and HTTP_PROXY; NO_PROXY names hosts to reach directly",
        ),
        (
            lib.NameResolutionError,
            f"no such host: {host}",
            "check the registry's name and the network",
        ),
        (
            lib.NewConnectionError,
            f"cannot connect to {host}:{port}: {_reason(error)}",
            "check the registry's name and port, and that it is running",
        ),
        (
            lib.ConnectTimeoutError,
            f"no answer from {host}:{port}",
            "check the network, and the registry's port",
        ),
    )
    for kind, text, hint in unreachable:
        if isinstance(error, kind):
            return RegistryUnreachable(f"{where}: {text}", hint=hint)
    if isinstance(error, lib.ReadTimeoutError):
        return ConnectionBroken(f"{where}: the registry stopped answering")
    return ConnectionBroken(f"{where}: the connection broke off ({_reason(error)})")


def _translate_tls(error: Exception, where: str, host: str, port: int) -> LaminaError:
    text = str(error)
    if "EOF" in text:
        return ConnectionBroken(f"{where}: the connection broke off")
    if "CERTIFICATE_VERIFY_FAILED" in text:
        reason = text.partition("certificate verify failed: ")[2].partition(" (_ssl")[0]
        return CertificateRefused(
            f"{where}: tls: failed to verify certificate: {reason or text}",
            hint=f"put its authority's certificate into /etc/docker/certs.d/{host}:{port}/ca.crt, or set SSL_CERT_FILE",
        )
    if any(
        sign in text for sign in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "record layer")
    ):
        return CertificateRefused(
            f"{where}: http: server gave HTTP response to HTTPS client",
            hint=f"if you trust the network to it, set LAMINA_INSECURE_REGISTRIES={host}:{port}",
        )
    return CertificateRefused(
        f"{where}: tls: {_reason(error)}",
        hint="the registry may want a client certificate (certs.d)",
    )


def _reason(error: BaseException) -> str:
    """Dig out the operating system's own words."""
    seen: list[BaseException] = []
    here: BaseException | None = error
    while here is not None and here not in seen:
        seen.append(here)
        nested = here.args[-1] if here.args and isinstance(here.args[-1], BaseException) else None
        here = here.__cause__ or nested
    for each in reversed(seen):
        if isinstance(each, OSError) and each.strerror:
            with suppress(ValueError):
                return each.strerror.lower()
    return str(seen[-1]) or type(seen[-1]).__name__
