"""Tokens: the pure flow first, then against a token service and a registry that are strict."""

import io
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.remote.crooked import CrookedServer, Exchange, client_for

from lamina.errors import Invalid
from lamina.remote.auth import Token, token_flow
from lamina.remote.challenge import Challenge
from lamina.remote.client import Client
from lamina.remote.credentials import Credentials
from lamina.remote.errors import (
    LoginRefused,
    LoginRequired,
    RegistryFailed,
    ResponseInvalid,
)
from lamina.remote.messages import Request, Response
from lamina.remote.repository import Repository
from lamina.spec.descriptor import Descriptor, MediaType
from lamina.spec.digest import Digest
from lamina.spec.wire import encode

REALM = Challenge("bearer", {"realm": "https://auth.example/token", "service": "reg"})
MANIFEST = b'{"schemaVersion": 2}'


def run(
    response: Response,
    credentials: Credentials | None = None,
    challenge: Challenge = REALM,
    *,
    offline: bool = False,
) -> tuple[Request, Token]:
    flow = token_flow(
        challenge, ("repository:a:pull", "repository:b:pull"), credentials, offline=offline
    )
    request = next(flow)
    with pytest.raises(StopIteration) as done:
        flow.send(response)
    return request, done.value.value


def answer(document: object, status: int = 200) -> Response:
    return Response(status, {}, encode(document), "https://auth.example/token?scope=secret")


def test_a_token_is_asked_for_with_every_scope_in_a_parameter_of_its_own() -> None:
    request, token = run(answer({"token": "t", "expires_in": 300}))
    assert urlsplit(request.url)._replace(query="").geturl() == "https://auth.example/token"
    assert parse_qs(urlsplit(request.url).query) == {
        "service": ["reg"], "scope": ["repository:a:pull", "repository:b:pull"], "client_id": ["lamina"],
    }  # fmt: skip
    assert request.method == "GET"
    assert "Authorization" not in request.headers
    assert (token.value, token.lifetime_s) == ("t", 300)


def test_a_password_goes_by_basic_with_the_account_named() -> None:
    request, token = run(
        answer({"access_token": "t", "refresh_token": "r"}),
        Credentials("alice", "pw"),
        offline=True,
    )
    query = parse_qs(urlsplit(request.url).query)
    assert (query["account"], query["offline_token"]) == (["alice"], ["true"])
    assert request.headers["Authorization"] == f"Basic {Credentials('alice', 'pw').basic}"
    assert (token.value, token.refresh) == ("t", "r")


def test_an_identity_token_is_traded_by_post() -> None:
    request, token = run(answer({"access_token": "t"}), Credentials("alice", identity_token="id"))
    assert (request.method, request.url) == ("POST", "https://auth.example/token")
    assert isinstance(request.body, bytes)
    assert parse_qs(request.body.decode()) == {
        "grant_type": ["refresh_token"], "service": ["reg"], "client_id": ["lamina"],
        "scope": ["repository:a:pull repository:b:pull"], "refresh_token": ["id"],
    }  # fmt: skip
    assert token.value == "t"


def test_a_realm_with_a_query_keeps_it() -> None:
    challenge = Challenge("bearer", {"realm": "https://auth.example/jwt?client=docker"})
    request, _ = run(answer({"token": "t"}), challenge=challenge)
    assert request.url.startswith("https://auth.example/jwt?client=docker&scope=")


@pytest.mark.parametrize(
    ("expires_in", "lifetime_s"),
    [(None, 60), (5, 60), (-1, 60), ("300", 300), ("soon", 60), (1e12, 86400), ([], 60)],
)
def test_a_token_lives_at_least_a_minute_and_at_most_a_day(
    expires_in: object, lifetime_s: float
) -> None:
    _, token = run(answer({"token": "t", "expires_in": expires_in}))
    assert token.lifetime_s == lifetime_s


@pytest.mark.parametrize(
    ("response", "error", "text"),
    [
        (
            answer({"details": "incorrect username or password"}, 401),
            LoginRefused,
            "unauthorized: incorrect",
        ),
        (
            answer({"errors": [{"code": "DENIED", "message": "no"}]}, 403),
            LoginRefused,
            "denied: no",
        ),
        (answer({}, 500), RegistryFailed, "answered 500"),
        (Response(200, {}, b"<html>", "https://auth.example/"), ResponseInvalid, "gave no token"),
        (answer({"token": 7}), ResponseInvalid, "gave no token"),
        (answer({"token": "a\r\nX-Evil: 1"}), ResponseInvalid, "gave no token"),
        (answer({"token": ""}), ResponseInvalid, "gave no token"),
    ],
)
def test_what_is_no_token_is_an_error(
    response: Response, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text) as caught:
        run(response)
    assert "secret" not in str(caught.value)


