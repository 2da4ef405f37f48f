"""Connections that ask for nothing, or never to the end."""

import contextlib
import socket

import pytest
from tests.hub.clients import Client
from tests.hub.raw import asked_once, connect

from lamina.hub import Hub, HubSettings

REQUEST = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture
def hasty(tmp_path):
    settings = HubSettings(root=str(tmp_path), port=0, shutdown_s=1.0, first_request_s=1.0)
    with Hub(settings=settings) as hub:
        yield hub


def test_who_does_not_ask_to_the_end_is_hung_up_on_and_who_has_asked_once_may_rest(hasty):
    with asked_once(hasty, REQUEST) as resting:
        slow = [connect(hasty) for _ in range(3)]
        for connection, sent in zip(slow, (b"", REQUEST[:10], REQUEST[:-2]), strict=True):
            with contextlib.suppress(ConnectionError):  # hung up on already
                connection.sendall(sent)
        assert [is_hung_up(connection) for connection in slow] == [True] * 3
        resting.sendall(REQUEST)
        assert resting.recv(1000).startswith(b"HTTP/1.1 200")
    for connection in slow:
        connection.close()


def test_many_who_are_slow_keep_nobody_else_waiting(hub):
    slow: list[socket.socket] = []
    try:
        for _ in range(200):
            slow.append(connect(hub))
            slow[-1].sendall(b"POST /v2/")
        assert Client(hub.address).get("/healthz").status == 200
    finally:
        for connection in slow:
            connection.close()


def is_hung_up(connection: socket.socket) -> bool:
    """Wait for the hub to hang up; False if it says something first."""
    try:
        return connection.recv(100) == b""
    except ConnectionResetError:
        return True
