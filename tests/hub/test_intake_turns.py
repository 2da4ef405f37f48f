"""Turns of the database's writer that keep small uploads: what shares one, and what has none."""

import contextlib
import sqlite3
import threading

from tests.hub.clients import PASSWORD, Client, digest
from tests.hub.lines import Line, head
from tests.hub.test_intake import ALICE, ask, begin, named

from lamina.hub import Hub
from lamina.hub.databases.sqlite import SqliteDatabase


def test_what_comes_while_the_writer_waits_is_one_turn_of_it_and_each_is_told_its_own(tmp_path):
    with Hub(str(tmp_path)) as hub, contextlib.ExitStack() as stack:
        hub.register("alice", PASSWORD)
        Client(hub.address, "alice").get("/v2/")
        database, intake, statements = hub.services.database, hub.services.intake, list[str]()
        assert isinstance(database, SqliteDatabase)
        assert intake is not None
        lines = [stack.enter_context(Line(hub)) for _ in range(40)]
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
        alice = Client(hub.address, "alice")
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