class StrictRegistry:
    """A registry with its token service on the same port. Counts, expires and refuses tokens."""

    def __init__(self, *, password: str = "", lives: int = 1000) -> None:
        self.password = password
        self.lives = lives
        self.valid: dict[str, list[object]] = {}
        self.given = 0
        self.lock = threading.Lock()
        self.server = CrookedServer(self.answer)

    def answer(self, exchange: Exchange) -> None:
        if exchange.path == "/token":
            self.give_token(exchange)
            return
        name = exchange.path.split("/v2/")[1].partition("/manifests")[0].partition("/blobs")[0]
        action = "pull" if exchange.method in ("GET", "HEAD") else "pull,push"
        if not self.is_valid(exchange.authorization, f"repository:{name}:{action}"):
            scope = f"repository:{name}:{action}"
            exchange.reply(401, b"", {"WWW-Authenticate": self.challenge(scope)})
        else:
            exchange.reply(200, MANIFEST, {"Content-Type": MediaType.OCI_MANIFEST})

    def challenge(self, scope: str) -> str:
        return f'bearer  Realm="{self.server.url}/token" , service="strict, very",scope="{scope}", Basic realm="x"'

    def give_token(self, exchange: Exchange) -> None:
        alice = Credentials("alice", self.password)
        if exchange.authorization and exchange.authorization != f"Basic {alice.basic}":
            exchange.reply(401, b'{"details": "incorrect username or password"}')
            return
        with self.lock:
            self.given += 1
            token = f"token-{self.given}"
            granted = exchange.query.get("scope", [])
            if self.password and not exchange.authorization:
                granted = []
            self.valid[token] = [self.lives, set(granted)]
        exchange.reply(200, encode({"token": token, "expires_in": 300}))

    def is_valid(self, authorization: str, scope: str) -> bool:
        with self.lock:
            entry = self.valid.get(authorization.removeprefix("Bearer "))
            if entry is None:
                return False
            lives, granted = entry
            name, _, actions = scope.rpartition(":")
            allowed = any(
                each.rpartition(":")[0] == name
                and set(actions.split(",")) <= set(each.rpartition(":")[2].split(","))
                for each in granted  # type: ignore[attr-defined]
            )
            entry[0] = int(lives) - 1  # type: ignore[call-overload]
            return allowed and int(lives) > 0  # type: ignore[call-overload]


def log_in(client: Client, server: CrookedServer, password: str) -> None:
    client.keychain.store(server.address, Credentials("alice", password))


def test_an_anonymous_pull_gets_one_token_for_many_requests(client: Client) -> None:
    registry = StrictRegistry()
    with registry.server as server:
        repository = Repository(client, server.address, "a/b")
        for tag in ("v1", "v2", "v3"):
            assert repository.manifest(tag)[1] == MANIFEST
        assert registry.given == 1
        assert len(server.asked("GET", "/v1")) == 2, "one refused, one with the token"
        assert len(server.asked("GET", "/v2")) == 1


def test_many_threads_ask_for_one_token(client: Client) -> None:
    registry = StrictRegistry()
    with registry.server as server:
        repository = Repository(client, server.address, "a/b")
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(repository.manifest, [f"v{i}" for i in range(40)]))
        assert registry.given == 1


def test_another_repository_gets_a_token_of_its_own_without_being_refused_first(
    client: Client,
) -> None:
    registry = StrictRegistry()
    with registry.server as server:
        Repository(client, server.address, "a/b").manifest("v1")
        Repository(client, server.address, "c/d").manifest("v1")
        assert registry.given == 2
        assert len(server.asked("GET", "/c/d/manifests/v1")) == 1


def test_a_token_that_ran_out_is_renewed_once(client: Client) -> None:
    registry = StrictRegistry(lives=2)
    with registry.server as server:
        repository = Repository(client, server.address, "a/b")
        for number in range(6):
            assert repository.manifest(f"v{number}")[1] == MANIFEST
        assert registry.given == 3


def test_a_token_that_never_works_ends_in_an_error_not_in_a_loop(client: Client) -> None:
    registry = StrictRegistry(lives=0)
    with registry.server as server:
        with pytest.raises(LoginRequired, match="pull access denied"):
            Repository(client, server.address, "a/b").manifest("v1")
        assert len(server.asked("GET", "/v1")) == 2


