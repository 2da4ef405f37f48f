"""Servers for the tests of the registry client: one with passwords, and ones that misbehave."""

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from tests.servers import RegistryServer

from lamina.remote.client import Client
from lamina.remote.retry import Patience
from lamina.settings import Settings

__all__ = [
    "PASSWORD",
    "QUICK",
    "USER",
    "CrookedServer",
    "CuttingProxy",
    "Exchange",
    "PasswordRegistry",
    "client_for",
    "serve_layout",
    "settings_for",
]

USER, PASSWORD = "alice", "wonderland"
_BCRYPT = "$2b$04$WHuBjVfvYa7/VNL6o6ToruJYSaFcgO1Xmm1Y5tQvlDqaEE9dgEXlK"  # of PASSWORD, made once
QUICK = Patience(tries=5, first_s=0.01, longest_s=0.05, total_s=5, connect_s=30, read_s=60)


class PasswordRegistry(RegistryServer):
    """`docker-registry` that lets `alice` with `wonderland` in, by Basic."""

    def command(self) -> tuple[list[str], dict[str, str]]:
        argv, environ = super().command()
        (self.folder / "htpasswd").write_text(f"{USER}:{_BCRYPT}\n")
        with (self.folder / "registry.yml").open("a") as config:
            config.write(f"auth: {{htpasswd: {{realm: test, path: {self.folder}/htpasswd}}}}\n")
        return argv, environ


def settings_for(folder: Path) -> Settings:
    """Settings whose docker config is a folder of the test."""
    return Settings(str(folder / "root"), str(folder / "run"), str(folder / "docker"))


@contextlib.contextmanager
def client_for(
    folder: Path, patience: Patience = QUICK, environ: dict[str, str] | None = None
) -> Iterator[Client]:
    """Give a client with an environment of its own, that loses patience quickly."""
    env = {"HOME": str(folder), "PATH": str(folder / "bin"), **(environ or {})}
    with Client(settings_for(folder), environ=env, patience=patience) as client:
        yield client


@dataclass
class Exchange:
    """One request at a crooked server, and the means to answer it badly."""

    handler: BaseHTTPRequestHandler
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    _body: bytes | None = None

    @property
    def authorization(self) -> str:
        return self.headers.get("authorization", "")

    @property
    def body(self) -> bytes:
        if self._body is None:
            chunked = self.headers.get("transfer-encoding") == "chunked"
            length = int(self.headers.get("content-length") or 0)
            self._body = b"".join(self.chunks()) if chunked else self.handler.rfile.read(length)
        return self._body

    def chunks(self) -> list[bytes]:
        """Read a body without a length, as it was cut."""
        found = []
        while size := int(self.handler.rfile.readline(), 16):
            found.append(self.handler.rfile.read(size))
            self.handler.rfile.readline()
        self.handler.rfile.readline()
        self._body = b"".join(found)
        return found

    def reply(
        self, status: int, body: bytes = b"", headers: Any = (), *, length: int | None = None
    ) -> None:
        """Answer; `length` lies about the length."""
        _ = self.body
        self.handler.send_response_only(status)
        rows = list(headers.items() if isinstance(headers, dict) else headers)
        for name, value in rows:
            self.handler.send_header(name, value)
        if not any(name.lower() == "content-length" for name, _ in rows) and length != -1:
            self.handler.send_header("Content-Length", str(len(body) if length is None else length))
        self.handler.end_headers()
        if self.method != "HEAD":
            self.handler.wfile.write(body)
        if length is not None and length != len(body):
            self.cut()

    def cut(self) -> None:
        """Drop the connection now."""
        self.handler.wfile.flush()
        self.handler.close_connection = True
        with contextlib.suppress(OSError):
            self.handler.connection.shutdown(socket.SHUT_RDWR)


Answer = Callable[[Exchange], None]


@dataclass
class CrookedServer:
    """An HTTP server whose every answer is `answer`'s. Keeps the requests it saw."""

    answer: Answer
    tls: ssl.SSLContext | None = None
    seen: list[Exchange] = field(default_factory=list)

    def __enter__(self) -> Self:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 100

            def serve(self) -> None:
                parts = urlsplit(self.path)
                exchange = Exchange(
                    self, self.command, parts.path, parse_qs(parts.query),
                    {k.lower(): v for k, v in self.headers.items()},
                )  # fmt: skip
                outer.seen.append(exchange)
                outer.answer(exchange)

            def log_message(self, *_: object) -> None:
                return

        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"):
            setattr(Handler, f"do_{method}", Handler.serve)

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                return

        self._server = Server(("127.0.0.1", 0), Handler)
        if self.tls:
            self._server.socket = self.tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.address}"

    def asked(self, method: str, path: str) -> list[Exchange]:
        """The requests of one method whose path ends so; the client's TLS probes left out."""
        return [each for each in self.seen if each.method == method and each.path.endswith(path)]


def serve_layout(folder: Path, exchange: Exchange) -> None:
    """Be a registry whose every repository has what lies in an OCI layout, under any tag."""
    kind, _, target = exchange.path.rpartition("/")
    digest = target
    if kind.endswith("/manifests") and ":" not in target:
        digest = json.loads((folder / "index.json").read_text())["manifests"][0]["digest"]
    path = folder / "blobs" / digest.replace(":", "/")
    if not kind.endswith(("/manifests", "/blobs")) or not path.is_file():
        exchange.reply(404)
        return
    raw = path.read_bytes()
    headers = {}
    if kind.endswith("/manifests"):
        headers["Content-Type"] = json.loads(raw)["mediaType"]
    exchange.reply(200, raw, headers)


class CuttingProxy:
    """A TCP proxy that drops each connection once `limits` of its bytes passed, in one direction.

    `limits` gives, per connection, how many bytes may pass from the client (`up`) or from the
    server (`down`) before the cut; when they are used up, connections live.
    """

    def __init__(
        self, target: str, *, up: list[int] | None = None, down: list[int] | None = None
    ) -> None:
        host, _, port = target.rpartition(":")
        self._target = (host, int(port))
        self.up, self.down = up or [], down or []
        self.cuts = 0

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()
        self._sockets: list[socket.socket] = []
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join()
        for each in list(self._sockets):
            _drop(each)
        for thread in self._threads:
            thread.join()
        for each in self._sockets:
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._target)
            self._sockets += [client, server]
            for source, sink, limits in ((client, server, self.up), (server, client, self.down)):
                thread = threading.Thread(target=self._pump, args=(source, sink, limits))
                self._threads.append(thread)
                thread.start()

    def _pump(self, source: socket.socket, sink: socket.socket, limits: list[int]) -> None:
        """Pass bytes on. A limit is taken by the first connection that passes more than 4 KiB."""
        passed, limit = 0, -1
        with contextlib.suppress(OSError):
            while data := source.recv(16384):
                passed += len(data)
                if limit < 0 and passed > 4096 and limits:
                    limit = limits.pop(0)
                if 0 <= limit < passed:
                    sink.sendall(data[: max(0, len(data) - (passed - limit))])
                    self.cuts += 1
                    break
                sink.sendall(data)
        _drop(source)
        _drop(sink)


def _drop(each: socket.socket) -> None:
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
