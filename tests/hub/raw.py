"""Bytes to a hub that no well-bred client would send."""

import contextlib
import socket
from collections.abc import Iterator

from tests.hub.clients import Client

from lamina.hub import Hub

__all__ = ["asked_once", "connect", "exchange", "head", "nobody_listens"]


def connect(hub: Hub) -> socket.socket:
    host, _, port = hub.address.partition(":")
    return socket.create_connection((host, int(port)), timeout=100)


def asked_once(hub: Hub, request: bytes) -> socket.socket:
    """Give a connection whose first `request` came in time, however little time the hub gives for it."""
    while True:
        connection = connect(hub)
        with contextlib.suppress(ConnectionError):
            connection.sendall(request)
            if said := connection.recv(65536):
                assert said.startswith(b"HTTP/1.1 200")
                return connection
        connection.close()


@contextlib.contextmanager
def nobody_listens() -> Iterator[str]:
    """An address that refuses connections, and goes to nobody else meanwhile."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{bound.getsockname()[1]}"


def exchange(hub: Hub, sent: bytes, *, hangs_up: bool = False) -> bytes:
    """Send, `hangs_up` or not, and give what comes until the hub hangs up."""
    received = b""
    with connect(hub) as connection:
        with contextlib.suppress(OSError):  # who is refused in the middle still hears why
            connection.sendall(sent)
            if hangs_up:
                connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            while piece := connection.recv(65536):
                received += piece
    return received


def head(client: Client, method: str, path: str, *lines: str) -> bytes:
    """A request's head, with the client's login and whatever lines more."""
    login = [f"{name}: {value}" for name, value in client.headers({}).items()]
    rows = [f"{method} {path} HTTP/1.1", f"Host: {client.address}", *login, *lines, "", ""]
    return "\r\n".join(rows).encode("utf-8")