def test_a_login_is_used_for_the_token_and_never_for_the_registry(client: Client) -> None:
    registry = StrictRegistry(password="pw")
    with registry.server as server:
        log_in(client, server, "pw")
        Repository(client, server.address, "a/b").manifest("v1")
        registry_saw = {each.authorization for each in server.seen if each.path != "/token"}
        assert registry_saw == {"", "Bearer token-1"}


def test_a_wrong_login_is_refused_in_the_registrys_words(client: Client) -> None:
    registry = StrictRegistry(password="pw")
    with registry.server as server:
        log_in(client, server, "wrong")
        with pytest.raises(LoginRefused, match="incorrect username or password"):
            Repository(client, server.address, "a/b").manifest("v1")


def test_without_a_login_a_private_repository_requires_one(client: Client) -> None:
    registry = StrictRegistry(password="pw")
    with (
        registry.server as server,
        pytest.raises(LoginRequired, match="may require 'docker login'"),
    ):
        Repository(client, server.address, "a/b").manifest("v1")


def test_a_registry_token_is_sent_as_it_is(tmp_path: Path) -> None:
    registry = StrictRegistry()
    registry.valid["mine"] = [9, {"repository:a/b:pull"}]
    with registry.server as server:
        config = encode({"auths": {server.address: {"registrytoken": "mine"}}}).decode()
        with client_for(tmp_path, environ={"DOCKER_AUTH_CONFIG": config}) as client:
            Repository(client, server.address, "a/b").manifest("v1")
        assert registry.given == 0


def test_insufficient_scope_on_403_is_asked_for(client: Client) -> None:
    def respond(exchange: Exchange) -> None:
        if exchange.path == "/token":
            wide = "special" in str(exchange.query.get("scope"))
            exchange.reply(200, encode({"token": "wide" if wide else "narrow"}))
        elif exchange.authorization == "Bearer wide":
            exchange.reply(200, MANIFEST, {"Content-Type": MediaType.OCI_MANIFEST})
        else:
            status = 403 if exchange.authorization else 401
            extra = ',error="insufficient_scope",scope="special:x:y"' if status == 403 else ""
            exchange.reply(
                status, b"", {"WWW-Authenticate": f'Bearer realm="/token",service="s"{extra}'}
            )

    with CrookedServer(respond) as server:
        assert Repository(client, server.address, "a/b").manifest("v1")[1] == MANIFEST


def credential_thief(realm: str) -> Callable[[Exchange], None]:
    def respond(exchange: Exchange) -> None:
        exchange.reply(401, b"", {"WWW-Authenticate": f'Bearer realm="{realm}"'})

    return respond


def test_a_realm_elsewhere_without_tls_gets_no_credentials(client: Client) -> None:
    with CrookedServer(credential_thief("http://registry.example/token")) as server:
        log_in(client, server, "pw")
        with pytest.raises(LoginRefused, match=r"http://registry.example/token .* not encrypted"):
            Repository(client, server.address, "a/b").manifest("v1")


def test_a_realm_that_may_not_be_asked_is_named_though_nobody_is_logged_in(client: Client) -> None:
    with (
        CrookedServer(credential_thief("http://169.254.169.254/token")) as server,
        pytest.raises(LoginRefused, match=r"sends us to http://169.254.169.254/token for a token"),
    ):
        Repository(client, server.address, "a/b").manifest("v1")


def test_a_token_that_cannot_be_sent_is_refused_and_never_sent(
    client: Client, tmp_path: Path
) -> None:
    def respond(exchange: Exchange) -> None:
        if exchange.path == "/token":
            exchange.reply(200, '{"token": "ü€"}'.encode())
        else:
            realm = f"http://{exchange.headers['host']}/token"
            exchange.reply(401, b"", {"WWW-Authenticate": f'Bearer realm="{realm}"'})

    with CrookedServer(respond) as server:
        with pytest.raises(ResponseInvalid, match="gave no token"):
            Repository(client, server.address, "a/b").manifest("v1")
        auths = {server.address: {"registrytoken": "a\r\nX-Evil: 1"}}
        (tmp_path / "docker").mkdir(exist_ok=True)
        (tmp_path / "docker/config.json").write_bytes(encode({"auths": auths}))
        with (
            client_for(tmp_path) as other,
            pytest.raises(Invalid, match="Authorization has characters that cannot be sent"),
        ):
            Repository(other, server.address, "a/b").manifest("v1")
        assert all("x-evil" not in each.headers for each in server.seen)


