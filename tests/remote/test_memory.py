"""What one process learned of a registry saves the next one round trips, and never misleads it."""

import os
import ssl
import threading
from pathlib import Path

import pytest
import trustme
from tests.remote.crooked import CrookedServer, Exchange, client_for
from tests.remote.test_auth import MANIFEST, StrictRegistry, log_in

from lamina.remote.challenge import Challenge
from lamina.remote.credentials import Credentials
from lamina.remote.endpoints import Endpoint
from lamina.remote.errors import AccessDenied, LoginRefused, LoginRequired
from lamina.remote.login import login, logout
from lamina.remote.memory import Memory, TokenKey
from lamina.remote.repository import Repository

FAR = Endpoint("reg.example", "https://reg.example")
NEAR = Endpoint("reg.example", "http://reg.example", insecure=True)
PULL = frozenset({"repository:a/b:pull"})
ALICE = Credentials("alice", "secret words")
KEY = TokenKey.of("a/b", PULL, ALICE)
BEARER = Challenge("bearer", {"realm": "https://auth.example/token", "service": "s"})


def manifest(folder: Path, server: CrookedServer, name: str = "a/b") -> bytes:
    """Ask with a client of its own, as another process would."""
    with client_for(folder) as client:
        return Repository(client, server.address, name).manifest("v1")[1]


def test_the_next_process_has_the_token_and_asks_once(tmp_path: Path) -> None:
    registry = StrictRegistry()
    with registry.server as server:
        assert manifest(tmp_path, server) == MANIFEST
        before = len(server.seen)
        assert manifest(tmp_path, server) == MANIFEST
        assert len(server.seen) == before + 1  # not even what it speaks is asked
        assert registry.given == 1


def test_for_another_repository_the_token_service_is_asked_without_a_refusal(
    tmp_path: Path,
) -> None:
    registry = StrictRegistry()
    with registry.server as server:
        manifest(tmp_path, server)
        before = len(server.seen)
        assert manifest(tmp_path, server, "c/d") == MANIFEST
        assert [each.path for each in server.seen[before:]] == ["/token", "/v2/c/d/manifests/v1"]


def test_a_remembered_token_that_does_not_do_is_renewed(tmp_path: Path) -> None:
    registry = StrictRegistry()
    with registry.server as server:
        manifest(tmp_path, server)
        registry.valid.clear()
        assert manifest(tmp_path, server) == MANIFEST
        assert registry.given == 2
        assert manifest(tmp_path, server) == MANIFEST
        assert registry.given == 2


@pytest.mark.parametrize("status", [401, 403])
def test_rights_given_since_count_though_the_registry_names_no_challenge(
    tmp_path: Path, status: int
) -> None:
    given = 0

    def answer(exchange: Exchange) -> None:
        nonlocal given
        if exchange.path == "/token":
            given += 1
            exchange.reply(200, b'{"token": "t%d"}' % given)
        elif not exchange.authorization:
            realm = f'Bearer realm="{server.url}/token"'
            exchange.reply(401, b"", {"WWW-Authenticate": realm})
        elif exchange.authorization == "Bearer t2":
            exchange.reply(200, MANIFEST)
        else:
            exchange.reply(status)

    with CrookedServer(answer) as server:
        with pytest.raises((AccessDenied, LoginRefused)), client_for(tmp_path) as client:
            log_in(client, server, "x")
            Repository(client, server.address, "a/b").manifest("v1")
        assert manifest(tmp_path, server) == MANIFEST
        assert given == 2


def test_a_token_service_that_moved_is_found_again(tmp_path: Path) -> None:
    moved = False

    def answer(exchange: Exchange) -> None:
        realm = "/new" if moved else "/old"
        if exchange.path == realm:
            exchange.reply(200, b'{"token": "t"}')
        elif exchange.path in ("/old", "/new"):
            exchange.reply(404)
        elif exchange.authorization:
            exchange.reply(200, MANIFEST)
        else:
            where = f'Bearer realm="{realm}"'
            exchange.reply(401, b"", {"WWW-Authenticate": where})

    with CrookedServer(answer) as server:
        manifest(tmp_path, server)
        moved = True
        assert manifest(tmp_path, server, "c/d") == MANIFEST
        assert manifest(tmp_path, server, "e/f") == MANIFEST
        assert [each.path for each in server.seen].count("/old") == 2


