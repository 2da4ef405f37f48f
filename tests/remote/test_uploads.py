"""Uploads reach their end whatever registries and connections do."""

import io
import os
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.remote.crooked import CrookedServer, CuttingProxy, Exchange, client_for
from tests.remote.test_repository import descriptor_of, fetch
from tests.servers import RegistryServer

from lamina.remote.client import Client
from lamina.remote.credentials import Credentials
from lamina.remote.errors import (
    AccessDenied,
    BodyUnreadable,
    ConnectionBroken,
    LoginRequired,
    RegistryFailed,
    ResponseInvalid,
)
from lamina.remote.repository import Repository
from lamina.remote.uploads import UploadOutcome, UploadResult
from lamina.stream.verify import DigestMismatch

DATA = os.urandom(900_000)
BLOB = descriptor_of(DATA)


def body() -> BinaryIO:
    return io.BytesIO(DATA)


class UploadServer:
    """A registry that takes one blob, in the ways the field knows.

    `trouble` may answer an exchange in another way (and say so by True).
    """

    def __init__(self, trouble: Callable[[Exchange], bool] = lambda exchange: False) -> None:
        self.received = b""
        self.blob: bytes | None = None
        self.steps = 0
        self.trouble = trouble
        self.server = CrookedServer(self.answer)

    def location(self) -> str:
        self.steps += 1
        return f"/elsewhere/upload?state={self.steps}&sig=a%2Fb"

    def answer(self, exchange: Exchange) -> None:
        if self.trouble(exchange):
            return
        if exchange.method == "HEAD":
            exchange.reply(404 if self.blob is None else 200)
        elif exchange.method == "POST":
            self.received = b""
            exchange.reply(202, b"", {"Location": self.location()})
        elif exchange.method == "DELETE":
            exchange.reply(204)
        elif exchange.query.get("state") != [str(self.steps)] or exchange.query["sig"] != ["a/b"]:
            exchange.reply(
                404, b'{"errors": [{"code": "BLOB_UPLOAD_UNKNOWN", "message": "stale"}]}'
            )
        elif exchange.method == "GET":
            end = max(0, len(self.received) - 1)
            exchange.reply(204, b"", {"Location": self.location(), "Range": f"0-{end}"})
        elif exchange.method == "PATCH":
            self.received += exchange.body
            exchange.reply(202, b"", {"Location": self.location()})
        elif exchange.query["digest"] == [str(descriptor_of(self.received).digest)]:
            self.blob = self.received
            exchange.reply(201)
        else:
            exchange.reply(
                400, b'{"errors": [{"code": "DIGEST_INVALID", "message": "other bytes"}]}'
            )

    def take(self, exchange: Exchange, count: int) -> None:
        """Receive `count` bytes of a PATCH and drop the connection."""
        self.received += exchange.handler.rfile.read(count)
        exchange.cut()


def push(client: Client, server: CrookedServer, **more: object) -> UploadOutcome:
    repository = Repository(client, server.address, "a/b")
    return repository.upload(BLOB, body, **more)  # type: ignore[arg-type]


def test_the_newest_location_is_used_with_its_query(client: Client) -> None:
    registry = UploadServer()
    with registry.server as server:
        assert push(client, server).result is UploadResult.UPLOADED
        assert registry.blob == DATA
        methods = [each.method for each in server.seen]
        assert methods == ["HEAD", "POST", "PATCH", "PUT"]
        patch = server.seen[2]
        assert patch.headers["content-length"] == str(len(DATA))
        assert patch.headers["content-type"] == "application/octet-stream"
        assert "transfer-encoding" not in patch.headers
        assert "content-range" not in patch.headers


def test_progress_is_told_up_to_the_size(client: Client) -> None:
    registry = UploadServer()
    heard: list[int] = []
    with registry.server as server:
        push(client, server, progress=heard.append)
    assert heard == sorted(heard)
    assert heard[-1] == len(DATA)
    assert len(heard) >= 4


def test_a_dropped_upload_goes_on_where_the_server_stands(client: Client) -> None:
    pieces = [100_000, 0, 250_000]

    def trouble(exchange: Exchange) -> bool:
        if exchange.method == "PATCH" and pieces:
            registry.take(exchange, pieces.pop(0))
            return True
        return False

    registry = UploadServer(trouble)
    heard: list[int] = []
    with registry.server as server:
        assert push(client, server, progress=heard.append).result is UploadResult.UPLOADED
        ranges = [
            each.headers.get("content-range") for each in server.seen if each.method == "PATCH"
        ]
        assert ranges == [None, "100000-899999", "100000-899999", "350000-899999"]
    assert registry.blob == DATA
    assert 100_000 in heard
    assert 350_000 in heard


