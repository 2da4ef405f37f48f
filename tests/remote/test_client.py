"""One client: what it loads, shares and forgets."""

import io
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.remote.crooked import PASSWORD, USER, CrookedServer, Exchange, client_for
from tests.remote.test_repository import descriptor_of, fetch
from tests.servers import RegistryServer

from lamina.remote.client import Client
from lamina.remote.credentials import Credentials
from lamina.remote.messages import Request
from lamina.remote.repository import Repository


def test_making_a_client_loads_nothing_heavy() -> None:
    code = (
        "import sys; from lamina.remote.client import Client; from lamina.remote.repository import Repository\n"
        "from lamina.remote.login import login; from lamina.settings import Settings\n"
        "Client(Settings('/r', '/u', '/d'), environ={'PATH': ''})\n"
        "heavy = {'urllib3', 'ssl', 'http.client', 'socket', 'logging', 'subprocess', 'asyncio', 'tempfile'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_threads_share_a_client(client: Client, open_registry: RegistryServer) -> None:
    repository = Repository(client, open_registry.address, "many/threads")
    blobs = [os.urandom(200_000) for _ in range(12)]

    def there_and_back(data: bytes) -> bool:
        repository.upload(descriptor_of(data), lambda: io.BytesIO(data))
        return fetch(repository, descriptor_of(data)) == data

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(there_and_back, blobs))


def test_requests_to_another_origin_carry_no_login(client: Client) -> None:
    def ask(url: str) -> None:
        client.send(client.endpoints.find(home.address), Request("GET", url))

    with (
        CrookedServer(lambda each: each.reply(200)) as stranger,
        CrookedServer(
            lambda each: each.reply(
                200 if each.authorization else 401, b"", {"WWW-Authenticate": "Basic"}
            )
        ) as home,
    ):
        client.keychain.store(home.address, Credentials(USER, PASSWORD))
        ask(f"{home.url}/v2/")
        ask(f"{stranger.url}/v2/")
        assert home.seen[-1].authorization.startswith("Basic ")
        assert stranger.seen[-1].authorization == ""


def test_basic_is_sent_at_once_after_it_was_asked_for(client: Client) -> None:
    def answer(exchange: Exchange) -> None:
        status = 200 if exchange.authorization else 401
        exchange.reply(status, b'{"tags": []}', {"WWW-Authenticate": "Basic"})

    with CrookedServer(answer) as server:
        client.keychain.store(server.address, Credentials(USER, PASSWORD))
        for name in ("a/b", "c/d"):
            Repository(client, server.address, name).tags()
        assert [bool(each.authorization) for each in server.seen] == [False, True, True]


def test_a_closed_client_keeps_no_connection(tmp_path: Path) -> None:
    with CrookedServer(lambda each: each.reply(200, b'{"tags": []}')) as server:
        with client_for(tmp_path) as client:
            Repository(client, server.address, "a/b").tags()
        connection = server.seen[0].handler.connection
        while connection.fileno() >= 0:  # the server closes its side when it sees our end
            time.sleep(0.01)
