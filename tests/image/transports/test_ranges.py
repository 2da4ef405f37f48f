"""A large blob in parts: the same bytes, whatever the registry does with ranges."""

import threading
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from tests.remote.crooked import CrookedServer, Exchange, client_for
from tests.remote.test_repository import descriptor_of

from lamina.image.transports.ranges import PartedBlob
from lamina.remote.client import Client
from lamina.remote.errors import ConnectionBroken
from lamina.remote.repository import Repository
from lamina.store.spares import Spares
from lamina.stream.verify import CHUNK

MIB = 1024 * 1024
DATA = Random(4).randbytes(18 * MIB + 12345)
BLOB = descriptor_of(DATA)
ALWAYS, NEVER = float("inf"), 0.0


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with client_for(tmp_path) as made:
        yield made


@pytest.fixture
def spares(tmp_path: Path) -> Spares:
    (tmp_path / "uploads").mkdir()
    return Spares(str(tmp_path / "uploads"), "blob")


def wanted(exchange: Exchange) -> tuple[int, int]:
    """Give the range that is asked for, its end excluded."""
    text = exchange.headers.get("range", "bytes=0-").removeprefix("bytes=")
    start, _, end = text.partition("-")
    return int(start), int(end) + 1 if end else len(DATA)


def serve(exchange: Exchange, *, at_most: int = len(DATA)) -> None:
    start, end = wanted(exchange)
    if "range" not in exchange.headers:
        exchange.reply(200, DATA)
        return
    headers = {"Content-Range": f"bytes {start}-{end - 1}/{len(DATA)}"}
    exchange.reply(206, DATA[start:end][:at_most], headers, length=end - start)


def pull(
    client: Client, server: CrookedServer, spares: Spares, offset: int = 0, *, fast: float = ALWAYS
) -> bytes:
    repository = Repository(client, server.address, "a/b")
    with PartedBlob(repository, BLOB, offset, spares, fast=fast).open() as blob:
        pieces = []
        while piece := blob.read(CHUNK):
            pieces.append(piece)
        return b"".join(pieces)


@pytest.mark.parametrize("offset", [0, 1, 4 * MIB, 5 * MIB - 1, len(DATA) - 5, len(DATA)])
def test_a_slow_blob_comes_in_parts_that_are_each_asked_for_once(
    client: Client, spares: Spares, offset: int
) -> None:
    with CrookedServer(serve) as server:
        assert pull(client, server, spares, offset) == DATA[offset:]
        ranges = sorted(wanted(each) for each in server.seen)
        assert [start for start, _ in ranges] == [offset, *(end for _, end in ranges[:-1])][
            : len(ranges)
        ]
        assert sum(end - start for start, end in ranges) == len(DATA) - offset
    assert spares.found() == {}


def test_a_fast_blob_stays_with_one_connection(client: Client, spares: Spares) -> None:
    with CrookedServer(serve) as server:
        assert pull(client, server, spares, fast=NEVER) == DATA
        assert [wanted(each) for each in server.seen] == [(0, 4 * MIB), (4 * MIB, len(DATA))]


def test_parts_come_at_the_same_time(client: Client, spares: Spares) -> None:
    together = threading.Barrier(4, timeout=100)

    def answer(exchange: Exchange) -> None:
        if 4 * MIB <= wanted(exchange)[0] < 18 * MIB:
            together.wait()  # four requests must be there before any is answered
        serve(exchange)

    with CrookedServer(answer) as server:
        assert pull(client, server, spares) == DATA


@pytest.mark.parametrize("kind", ["ignored", "wrong", "416", "late"])
def test_a_registry_that_lies_about_ranges_is_read_in_one(
    client: Client, spares: Spares, kind: str
) -> None:
    def answer(exchange: Exchange) -> None:
        start, end = wanted(exchange)
        honest = kind == "late" and start < 8 * MIB
        if end == len(DATA) or "range" not in exchange.headers or honest:
            serve(exchange)
        elif kind == "wrong":
            headers = {"Content-Range": f"bytes {start + 1}-{end}/{len(DATA)}"}
            exchange.reply(206, DATA[start + 1 : end + 1], headers)
        elif kind == "416":
            exchange.reply(416)
        else:
            exchange.reply(200, DATA)

    with CrookedServer(answer) as server:
        assert pull(client, server, spares) == DATA
    assert spares.found() == {}


def test_parts_that_break_off_go_on_where_they_broke(client: Client, spares: Spares) -> None:
    with CrookedServer(lambda each: serve(each, at_most=1_500_000)) as server:
        assert pull(client, server, spares) == DATA
        assert len(server.seen) > 10


def test_what_earlier_parts_left_is_not_asked_for_again(client: Client, spares: Spares) -> None:
    def answer(exchange: Exchange) -> None:
        start, _ = wanted(exchange)
        if start < 8 * MIB:
            serve(exchange)
        elif start % (4 * MIB):
            exchange.cut()
        else:
            serve(exchange, at_most=3 * MIB)  # and nothing from there on

    got = 0
    with CrookedServer(answer) as server:
        repository = Repository(client, server.address, "a/b")
        with (
            pytest.raises(ConnectionBroken),
            PartedBlob(repository, BLOB, 0, spares, fast=ALWAYS).open() as blob,
        ):
            while piece := blob.read(CHUNK):
                assert piece == DATA[got : got + len(piece)]
                got += len(piece)
    left = spares.found()
    kept = sum(size for begin, size in left.items() if begin + size > got)
    assert kept > 3 * MIB
    with CrookedServer(serve) as server:
        assert pull(client, server, spares, got) == DATA[got:]
        asked = sum(end - start for start, end in map(wanted, server.seen))
        behind = sum(max(0, got - begin) for begin, size in left.items() if begin + size > got)
        assert asked == len(DATA) - got - kept + behind


def test_leaving_early_leaves_nothing_open(client: Client, spares: Spares) -> None:
    with CrookedServer(serve) as server:
        repository = Repository(client, server.address, "a/b")
        with PartedBlob(repository, BLOB, 0, spares, fast=ALWAYS).open() as blob:
            assert blob.read(10) == DATA[:10]
            for _ in range(40):
                blob.read(CHUNK)
        assert pull(client, server, spares, blob.offset) == DATA[blob.offset :]