@pytest.mark.parametrize("status", [408, 416, 429, 500, 503])
def test_a_patch_that_failed_is_asked_about_and_sent_again(client: Client, status: int) -> None:
    failures = [status, status]

    def trouble(exchange: Exchange) -> bool:
        if exchange.method == "PATCH" and failures:
            exchange.reply(failures.pop())
            return True
        return False

    registry = UploadServer(trouble)
    with registry.server as server:
        push(client, server)
    assert registry.blob == DATA


def test_an_upload_the_server_forgot_begins_anew(client: Client) -> None:
    patches: list[int] = []

    def trouble(exchange: Exchange) -> bool:
        if exchange.method == "PATCH":
            patches.append(1)
            if len(patches) == 1:
                registry.take(exchange, 500)
                registry.steps += 1  # the address it gave is worth nothing now
                return True
        return False

    registry = UploadServer(trouble)
    with registry.server as server:
        push(client, server)
        assert len(server.asked("POST", "/uploads/")) == 2
    assert registry.blob == DATA


def test_bytes_damaged_on_the_way_are_sent_once_more_and_then_reported(client: Client) -> None:
    def trouble(exchange: Exchange) -> bool:
        if exchange.method == "PUT":
            registry.received = b"damaged"
        return False

    registry = UploadServer(trouble)
    with registry.server as server:
        with pytest.raises(DigestMismatch, match="the registry received other bytes"):
            push(client, server)
        assert 2 <= len(server.asked("POST", "/uploads/")) <= 3


def test_a_lost_answer_to_the_last_request_is_looked_up(client: Client) -> None:
    def trouble(exchange: Exchange) -> bool:
        if exchange.method == "PUT":
            registry.blob = registry.received
            _ = exchange.body
            exchange.cut()
            return True
        return False

    registry = UploadServer(trouble)
    with registry.server as server:
        assert push(client, server).result is UploadResult.UPLOADED
        assert len(server.asked("PUT", "/upload")) == 1


def test_201_to_the_first_request_means_the_blob_is_there(client: Client) -> None:
    def trouble(exchange: Exchange) -> bool:
        if exchange.method == "POST":
            exchange.reply(201, b"", {"Location": "/v2/a/b/blobs/x"})
            return True
        return False

    registry = UploadServer(trouble)
    with registry.server as server:
        assert push(client, server).result is UploadResult.UPLOADED
        assert [each.method for each in server.seen] == ["HEAD", "POST"]


def test_a_mount_that_is_not_done_continues_as_an_upload(client: Client) -> None:
    registry = UploadServer()
    with registry.server as server:
        outcome = push(client, server, mount_from=("c/d", "e/f"))
        assert outcome == UploadOutcome(UploadResult.UPLOADED)
        first, second = server.asked("POST", "/uploads/")
        assert first.query == {"mount": [str(BLOB.digest)], "from": ["c/d"]}
        assert second.query["from"] == ["e/f"]
        assert len(server.asked("DELETE", "/upload")) == 1, "the first mount's upload is cancelled"
    assert registry.blob == DATA


def test_another_process_goes_on_at_the_servers_offset(tmp_path: Path) -> None:
    cut = [True]

    def trouble(exchange: Exchange) -> bool:
        if cut[0] and exchange.method == "PATCH":
            registry.take(exchange, 600_000)
            return True
        if cut[0] and exchange.method == "GET":
            exchange.cut()
            return True
        return False

    registry = UploadServer(trouble)
    sessions: list[str] = []
    with registry.server as server:
        with client_for(tmp_path) as first, pytest.raises(ConnectionBroken):
            push(first, server, started=sessions.append)
        cut[0] = False
        server.seen.clear()
        with client_for(tmp_path) as second:
            push(second, server, session=sessions[-1], mount_from=("not/asked",))
        assert [each.method for each in server.seen] == ["HEAD", "GET", "PATCH", "PUT"]
        assert server.seen[2].headers["content-range"] == "600000-899999"
    assert registry.blob == DATA


def test_a_session_nobody_knows_any_more_does_not_hurt(client: Client) -> None:
    registry = UploadServer()
    with registry.server as server:
        push(client, server, session=f"{server.url}/elsewhere/upload?state=99&sig=x")
    assert registry.blob == DATA


