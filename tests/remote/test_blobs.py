"""Blobs survive what happens to connections."""

import gzip
import io
import os
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.remote.crooked import QUICK, CrookedServer, CuttingProxy, Exchange, client_for
from tests.remote.test_repository import descriptor_of, fetch
from tests.servers import RegistryServer

from lamina.remote.client import Client
from lamina.remote.errors import BlobUnknown, ConnectionBroken, ResponseInvalid, TooManyRequests
from lamina.remote.repository import Repository
from lamina.remote.retry import Patience
from lamina.stream.verify import SizeMismatch

DATA = os.urandom(700_000)
BLOB = descriptor_of(DATA)


def start_of(exchange: Exchange) -> int:
    wanted = exchange.headers.get("range", "")
    return int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0


def serve_range(exchange: Exchange, *, at_most: int = len(DATA)) -> None:
    """Answer a range rightly, and cut the connection after `at_most` bytes."""
    start = start_of(exchange)
    rest = DATA[start:]
    headers = {}
    if start:
        headers["Content-Range"] = f"bytes {start}-{len(DATA) - 1}/{len(DATA)}"
    exchange.reply(206 if start else 200, rest[:at_most], headers, length=len(rest))


def starts(server: CrookedServer) -> list[int]:
    return [start_of(each) for each in server.seen]


def pull(client: Client, server: CrookedServer, offset: int = 0) -> bytes:
    return fetch(Repository(client, server.address, "a/b"), BLOB, offset)


def test_a_blob_is_asked_for_as_it_is(client: Client) -> None:
    with CrookedServer(serve_range) as server:
        assert pull(client, server) == DATA
        assert server.seen[0].headers["accept-encoding"] == "identity"
        assert "range" not in server.seen[0].headers


def test_a_read_of_everything_gives_everything(client: Client) -> None:
    with (
        CrookedServer(serve_range) as server,
        Repository(client, server.address, "a/b").blob(BLOB) as stream,
    ):
        assert stream.read(10) == DATA[:10]
        assert stream.read() == DATA[10:]
        assert stream.offset == len(DATA)
        assert stream.read(1) == b""


def test_a_dropped_connection_goes_on_at_the_place_reached(client: Client) -> None:
    with CrookedServer(lambda exchange: serve_range(exchange, at_most=100_000)) as server:
        assert pull(client, server) == DATA
        assert starts(server) == [0, 100_000, 200_000, 300_000, 400_000, 500_000, 600_000]


def test_a_pull_can_begin_where_an_earlier_one_stopped(client: Client) -> None:
    with CrookedServer(serve_range) as server:
        assert pull(client, server, 500_000) == DATA[500_000:]
        assert starts(server) == [500_000]


def test_without_progress_it_ends_and_says_where(client: Client) -> None:
    def answer(exchange: Exchange) -> None:
        serve_range(exchange, at_most=0 if start_of(exchange) >= 100_000 else 100_000)

    with CrookedServer(answer) as server:
        with pytest.raises(ConnectionBroken, match="at byte 100000 of 700000") as caught:
            pull(client, server)
        assert "repeat the command" in caught.value.hint
        assert len(server.seen) == 5


def test_a_server_that_ignores_ranges_is_read_again_from_the_start(client: Client) -> None:
    def answer(exchange: Exchange) -> None:
        first = len(server.seen) == 1
        exchange.reply(200, DATA[:300_000] if first else DATA, length=len(DATA))

    with CrookedServer(answer) as server:
        assert pull(client, server) == DATA
        assert len(server.seen) == 2


@pytest.mark.parametrize(
    "lie",
    [
        "bytes 0-699999/700000",
        "bytes 299999-699999/700000",
        "bytes 300001-699999/700000",
        "bytes 300000-600000/700000",
        "bytes 300000-699999/800000",
        "lines 1-2/3",
        "",
    ],
)
def test_a_range_that_is_not_the_one_asked_for_is_not_appended(client: Client, lie: str) -> None:
    def answer(exchange: Exchange) -> None:
        if start_of(exchange):
            exchange.reply(206, b"x" * 400_000, {"Content-Range": lie} if lie else {})
        else:
            first = len(server.seen) == 1
            exchange.reply(200, DATA[:300_000] if first else DATA, length=len(DATA))

    with CrookedServer(answer) as server:
        assert pull(client, server) == DATA
        assert starts(server) == [0, 300_000, 0]


def test_416_for_a_range_makes_it_start_anew(client: Client) -> None:
    def answer(exchange: Exchange) -> None:
        if start_of(exchange):
            exchange.reply(416)
        else:
            exchange.reply(200, DATA)

    with CrookedServer(answer) as server:
        assert pull(client, server, 1234) == DATA[1234:]


def test_another_length_than_the_manifests_is_noticed_before_a_byte_is_read(client: Client) -> None:
    with (
        CrookedServer(lambda exchange: exchange.reply(200, DATA + b"!")) as server,
        pytest.raises(SizeMismatch, match="has 700001 bytes where the manifest says 700000"),
    ):
        pull(client, server)


def chunked(exchange: Exchange, data: bytes) -> None:
    body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (data[:9], data[9:]))
    exchange.reply(200, body + b"0\r\n\r\n", {"Transfer-Encoding": "chunked"}, length=-1)


def test_a_body_without_a_length_is_read_and_measured(client: Client) -> None:
    with CrookedServer(lambda exchange: chunked(exchange, DATA)) as server:
        assert pull(client, server) == DATA
    with (
        CrookedServer(lambda exchange: chunked(exchange, DATA + b"!")) as server,
        pytest.raises(SizeMismatch, match="longer than the promised 700000 bytes"),
    ):
        pull(client, server)


