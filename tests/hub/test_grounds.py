"""Grounds are remembered over one's own commits, and never over anyone else's."""

import contextlib
import sqlite3
import threading

import pytest

from lamina.hub.databases.sqlite import SqliteDatabase
from lamina.hub.grounds import Grounds
from lamina.hub.tables import accounts, blobs, repositories
from lamina.hub.tables.pushes import Ground

NOW = 1000.0


@pytest.fixture
def database(tmp_path):
    with contextlib.closing(SqliteDatabase(str(tmp_path / "hub.db"))) as database:

        def work(connection) -> None:
            accounts.add(connection, name="alice", password="x", now=NOW)
            made = repositories.ensure(connection, "alice/app", now=NOW)
            blobs.note_push(connection, made.id, NOW)

        database.write(work)
        yield database


@pytest.fixture
def asked(database) -> list[str]:
    """What the loop and the writer asked the database for."""
    statements: list[str] = []

    def note(statement: str) -> None:
        if "FROM accounts LEFT JOIN" in statement:
            statements.append(statement)

    assert database.version() is not None
    for connection in (database._looker, database._writer):
        connection.set_trace_callback(note)
    return statements


class Push:
    """A turn that looks and writes what grounds are not made of; `besides` comes before it is told."""

    def __init__(self, database, grounds: Grounds, *, besides=lambda: None, name="alice/app"):
        self.is_told = threading.Event()
        turns = []

        def work(connection) -> Ground | None:
            turns.append(grounds.turn(connection))
            found = turns[0].look("alice", name)
            connection.execute("INSERT INTO turns VALUES (hex(randomblob(8)), 1)")
            return found

        def told(_) -> None:
            besides()
            grounds.keep(turns[0], before=NOW - 1)
            self.is_told.set()

        self.future = database.submit(work, told=told)

    def found(self) -> Ground:
        found = self.future.result(100)
        assert self.is_told.wait(100)
        assert isinstance(found, Ground)
        return found


def look(grounds: Grounds, name: str = "alice/app") -> Ground:
    found = grounds.look("alice", name)
    assert found is not None
    return found


def elsewhere(tmp_path, sql: str) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "hub.db")) as other, other:
        other.execute(sql)


def test_what_a_turn_read_holds_after_it_and_for_the_next_turn(database, asked):
    grounds = Grounds(database)
    first = Push(database, grounds).found()
    assert first.account.name == "alice"
    for _ in range(3):
        assert look(grounds) == Push(database, grounds).found() == first
    assert len(asked) == 1
    assert grounds.look("bob", "alice/app") is None


@pytest.mark.parametrize("is_other_process", [True, False])
def test_what_anybody_else_commits_is_seen_at_once(database, asked, tmp_path, is_other_process):
    grounds = Grounds(database)
    disable = "UPDATE accounts SET disabled_at = 1"
    Push(database, grounds).found()
    if is_other_process:
        elsewhere(tmp_path, disable)
    else:
        database.write(lambda connection: connection.execute(disable).rowcount)
    assert look(grounds).account.is_disabled
    assert Push(database, grounds).found().account.is_disabled


def test_a_commit_that_is_quicker_than_the_note_of_ones_own_is_not_taken_for_it(database, tmp_path):
    grounds = Grounds(database)
    disable = "UPDATE accounts SET disabled_at = 1"
    Push(database, grounds, besides=lambda: elsewhere(tmp_path, disable)).found()
    assert look(grounds).account.is_disabled


@pytest.mark.parametrize("is_before", [False, True])
def test_who_shares_a_commit_may_change_what_was_read_before(database, is_before):
    grounds = Grounds(database)
    assert not Push(database, grounds).found().account.is_disabled  # known from here on
    held, gate = threading.Event(), threading.Event()

    def hold(_connection) -> bool:
        held.set()
        return gate.wait(100)

    def disable(connection) -> int:
        return int(connection.execute("UPDATE accounts SET disabled_at = 1").rowcount)

    first = database.submit(hold)
    assert held.wait(100)
    change = database.submit(disable) if is_before else None
    waiting = Push(database, grounds)
    change = change or database.submit(disable)
    gate.set()
    assert first.result(100)
    assert waiting.found().account.is_disabled == is_before
    assert change.result(100) == 1
    assert look(grounds).account.is_disabled


def test_a_repository_that_was_not_there_and_a_push_that_was_long_ago_are_read_again(
    database, asked
):
    grounds = Grounds(database)
    assert Push(database, grounds, name="alice/new").found().repository is None
    database._writer.execute("UPDATE repositories SET busy_at = 1")
    Push(database, grounds).found()
    asked.clear()
    for name in ("alice/new", "alice/app"):
        look(grounds, name)
    assert len(asked) == 2


def test_without_a_state_everything_is_asked_for(database, asked):
    database._index = -1
    grounds = Grounds(database)
    Push(database, grounds).found()
    look(grounds)
    assert len(asked) == 2