def test_a_location_at_another_origin_gets_no_authorization(client: Client) -> None:
    def storage_answer(exchange: Exchange) -> None:
        exchange.reply(201 if exchange.method == "PUT" else 202)

    with CrookedServer(storage_answer) as storage:

        def registry(exchange: Exchange) -> None:
            if not exchange.authorization:
                exchange.reply(401, b"", {"WWW-Authenticate": 'Basic realm="x"'})
            elif exchange.method == "HEAD":
                exchange.reply(404)
            else:
                exchange.reply(202, b"", {"Location": f"{storage.url}/put?sig=1"})

        with CrookedServer(registry) as server:
            client.keychain.store(server.address, Credentials("alice", "pw"))
            push(client, server)
        assert [each.method for each in storage.seen] == ["PATCH", "PUT"]
        assert {each.authorization for each in storage.seen} == {""}


def test_a_location_without_tls_elsewhere_is_refused(client: Client) -> None:
    def registry(exchange: Exchange) -> None:
        if exchange.method == "HEAD":
            exchange.reply(404)
        else:
            exchange.reply(202, b"", {"Location": "http://storage.example/put"})

    with CrookedServer(registry) as server, pytest.raises(ResponseInvalid, match="not encrypted"):
        push(client, server)


def test_a_push_without_rights_is_denied_in_dockers_words(client: Client) -> None:
    denied = (
        b'{"errors": [{"code": "DENIED", "message": "requested access to the resource is denied"}]}'
    )
    with (
        CrookedServer(lambda exchange: exchange.reply(403, denied)) as server,
        pytest.raises(AccessDenied, match="push access denied for"),
    ):
        push(client, server)


def test_a_push_without_a_login_says_so(client: Client, locked_registry: RegistryServer) -> None:
    repository = Repository(client, locked_registry.address, "a/b")
    with pytest.raises(LoginRequired, match="no basic auth credentials"):
        repository.upload(BLOB, body)


def test_a_body_shorter_than_its_descriptor_is_our_fault(client: Client) -> None:
    registry = UploadServer()
    with registry.server as server:
        repository = Repository(client, server.address, "a/b")
        with pytest.raises(BodyUnreadable, match="ended after 10 of 900000 bytes"):
            repository.upload(BLOB, lambda: io.BytesIO(DATA[:10]))


def test_a_body_that_cannot_be_read_is_not_taken_for_a_broken_connection(client: Client) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(5, "Input/output error")

    registry = UploadServer()
    with registry.server as server:
        repository = Repository(client, server.address, "a/b")
        with pytest.raises(BodyUnreadable, match="Input/output error"):
            repository.upload(BLOB, Broken)
        assert len(server.asked("PATCH", "/upload")) <= 1


def test_a_registry_that_opens_uploads_nowhere_is_told_so(client: Client) -> None:
    with (
        CrookedServer(lambda each: each.reply(404 if each.method == "HEAD" else 202)) as server,
        pytest.raises(ResponseInvalid, match="says not where"),
    ):
        push(client, server)


def test_a_registry_that_always_fails_is_given_up(client: Client) -> None:
    with (
        CrookedServer(lambda each: each.reply(404 if each.method == "HEAD" else 500)) as server,
        pytest.raises(RegistryFailed, match="500 Internal Server Error"),
    ):
        push(client, server)


def test_distributions_registry_survives_cuts_while_receiving(
    client: Client, open_registry: RegistryServer
) -> None:
    with CuttingProxy(open_registry.address, up=[70_001, 300_000, 200_000]) as proxy:
        push_to = Repository(client, proxy.address, "cut/up")
        assert push_to.upload(BLOB, body).result is UploadResult.UPLOADED
        assert proxy.cuts == 3
    assert fetch(Repository(client, open_registry.address, "cut/up"), BLOB) == DATA


@settings(max_examples=15)
@given(cuts=st.lists(st.integers(0, 400_000), max_size=4))
def test_any_cuts_give_the_same_blob(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int]
) -> None:
    left = list(cuts)

    def trouble(exchange: Exchange) -> bool:
        if exchange.method == "PATCH" and left:
            rest = int(exchange.headers["content-length"])
            registry.take(exchange, min(left.pop(), rest))
            return True
        return False

    registry = UploadServer(trouble)
    with client_for(tmp_path_factory.mktemp("cuts")) as client, registry.server as server:
        push(client, server)
    assert registry.blob == DATA


def test_a_location_that_forgot_the_tls_before_it_is_corrected(client: Client) -> None:
    def registry(exchange: Exchange) -> None:
        status = {"HEAD": 404, "PUT": 201}.get(exchange.method, 202)
        exchange.reply(status, b"", {"Location": f"http://{server.address}/up?x=1"})

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with CrookedServer(registry, tls=context) as server:
        assert push(client, server).result is UploadResult.UPLOADED
        assert server.asked("PATCH", "/up")
