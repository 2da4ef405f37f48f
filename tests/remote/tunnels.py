"""A proxy that connects through, in TLS or not, for the tests of the client."""

import contextlib
import socket
import ssl
import threading
from dataclasses import dataclass, field
from typing import Self

__all__ = ["TunnelProxy"]


@dataclass
class TunnelProxy:
    """Answers CONNECT by connecting every name to `target`; keeps the requests' headers.

    With `tls` it wants to be spoken to in TLS itself. `answer` is its status line.
    """

    target: str
    tls: ssl.SSLContext | None = None
    answer: str = "HTTP/1.1 200 Connection established"
    seen: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join()
        for each in self._sockets:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(each, socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join(100)
        for each in self._sockets:
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.append(client)
            thread = threading.Thread(target=self._serve, args=(client,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            if self.tls:
                client = self.tls.wrap_socket(client, server_side=True)
                self._sockets.append(client)
            head = b""
            while b"\r\n\r\n" not in head:
                piece = client.recv(1)  # not a byte of what comes after the head
                if not piece:
                    return
                head += piece
            self.seen.append(head.decode())
            client.sendall(f"{self.answer}\r\n\r\n".encode())
            if " 200 " not in self.answer:
                client.close()
                return
            host, _, port = self.target.rpartition(":")
            server = socket.create_connection((host, int(port)))
            self._sockets.append(server)
            _relay(client, server)


def _relay(client: socket.socket, server: socket.socket) -> None:
    """Pass bytes both ways until one side ends; by turns, as a TLS socket is for one thread."""
    for each in (client, server):
        each.settimeout(0.005)
    while True:
        for source, sink in ((client, server), (server, client)):
            try:
                piece = source.recv(65536)
            except TimeoutError:
                continue
            if not piece:
                return
            sink.settimeout(100)
            sink.sendall(piece)
            sink.settimeout(0.005)