def test_a_stream_that_ends_early_again_and_again_ends_in_an_error(client: Client) -> None:
    with (
        CrookedServer(lambda exchange: chunked(exchange, DATA[:1000])) as server,
        pytest.raises(ConnectionBroken),
    ):
        pull(client, server)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_every_third_request_failing_does_not_hurt(client: Client, status: int) -> None:
    def answer(exchange: Exchange) -> None:
        if len(server.seen) % 3 == 1:
            exchange.reply(status, b"try later", {"Retry-After": "0"})
        else:
            serve_range(exchange, at_most=200_000)

    with CrookedServer(answer) as server:
        assert pull(client, server) == DATA


def test_a_rate_limit_longer_than_our_patience_is_told_at_once(client: Client) -> None:
    with CrookedServer(lambda each: each.reply(429, b"", {"Retry-After": "3600"})) as server:
        with pytest.raises(TooManyRequests) as caught:
            pull(client, server)
        assert "wait 3600 s" in caught.value.hint
        assert len(server.seen) == 1


def test_a_signed_address_that_ran_out_is_fetched_anew(client: Client) -> None:
    signed: list[str] = []

    def registry(exchange: Exchange) -> None:
        signed.append(f"{storage.url}/signed/{len(signed)}?sig=x")
        exchange.reply(307, b"", {"Location": signed[-1]})

    def keep(exchange: Exchange) -> None:
        if exchange.path == "/signed/0":
            exchange.reply(403, b"<Error>Request has expired</Error>")
        else:
            serve_range(exchange)

    with CrookedServer(keep) as storage, CrookedServer(registry) as server:
        assert pull(client, server) == DATA
        assert len(signed) == 2


def test_a_drip_is_treated_as_a_broken_connection(tmp_path: Path) -> None:
    impatient = Patience(
        tries=2, first_s=0.01, longest_s=0.01, total_s=1, stall_s=0.3, slowest=100_000
    )

    def answer(exchange: Exchange) -> None:
        exchange.reply(200, DATA[:1], {"Content-Length": str(len(DATA))})
        for _ in range(200):
            exchange.handler.wfile.write(b"x")
            exchange.handler.wfile.flush()
            time.sleep(0.02)

    with (
        client_for(tmp_path, impatient) as client,
        CrookedServer(answer) as server,
        pytest.raises(ConnectionBroken, match="sends next to nothing"),
    ):
        pull(client, server)


def test_leaving_early_drops_the_connection(client: Client) -> None:
    with CrookedServer(serve_range) as server:
        with Repository(client, server.address, "a/b").blob(BLOB) as stream:
            stream.read(10)
        assert pull(client, server) == DATA


def test_a_missing_blob_is_unknown_when_it_is_opened(client: Client) -> None:
    with CrookedServer(lambda each: each.reply(404, b"<html>nope</html>")) as server:
        repository = Repository(client, server.address, "a/b")
        with pytest.raises(BlobUnknown, match="not found in"):
            repository.blob(BLOB)


def test_a_redirect_loop_ends(client: Client) -> None:
    def answer(exchange: Exchange) -> None:
        exchange.reply(302, b"", {"Location": exchange.path})

    with CrookedServer(answer) as server, pytest.raises(ResponseInvalid, match="without end"):
        pull(client, server)


def test_distributions_registry_survives_cuts_at_odd_places(
    tmp_path: Path, open_registry: RegistryServer
) -> None:
    with client_for(tmp_path) as direct:
        Repository(direct, open_registry.address, "cut/down").upload(BLOB, lambda: io.BytesIO(DATA))
    with (
        CuttingProxy(open_registry.address, down=[70_001, 5000, 200_000, 66_666]) as proxy,
        client_for(tmp_path) as client,
    ):
        assert fetch(Repository(client, proxy.address, "cut/down"), BLOB) == DATA
        assert proxy.cuts == 4


@settings(max_examples=15)
@given(cuts=st.lists(st.integers(0, 250_000), max_size=4), offset=st.integers(0, len(DATA)))
def test_any_cuts_give_the_same_bytes(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], offset: int
) -> None:
    left = list(cuts)

    def answer(exchange: Exchange) -> None:
        serve_range(exchange, at_most=left.pop() if left else len(DATA))

    with (
        client_for(tmp_path_factory.mktemp("cuts"), QUICK) as client,
        CrookedServer(answer) as server,
    ):
        assert pull(client, server, offset) == DATA[offset:]


def test_a_blob_that_was_compressed_on_the_way_is_unpacked(client: Client) -> None:
    packed = gzip.compress(DATA, 1)

    def answer(exchange: Exchange) -> None:
        cut = len(server.seen) == 1  # what follows is a part of the packed form: of no use
        start = start_of(exchange)
        headers = {"Content-Encoding": "gzip"}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(DATA) - 1}/{len(DATA)}"
            exchange.reply(206, packed[start:], headers)
        else:
            exchange.reply(200, packed[:300_000] if cut else packed, headers, length=len(packed))

    with CrookedServer(answer) as server:
        assert pull(client, server) == DATA
        assert starts(server) == [0, 0]


def test_a_blob_that_is_only_labelled_as_compressed_stays_as_it_is(client: Client) -> None:
    layer = gzip.compress(DATA)
    wanted = descriptor_of(layer)
    with CrookedServer(lambda each: each.reply(200, layer, {"Content-Encoding": "gzip"})) as server:
        assert fetch(Repository(client, server.address, "a/b"), wanted, 0) == layer


def test_a_damaged_compression_ends_in_an_error(client: Client) -> None:
    with CrookedServer(
        lambda each: each.reply(200, b"\x1f\x8bnonsense", {"Content-Encoding": "gzip"})
    ) as server:
        with pytest.raises(ConnectionBroken, match="packed body is damaged"):
            pull(client, server)
        assert len(server.seen) == 5
