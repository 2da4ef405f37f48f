"""One client: what it loads, shares and forgets."""

import contextlib
import io
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.remote.crooked import PASSWORD, USER, CrookedServer, Exchange, client_for
from tests.remote.test_repository import descriptor_of, fetch
from tests.servers import RegistryServer

from lamina.errors import LaminaError
from lamina.remote.client import Client
from lamina.remote.credentials import Credentials
from lamina.remote.login import check_login
from lamina.remote.messages import Request
from lamina.remote.repository import Repository
from lamina.remote.retry import Patience
from lamina.spec.descriptor import MediaType
from lamina.spec.reference import Reference


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


def test_asking_a_registry_in_plain_http_loads_nothing_dear(open_registry: RegistryServer) -> None:
    # A push or pull of what has not changed is little more than that.
    code = (
        "import sys; from lamina.remote.client import Client; from lamina.remote.repository import Repository\n"
        "from lamina.settings import Settings; from lamina.spec.digest import Digest\n"
        "with Client(Settings('/r', '/u', '/d'), environ={'PATH': ''}) as client:\n"
        "    repository = Repository(client, sys.argv[1], 'nobody/has')\n"
        "    assert not repository.holds(Digest('sha256:' + 64 * '0'))\n"
        "dear = {'ssl', 'http.client', 'email', 'urllib.parse', 're', 'typing', 'hashlib', 'random', 'datetime'}\n"
        "print(sorted(dear & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, open_registry.address],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
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


LOCATIONS = [
    "",
    "/x",
    "//",
    "http://[",
    "http://[::1",
    "http://h:99999/",
    "https://",
    "\t",
    "x y",
    "é",
    "..",
    "?q",
]
HEADERS = {
    "Location": st.sampled_from(LOCATIONS),
    "WWW-Authenticate": st.sampled_from(
        [
            "",
            "Bearer",
            "Bearer realm=",
            'Bearer realm="http://["',
            'Bearer realm="/t",scope="a b"',
            "Basic",
            "=,=",
        ]
    ),
    "Content-Length": st.sampled_from(["x", "-1", "7, 7", "99999999999999999999"]),
    "Content-Range": st.sampled_from(["bytes 0-1/2", "bytes 9-1/x", "x"]),
    "Content-Type": st.sampled_from(
        ["", "text/html", "application/json", ";;", MediaType.OCI_INDEX]
    ),
    "Content-Encoding": st.sampled_from(["gzip", "x"]),
    "Docker-Content-Digest": st.sampled_from(["", "sha256:0", "sha256:" + "0" * 64, "md5:x"]),
    "Link": st.sampled_from(["<>; rel=next", '<http://[>; rel="next"', "<?n=2>;rel=next", "x"]),
    "Range": st.sampled_from(["0-0", "0-99", "0--1", "x", "0-99999999999999999999"]),
    "Retry-After": st.sampled_from(["0", "-1", "x", "9" * 400, "Wed, 32 Foo"]),
}
BODIES = [b"", b"{}", b"[]", b"null", b"<html>", b'{"errors": [7]}', b'{"token": 1}', b'{"tags": 1}', b'{"token": "t"}',
          b'{"manifests": [1]}', b'{"manifests": 1}', b"\xff\xfe", b"[" * 5000]  # fmt: skip
NONSENSE = st.tuples(
    st.sampled_from(
        [200, 201, 202, 204, 206, 300, 302, 307, 400, 401, 403, 404, 416, 429, 500, 599]
    ),
    st.fixed_dictionaries({}, optional=HEADERS),
    st.sampled_from(BODIES),
)


@settings(max_examples=60)
@given(answers=st.lists(NONSENSE, min_size=1, max_size=4))
def test_whatever_a_server_says_only_our_own_errors_come_of_it(
    tmp_path_factory: pytest.TempPathFactory, answers: list[tuple[int, dict[str, str], bytes]]
) -> None:
    turn = iter(cycle(answers))

    def answer(exchange: Exchange) -> None:
        status, headers, body = next(turn)
        exchange.reply(status, body, {k: v.encode().decode("latin-1") for k, v in headers.items()})
        exchange.cut()

    patience = Patience(tries=2, first_s=0, longest_s=0, total_s=1, connect_s=1, read_s=2)
    blob = descriptor_of(b"seven b")
    with (
        CrookedServer(answer) as server,
        client_for(tmp_path_factory.mktemp("nonsense"), patience) as client,
    ):
        repository = Repository(client, server.address, "a/b")
        reference = Reference.parse(f"{server.address}/a/b:v1")
        for attempt in (
            lambda: repository.resolve(reference),
            lambda: repository.manifest("v1"),
            lambda: fetch(repository, blob),
            lambda: fetch(repository, blob, 3),
            lambda: repository.upload(blob, lambda: io.BytesIO(b"seven b"), mount_from=["c/d"]),
            lambda: repository.put_manifest("v1", b"{}", "x/y"),
            repository.tags,
            lambda: repository.referrers(blob.digest),
            lambda: repository.delete_manifest(blob.digest),
            lambda: check_login(client, server.address, Credentials(USER, PASSWORD)),
        ):
            with contextlib.suppress(LaminaError):
                attempt()
