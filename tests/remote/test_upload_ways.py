"""Uploads take the way with the fewest requests that a registry, or a proxy before it, lets them."""

import io
import os

import pytest
from tests.remote.crooked import CrookedServer, Exchange
from tests.remote.test_repository import descriptor_of
from tests.remote.test_uploads import DATA, UploadServer, push

from lamina.errors import LaminaError
from lamina.remote.client import Client
from lamina.remote.repository import Repository
from lamina.remote.uploads import UploadOutcome, UploadResult

SMALL = b"a few bytes of configuration"


def push_small(client: Client, server: CrookedServer, data: bytes = SMALL) -> UploadOutcome:
    repository = Repository(client, server.address, "a/b")
    return repository.upload(descriptor_of(data), lambda: io.BytesIO(data))


def test_a_small_blob_goes_with_the_request_that_asks_for_an_upload(client: Client) -> None:
    taken: list[bytes] = []

    def answer(exchange: Exchange) -> None:
        if exchange.method == "POST":
            taken.append(exchange.body)
        exchange.reply(404 if exchange.method == "HEAD" else 201)

    with CrookedServer(answer) as server:
        assert push_small(client, server).result is UploadResult.UPLOADED
        assert [each.method for each in server.seen] == ["HEAD", "POST"]
        assert server.seen[1].query == {"digest": [str(descriptor_of(SMALL).digest)]}
    assert taken == [SMALL]


def test_a_registry_that_opens_an_upload_instead_gets_it_with_the_last_request(
    client: Client,
) -> None:
    registry = UploadServer()

    def answer(exchange: Exchange) -> None:
        if exchange.method == "PUT":
            registry.received += exchange.body
        registry.answer(exchange)

    with CrookedServer(answer) as server:
        repository = Repository(client, server.address, "a/b")
        for data in (SMALL, SMALL * 2):
            registry.blob = None
            repository.upload(descriptor_of(data), lambda data=data: io.BytesIO(data))  # type: ignore[misc]
            assert registry.blob == data
        sent = [(each.method, len(each.body)) for each in server.seen]
        assert sent == [
            ("HEAD", 0), ("POST", len(SMALL)), ("PUT", len(SMALL)),
            ("HEAD", 0), ("POST", 0), ("PUT", 2 * len(SMALL)),
        ]  # fmt: skip


@pytest.mark.parametrize("status", [400, 411, 501])
def test_a_registry_that_refuses_a_body_there_is_asked_without(client: Client, status: int) -> None:
    def trouble(exchange: Exchange) -> bool:
        if exchange.method == "PUT":
            registry.received += exchange.body
        if exchange.method == "POST" and "digest" in exchange.query:
            exchange.reply(status)
            return True
        return False

    registry = UploadServer(trouble)
    with registry.server as server:
        assert push_small(client, server).result is UploadResult.UPLOADED
    assert registry.blob == SMALL


def test_a_middling_blob_whose_last_request_broke_goes_on_at_the_offset(client: Client) -> None:
    data = os.urandom(200_000)
    cuts = [50_000]

    def trouble(exchange: Exchange) -> bool:
        if exchange.method == "PUT" and cuts:
            registry.take(exchange, cuts.pop())
            return True
        return False

    registry = UploadServer(trouble)
    with registry.server as server:
        assert push_small(client, server, data).result is UploadResult.UPLOADED
        ranges = [
            each.headers.get("content-range") for each in server.seen if each.method == "PATCH"
        ]
        assert ranges == ["50000-199999"]
    assert registry.blob == data


@pytest.mark.parametrize("had", [0, 1])
def test_a_status_of_0_0_is_one_byte_or_none(client: Client, had: int) -> None:
    cuts = [had]

    def trouble(exchange: Exchange) -> bool:
        if exchange.method != "PATCH":
            return False
        if cuts:
            registry.take(exchange, cuts.pop())
            return True
        begins = exchange.headers.get("content-range", "").partition("-")[0]
        if begins and int(begins) != len(registry.received):
            exchange.reply(416, b"", {"Location": registry.location(), "Range": "0-0"})
            return True
        return False

    registry = UploadServer(trouble)
    with registry.server as server:
        assert push(client, server).result is UploadResult.UPLOADED
        assert [each.method for each in server.seen].count("POST") == 1
    assert registry.blob == DATA


def test_a_proxy_that_lets_little_through_gets_little_pieces(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lamina.remote.uploads._PIECES", (512 << 10, 256 << 10, 128 << 10))
    limit = 300_000

    def trouble(exchange: Exchange) -> bool:
        too_much = int(exchange.headers.get("content-length", "0")) > limit
        if too_much and exchange.method in ("PATCH", "PUT"):
            exchange.reply(413, b"<html>Request Entity Too Large</html>")
        return too_much

    registry = UploadServer(trouble)
    with registry.server as server:
        assert push(client, server).result is UploadResult.UPLOADED
        sent = [each.headers.get("content-range") for each in server.seen if each.method == "PATCH"]
    assert registry.blob == DATA
    assert sent[-1] == "786432-899999"
    assert sent[2:4] == ["0-262143", "262144-524287"]


def test_a_piece_is_never_smaller_than_the_registry_wants(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lamina.remote.uploads._PIECES", (512 << 10, 256 << 10))

    def trouble(exchange: Exchange) -> bool:
        if exchange.method == "PATCH":
            exchange.reply(413)
        if exchange.method == "POST":
            headers = {"Location": registry.location(), "OCI-Chunk-Min-Length": "300000"}
            exchange.reply(202, b"", headers)
        return exchange.method in ("PATCH", "POST")

    registry = UploadServer(trouble)
    with registry.server as server:
        with pytest.raises(LaminaError):
            push(client, server)
        lengths = [each.headers["content-length"] for each in server.seen if each.method == "PATCH"]
    assert lengths == ["900000", "524288"]
