"""Connections that stay open, byte by byte, and a hub beside another on the same database."""

import contextlib
import socket
from collections.abc import Iterator

import pytest
from tests.hub.raw import connect

from lamina.hub import Hub, HubSettings
from lamina.hub.services import Services

__all__ = ["MANIFEST", "Line", "a_hub_beside", "head", "set_private", "without_own"]

MANIFEST = "/v2/alice/front/manifests/v1"


_OWN = ("date", "x-request-id")


class Line:
    """One connection that stays open: requests as bytes, answers as they are told apart by their length."""

    def __init__(self, hub: Hub) -> None:
        self.socket = connect(hub)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rest = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def ask(self, path: str, *lines: str, method: str = "GET"):
        self.socket.sendall(head(path, *lines, method=method))
        return self.answer(method)

    def answer(self, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
        start = self.read_to(b"\r\n\r\n").decode().split("\r\n")
        fields = dict(line.lower().split(": ", 1) for line in start[1:] if line)
        body = self.read(int(fields.get("content-length", 0)) if method != "HEAD" else 0)
        return int(start[0].split()[1]), fields, body

    def read_to(self, end: bytes) -> bytes:
        while end not in self.rest:
            self.fill()
        found, _, self.rest = self.rest.partition(end)
        return found

    def read(self, size: int) -> bytes:
        while len(self.rest) < size:
            self.fill()
        found, self.rest = self.rest[:size], self.rest[size:]
        return found

    def fill(self) -> None:
        piece = self.socket.recv(65536)
        assert piece, "the hub hung up"
        self.rest += piece


def head(path: str, *lines: str, method: str = "GET") -> bytes:
    return "".join(
        f"{line}\r\n" for line in (f"{method} {path} HTTP/1.1", "Host: hub", *lines, "")
    ).encode()


def without_own(answer):
    status, fields, body = answer
    return status, {name: value for name, value in fields.items() if name not in _OWN}, body


def set_private(hub: Hub, name: str, value: int) -> None:
    hub.services.database.write(
        lambda connection: connection.execute(
            "UPDATE repositories SET is_private = ? WHERE name = ?", (value, name)
        )
    )


@contextlib.contextmanager
def a_hub_beside(hub: Hub, clock) -> Iterator[Hub]:
    """A second hub on the same database, with a clock of its own."""
    opened = Services.open
    settings = HubSettings(root=hub.root, port=0, shutdown_s=1.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Services, "open", lambda known: opened(known, clock=clock))
        other = Hub(settings=settings)
        other.start()
    try:
        yield other
    finally:
        other.stop()
