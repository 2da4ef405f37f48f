"""Somebody's server that a hub is to tell of things: keeps what came, answers as it is told."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

__all__ = ["Receiver", "Told"]

_PATIENCE_S = 60.0
LOOPBACK = ("127.0.0.0/8",)


@dataclass(frozen=True, slots=True)
class Told:
    """One request that came: its headers by lower-case name."""

    path: str
    headers: dict[str, str]
    body: bytes


class Receiver:
    """A server on loopback. `answer` gives status and headers for each request; None: never answers."""

    def __init__(
        self, answer: Callable[[Told], tuple[int, dict[str, str]] | None] = lambda _: (200, {})
    ) -> None:
        self.answer = answer
        self.told: list[Told] = []
        self._came = threading.Condition()
        self._over = threading.Event()
        receiver = self

        class Answering(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver._take(self)

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/hook"

    def wait_for(self, count: int) -> list[Told]:
        """Give what came once that many requests did."""
        with self._came:
            assert self._came.wait_for(lambda: len(self.told) >= count, _PATIENCE_S), self.told
            return list(self.told)

    def _take(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length", "0")))
        headers = {name.lower(): value for name, value in request.headers.items()}
        told = Told(request.path, headers, body)
        with self._came:
            self.told.append(told)
            self._came.notify_all()
        found = self.answer(told)
        if found is None:
            self._over.wait(_PATIENCE_S)
            request.close_connection = True
            return
        status, more = found
        said = b"well received"
        request.send_response(status)
        for name, value in {"Content-Length": str(len(said)), **more}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(said)