def test_a_refusal_without_a_challenge_fails_clearly(client: Client) -> None:
    with (
        CrookedServer(lambda exchange: exchange.reply(401)) as server,
        pytest.raises(LoginRequired, match="authentication required"),
    ):
        Repository(client, server.address, "a/b").has_blob(Digest.of(b""))


def test_challenges_in_headers_of_their_own_are_all_read(client: Client) -> None:
    def respond(exchange: Exchange) -> None:
        if exchange.path == "/token":
            exchange.reply(200, encode({"token": "good"}))
        elif exchange.authorization == "Bearer good":
            exchange.reply(200, MANIFEST, {"Content-Type": MediaType.OCI_MANIFEST})
        else:
            realms = [
                ("WWW-Authenticate", 'Basic realm="a, b"'),
                ("WWW-Authenticate", 'Bearer realm="/token"'),
            ]
            exchange.reply(401, b"", realms)

    with CrookedServer(respond) as server:
        assert Repository(client, server.address, "a/b").manifest("v1")[1] == MANIFEST


def test_a_mount_asks_for_both_repositories_the_target_first(client: Client) -> None:
    def respond(exchange: Exchange) -> None:
        if exchange.path == "/token":
            exchange.reply(200, encode({"token": "good"}))
        elif not exchange.authorization:
            exchange.reply(401, b"", {"WWW-Authenticate": 'Bearer realm="/token"'})
        else:
            exchange.reply(201 if exchange.method == "POST" else 404)

    with CrookedServer(respond) as server:
        blob = Descriptor("x", Digest.of(b"x"), 1)
        repository = Repository(client, server.address, "a/target")
        repository.upload(blob, io.BytesIO, mount_from=["b/source"])
        asked = server.asked("GET", "/token")[-1].query["scope"]
        assert asked == ["repository:a/target:pull,push", "repository:b/source:pull"]


def test_a_token_that_runs_out_in_the_middle_of_an_upload_is_renewed(client: Client) -> None:
    data = b"layer" * 300_000  # too much to go with the PUT
    received: list[bytes] = []
    tokens: list[str] = []

    def respond(exchange: Exchange) -> None:
        if exchange.path == "/token":
            tokens.append(f"token-{len(tokens)}")
            exchange.reply(200, encode({"token": tokens[-1]}))
            return
        stale = exchange.method == "PATCH" and len(tokens) == 1
        if not exchange.authorization or stale:
            exchange.reply(401, b"", {"WWW-Authenticate": 'Bearer realm="/token"'})
        elif exchange.method == "HEAD":
            exchange.reply(404)
        else:
            received.append(exchange.body)
            exchange.reply(201 if exchange.method == "PUT" else 202, b"", {"Location": "/up"})

    with CrookedServer(respond) as server:
        blob = Descriptor("x", Digest.of(data), len(data))
        Repository(client, server.address, "a/b").upload(blob, lambda: io.BytesIO(data))
        assert tokens == ["token-0", "token-1"]
        assert b"".join(received) == data


def test_a_token_that_runs_out_in_the_middle_of_a_pull_is_renewed(client: Client) -> None:
    data = bytes(range(256)) * 1000
    tokens: list[str] = []

    def respond(exchange: Exchange) -> None:
        if exchange.path == "/token":
            tokens.append(f"token-{len(tokens)}")
            exchange.reply(200, encode({"token": tokens[-1]}))
            return
        start = int(exchange.headers.get("range", "bytes=0-")[6:-1])
        current = "Bearer token-1" if start else "Bearer token-0"
        if exchange.authorization != current:
            exchange.reply(401, b"", {"WWW-Authenticate": 'Bearer realm="/token"'})
            return
        part = data[start:] if start else data[:100_000]
        span = {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if start else {}
        exchange.reply(206 if start else 200, part, span, length=len(data) - start)

    with CrookedServer(respond) as server:
        blob = Descriptor("x", Digest.of(data), len(data))
        with Repository(client, server.address, "a/b").blob(blob) as stream:
            assert stream.read() == data
        assert tokens == ["token-0", "token-1"]


def test_a_token_for_a_mount_serves_what_follows_in_both_repositories(client: Client) -> None:
    registry = StrictRegistry()
    with registry.server as server:
        target = Repository(client, server.address, "a/b")
        assert not target.mount(Digest.of(b""), "c/d")  # it answers 200, which mounts nothing
        assert registry.given == 1
        for name in ("a/b", "c/d"):
            assert Repository(client, server.address, name).manifest("v1")[1] == MANIFEST
        target.put_manifest("v1", MANIFEST, MediaType.OCI_MANIFEST)
        assert registry.given == 1