def test_basic_is_sent_by_the_next_process_at_once(tmp_path: Path) -> None:
    def answer(exchange: Exchange) -> None:
        if exchange.authorization == f"Basic {ALICE.basic}":
            exchange.reply(200, MANIFEST)
        else:
            exchange.reply(401, b"", {"WWW-Authenticate": 'Basic realm="x"'})

    with CrookedServer(answer) as server:
        with client_for(tmp_path) as client:
            log_in(client, server, ALICE.password)
        manifest(tmp_path, server)
        before = len(server.seen)
        assert manifest(tmp_path, server) == MANIFEST
        assert len(server.seen) == before + 1


def test_logging_in_and_out_forgets(tmp_path: Path) -> None:
    registry = StrictRegistry(password="pw")
    with registry.server as server:
        server_answer, server.answer = (
            server.answer,
            lambda each: each.reply(200) if each.path == "/v2/" else server_answer(each),
        )
        with client_for(tmp_path) as client:
            log_in(client, server, "pw")
        manifest(tmp_path, server)
        (kept,) = (tmp_path / "run/registries").iterdir()
        assert b"token-1" in kept.read_bytes()
        assert b"pw" not in kept.read_bytes()
        with client_for(tmp_path) as client:
            logout(client, server.address)
        assert kept.read_bytes() == b'{"scheme":"http"}'
        with pytest.raises(LoginRequired):
            manifest(tmp_path, server)
        with client_for(tmp_path) as client:
            login(client, server.address, "alice", "pw")
        before = len(server.seen)
        assert manifest(tmp_path, server) == MANIFEST
        assert b"Basic" not in kept.read_bytes()
        assert len(server.seen) == before + 3  # refused, a token, and there it is


def test_a_registry_that_speaks_tls_now_or_no_more_is_found_out(tmp_path: Path) -> None:
    def answer(exchange: Exchange) -> None:
        exchange.reply(200, MANIFEST)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    for tls in (None, context):
        memory = Memory(str(tmp_path / "run/registries"))
        with CrookedServer(answer, tls=tls) as server:
            memory.note_scheme(server.address, "http" if tls else "https")
            assert manifest(tmp_path, server) == MANIFEST
            assert memory.scheme(server.address) == ("https" if tls else "http")


def test_a_registry_that_is_away_is_not_asked_for_ever(tmp_path: Path) -> None:
    with CrookedServer(lambda each: each.reply(400, b"no")) as server:
        Memory(str(tmp_path / "run/registries")).note_scheme(server.address, "http")
        with pytest.raises(Exception, match="400"):
            manifest(tmp_path, server)
        assert len(server.asked("GET", "/v1")) == 1


def test_what_is_kept_is_given_back_as_long_as_it_holds(tmp_path: Path) -> None:
    now = 1000.0
    memory = Memory(str(tmp_path / "m"), clock=lambda: now)
    assert memory.token(FAR, KEY) == ("", 0.0)
    memory.note_token(FAR, KEY, "t", 9999.0)
    memory.note_scheme(FAR.registry, "https")
    assert memory.token(FAR, KEY) == ("t", 300.0)
    assert memory.scheme(FAR.registry) == "https"
    assert memory.token(NEAR, KEY) == ("", 0.0)  # a token for https does not go to http
    for other in (
        TokenKey.of("c/d", PULL, ALICE),
        TokenKey.of("a/b", frozenset(), ALICE),
        TokenKey.of("a/b", PULL, None),
        TokenKey.of("a/b", PULL, Credentials("bob", "x")),
        TokenKey.of("a/b", PULL, Credentials("alice", identity_token="x")),
    ):
        assert memory.token(FAR, other) == ("", 0.0)
    now += 301
    assert memory.token(FAR, KEY) == ("", 0.0)
    now -= 9999  # a clock that was set back: a token from the future is one for too long
    memory.note_token(FAR, TokenKey.of("c/d", PULL, None), "u", 60)
    assert b'"t"' not in next((tmp_path / "m").iterdir()).read_bytes()


