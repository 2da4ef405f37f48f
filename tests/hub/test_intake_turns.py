"""Turns of the database's writer that keep small uploads: what shares one, and what has none."""

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator

import pytest
from tests.hub.clients import PASSWORD, Client, digest
from tests.hub.lines import Line, head
from tests.hub.test_intake import ALICE, UPLOADS, ask, begin, named

from lamina.hub import Hub, front
from lamina.hub.databases.sqlite import SqliteDatabase
from lamina.hub.intake import LARGEST, Intake


@pytest.fixture
def resting(tmp_path, monkeypatch) -> Iterator[Hub]:
    """A hub of which no chore comes between: uploads that were begun rest, and small blobs have no files."""
    for name in ("_FLUSH_EVERY_S", "_SETTLE_EVERY_S"):
        monkeypatch.setattr(f"lamina.hub.chores.{name}", 10_000.0)
    monkeypatch.setattr(front, "_PATIENCE_S", 1000.0)
    with Hub(str(tmp_path)) as hub:
        hub.register("alice", PASSWORD)
        Client(hub.address, "alice").get("/v2/")
        yield hub


def intake_of(hub: Hub) -> Intake:
    assert hub.services.intake is not None
    return hub.services.intake


def test_what_comes_while_the_writer_waits_is_one_turn_of_it_and_each_is_told_its_own(resting):
    database, intake, statements = resting.services.database, intake_of(resting), list[str]()
    assert isinstance(database, SqliteDatabase)
    with contextlib.ExitStack() as stack:
        lines = [stack.enter_context(Line(resting)) for _ in range(40)]
        bodies = [b"one of many %d" % number for number in range(40)]
        places = [begin(line) for line in lines]
        gate, held = threading.Event(), threading.Event()

        def hold(_connection) -> bool:
            held.set()
            return gate.wait(100)

        waiting = database.submit(hold)
        assert held.wait(100)
        for number, (line, place, body) in enumerate(zip(lines, places, bodies, strict=True)):
            path = named(place, b"another" if number % 4 == 3 else body)
            line.socket.sendall(
                head(path, ALICE, f"Content-Length: {len(body)}", method="PUT") + body
            )
        while len(intake._waiting) < len(lines):
            pass
        database._writer.set_trace_callback(statements.append)
        gate.set()
        waiting.result(100)
        told = [line.answer("PUT")[0] for line in lines]
        assert told == [400 if number % 4 == 3 else 201 for number in range(40)]
        taken = [each for each in statements if each.startswith("INSERT INTO arrivals")]
        assert len(taken) == 2  # 30 of them, 16 at once
        alice = Client(resting.address, "alice")
        for number, body in enumerate(bodies):
            status = 404 if number % 4 == 3 else 200
            assert alice.get(f"/v2/alice/small/blobs/{digest(body)}").status == status


def test_a_database_that_another_process_holds_for_too_long_keeps_nobody_waiting_afterwards(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("lamina.hub.databases.sqlite._BUSY_MS", 1)
    data = b"once it is free again"
    with Hub(str(tmp_path)) as hub, Line(hub) as line:
        hub.register("alice", PASSWORD)
        alice = Client(hub.address, "alice")
        alice.get("/v2/")
        place = begin(line)
        with contextlib.closing(sqlite3.connect(tmp_path / "hub.db", isolation_level=None)) as held:
            held.execute("PRAGMA busy_timeout = 60000")
            held.execute("BEGIN IMMEDIATE")
            assert ask(line, "PUT", named(place, data), body=data)[0] == 503
        assert ask(line, "PUT", named(begin(line), data), body=data)[0] == 201
        assert alice.get(f"/v2/alice/small/blobs/{digest(data)}").body == data


def test_larger_ones_go_the_long_way_while_much_waits_for_its_files(resting, monkeypatch):
    intake, taken = intake_of(resting), list[int]()
    take = intake.take

    def noted(wish, data, told) -> None:
        taken.append(len(data))
        take(wish, data, told)

    monkeypatch.setattr(intake, "take", noted)
    monkeypatch.setattr("lamina.hub.intake._ROOM", LARGEST)
    bodies = [os.urandom(size) for size in (LARGEST, 40_000, 9_000, LARGEST)]
    with Line(resting) as line:
        for number, data in enumerate(bodies):
            if number == 3:
                intake.settle()
            assert ask(line, "POST", named(UPLOADS, data), body=data)[0] == 201
    assert taken == [LARGEST, 9_000, LARGEST]
    alice = Client(resting.address, "alice")
    for data in bodies:
        assert alice.get(f"/v2/alice/small/blobs/{digest(data)}").body == data
