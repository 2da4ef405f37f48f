"""A registry with one image and bad manners, chosen by the test: slow, cut, wrong, limited, failing."""

import threading
import time
from collections import Counter
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self

from tests.hub.clients import CONFIG, LAYER, MANIFEST, digest, document

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Hostile", "Reply"]

_PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What to do in place of the right answer. `cut_at`: bytes of the body, then the connection ends."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    cut_at: int | None = None
    pieces_s: float = 0.0


class Hostile:
    """Serves `team/app:v1` on loopback. `manner` gives a reply for (method, kind, how often before)."""

    def __init__(
        self,
        *,
        layer: bytes = b"layer " * 5000,
        manner: "Callable[[str, str, int], Reply | None] | None" = None,
    ) -> None:
        self.layer = layer
        self.manner = manner
        self.asked: Counter[tuple[str, str]] = Counter()
        self.gate = threading.Event()
        self.gate.set()
        self.headers: tuple[tuple[str, str], ...] = ()
        self.tags: tuple[str, ...] = ("v1",)
        self._guard = threading.Lock()
        self._is_over = False
        config = document(
            {
                "architecture": "amd64",
                "os": "linux",
                "rootfs": {"type": "layers", "diff_ids": [digest(b"x")]},
            }
        )
        self.set_image(config, layer)
        registry = self

        class Answering(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                registry._answer(self)

            def do_HEAD(self) -> None:
                registry._answer(self)

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

            def handle_error(self, *args: object) -> None:
                """Clients may go away."""

        self._server = Server(("127.0.0.1", 0), Answering)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def set_image(self, config: bytes, layer: bytes, *, named: bytes | None = None) -> None:
        """Serve another image; `named` is the layer that the manifest speaks of."""
        told = layer if named is None else named
        self.layer_digest = digest(told)
        self.blobs = {digest(config): config, self.layer_digest: layer}
        self.manifest = document(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": {"mediaType": CONFIG, "digest": digest(config), "size": len(config)},
                "layers": [{"mediaType": LAYER, "digest": self.layer_digest, "size": len(told)}],
            }
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over = True
        self.gate.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        if self._is_over:  # on a connection that was kept
            request.close_connection = True
            return
        path = request.path.partition("?")[0]
        kind = "manifest" if "/manifests/" in path else "blob" if "/blobs/" in path else "ping"
        if kind == "blob" and path.endswith(self.layer_digest):
            kind = "layer"
        with self._guard:
            before = self.asked[request.command, kind]
            self.asked[request.command, kind] += 1
        if kind == "layer" and request.command == "GET":
            self.gate.wait(_PATIENCE_S)
        reply = self.manner(request.command, kind, before) if self.manner else None
        self._send(request, path, kind, reply or Reply())

    def _send(self, request: BaseHTTPRequestHandler, path: str, kind: str, reply: Reply) -> None:
        body, headers, status = self._right(path, kind), dict(self.headers), reply.status
        headers |= dict(reply.headers)
        if reply.body is not None:
            body = reply.body
        if body is None:
            status, body = 404, b""
        if kind == "manifest":
            headers |= {"Content-Type": MANIFEST, "Docker-Content-Digest": digest(body)}
        if reply.status >= 300 or reply.body is not None:
            body = reply.body or b""
            headers.pop("Docker-Content-Digest", None)
        asked = request.headers.get("Range", "")
        if asked and status == 200:
            first = int(asked.removeprefix("bytes=").partition("-")[0])
            headers["Content-Range"] = f"bytes {first}-{len(body) - 1}/{len(body)}"
            body, status = body[first:], 206
        request.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            request.send_header(name, value)
        request.end_headers()
        if request.command == "HEAD":
            return
        sent = body if reply.cut_at is None else body[: reply.cut_at]
        step = len(sent) if not reply.pieces_s else 4096
        for start in range(0, len(sent), max(1, step)):
            request.wfile.write(sent[start : start + step])
            time.sleep(reply.pieces_s)
        if reply.cut_at is not None:
            request.close_connection = True

    def _right(self, path: str, kind: str) -> bytes | None:
        if kind == "manifest":
            named = path.rpartition("/")[2]
            return self.manifest if named in (*self.tags, digest(self.manifest)) else None
        if path.endswith("/tags/list"):
            return document({"name": "team/app", "tags": list(self.tags)})
        if kind == "ping":
            return b"{}"
        return self.blobs.get(path.rpartition("/")[2])