def test_a_challenge_counts_for_what_it_was_made_for(tmp_path: Path) -> None:
    memory = Memory(str(tmp_path / "m"))
    memory.note_challenge(FAR, BEARER, "pull,push")
    assert memory.challenge(FAR, "pull,push") == BEARER
    assert memory.challenge(FAR, "pull") is None  # who pushes needs a login, who pulls need not
    memory.note_challenge(FAR, BEARER, "pull")
    assert memory.challenge(FAR, "pull,push") == BEARER == memory.challenge(FAR, "pull")
    other = Challenge("basic", {})
    memory.note_challenge(FAR, other, "pull")
    assert memory.challenge(FAR, "pull") == other
    assert memory.challenge(FAR, "pull,push") is None
    memory.note_challenge(FAR, None)
    assert memory.challenge(FAR, "pull") is None


def test_a_token_service_elsewhere_is_not_kept_for_a_registry_anybody_can_pose_as(
    tmp_path: Path,
) -> None:
    memory = Memory(str(tmp_path / "m"))
    memory.note_challenge(NEAR, BEARER, "pull")
    assert memory.challenge(NEAR, "pull") is None
    for realm in ("http://reg.example/token", "/token"):
        own = Challenge("bearer", {"realm": realm})
        memory.note_challenge(NEAR, own, "pull")
        assert memory.challenge(NEAR, "pull") == own


def test_it_is_for_its_owner_alone_or_not_at_all(tmp_path: Path) -> None:
    memory = Memory(str(tmp_path / "m"))
    memory.note_token(FAR, KEY, "t", 60)
    (kept,) = (tmp_path / "m").iterdir()
    assert (tmp_path / "m").stat().st_mode & 0o7777 == 0o700
    assert kept.stat().st_mode & 0o7777 == 0o600
    kept.chmod(0o644)
    assert memory.token(FAR, KEY) == ("", 0.0)
    kept.unlink()
    (tmp_path / "m").chmod(0o755)
    memory.note_token(FAR, KEY, "t", 60)
    assert os.listdir(tmp_path / "m") == []
    (tmp_path / "m").rmdir()
    (tmp_path / "m").symlink_to(tmp_path)
    memory.note_token(FAR, KEY, "t", 60)
    assert os.listdir(tmp_path) == ["m"]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"{",
        b'{"tokens": 1, "challenge": [], "scheme": {}}',
        b'{"tokens": [1, {"at": 2}]}',
    ],
)
def test_a_damaged_file_is_one_that_knows_nothing(tmp_path: Path, text: bytes) -> None:
    memory = Memory(str(tmp_path / "m"))
    memory.note_scheme(FAR.registry, "http")
    (kept,) = (tmp_path / "m").iterdir()
    kept.write_bytes(text)
    assert memory.scheme(FAR.registry) == ""
    assert memory.challenge(FAR, "pull") is None
    assert memory.token(FAR, KEY) == ("", 0.0)
    memory.note_challenge(FAR, BEARER, "pull")
    memory.note_token(FAR, KEY, "t", 60)
    assert memory.token(FAR, KEY)[0] == "t"


def test_many_at_once_leave_a_whole_file_and_no_other(tmp_path: Path) -> None:
    memory = Memory(str(tmp_path / "m"))

    def note(number: int) -> None:
        for round_ in range(10):
            key = TokenKey.of(f"r{number}-{round_}", PULL, None)
            memory.note_token(FAR, key, "t" * 100, 60)
            assert memory.scheme(FAR.registry) == "https"

    memory.note_scheme(FAR.registry, "https")
    threads = [threading.Thread(target=note, args=(number,)) for number in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(os.listdir(tmp_path / "m")) == 1
    assert memory.scheme(FAR.registry) == "https"
