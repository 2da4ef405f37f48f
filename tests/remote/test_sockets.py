"""Cutting sockets under threads that wait on them."""

import socket
import threading

import pytest

from lamina.errors import LaminaError
from lamina.remote.client import Client
from lamina.remote.repository import Repository
from lamina.settings import Settings
from lamina.spec.reference import Reference


@pytest.fixture
def silent_server():
    """A server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def test_aborted_client_ends_a_request_that_nobody_answers(silent_server, tmp_path):
    port = silent_server.getsockname()[1]
    client = Client(Settings(str(tmp_path), str(tmp_path), str(tmp_path)))
    repository = Repository.of(client, Reference.parse(f"127.0.0.1:{port}/x/y"))
    ended: list[BaseException] = []

    def ask() -> None:
        try:
            repository.manifest("v1")
        except LaminaError as error:
            ended.append(error)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    # The first connection asks whether TLS is spoken; then comes the request itself.
    accepted = []
    silent_server.settimeout(100)
    while True:
        connection, _ = silent_server.accept()
        accepted.append(connection)
        connection.settimeout(100)
        if connection.recv(4096).startswith(b"GET "):
            break
        connection.close()  # no TLS here
    client.abort()
    asking.join(100)
    assert not asking.is_alive()
    assert len(ended) == 1
    for connection in accepted:
        connection.close()


def test_aborted_client_starts_nothing_new(silent_server, tmp_path):
    port = silent_server.getsockname()[1]
    client = Client(Settings(str(tmp_path), str(tmp_path), str(tmp_path)))
    client.abort()
    with pytest.raises(LaminaError):
        Repository.of(client, Reference.parse(f"127.0.0.1:{port}/x/y")).manifest("v1")
    silent_server.settimeout(0)
    with pytest.raises(BlockingIOError):
        silent_server.accept()
