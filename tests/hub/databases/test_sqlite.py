"""One writer, many readers, each write alone in its failure."""

import contextlib
import os
import sqlite3
import subprocess
import sys
import threading

import pytest

from lamina.errors import Corrupt, Unavailable
from lamina.hub.databases.schema import steps
from lamina.hub.databases.sqlite import SqliteDatabase


@pytest.fixture
def database(tmp_path):
    database = SqliteDatabase(str(tmp_path / "hub.db"))
    yield database
    database.close()


def put(name: str):
    return lambda connection: (
        connection.execute("INSERT INTO secrets VALUES (?, 'x')", (name,)).rowcount
    )


def names(connection) -> list[str]:
    return [row[0] for row in connection.execute("SELECT name FROM secrets ORDER BY name")]


def test_a_write_is_seen_by_readers_once_it_returned(database):
    assert database.write(put("a")) == 1
    assert database.read(names) == ["a"]


def test_a_failing_write_undoes_itself_and_no_other(database):
    gate = threading.Event()
    first = database.submit(
        lambda _: gate.wait(100)
    )  # holds the writer, so that the next wait together

    def fail(connection) -> None:
        put("lost")(connection)
        raise ValueError("on purpose")

    waiting = [database.submit(put("a")), database.submit(fail), database.submit(put("b"))]
    gate.set()
    assert first.result(100)
    assert waiting[0].result(100) == waiting[2].result(100) == 1
    with pytest.raises(ValueError, match="on purpose"):
        waiting[1].result(100)
    assert database.read(names) == ["a", "b"]


def test_what_returned_is_seen_by_others(database, tmp_path):
    database.write(put("a"))
    with contextlib.closing(sqlite3.connect(tmp_path / "hub.db")) as other:
        assert names(other) == ["a"]


def test_each_commit_by_anyone_makes_another_version_and_nothing_else_does(database, tmp_path):
    seen = [database.version()]
    for name in "ab":
        database.write(put(name))
        seen.append(database.version())
    with contextlib.closing(sqlite3.connect(tmp_path / "hub.db")) as other, other:
        other.execute("INSERT INTO secrets VALUES ('c', 'x')")
    seen.append(database.version())
    assert len(set(seen)) == 4
    assert None not in seen
    database.read(names)
    with contextlib.suppress(ValueError):
        database.write(lambda _: int("none"))
    assert database.version() == seen[-1]


def test_the_state_is_another_after_each_commit_by_anyone_and_as_long_as_it_is_open(
    database, tmp_path
):
    beside = SqliteDatabase(str(tmp_path / "hub.db"))  # which shares SQLite's files with it
    seen = [database.state()]
    for name in "ab":
        database.write(put(name))
        seen.append(database.state())
    script = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute(\"INSERT INTO secrets VALUES ('c', 'x')\"); c.commit()"
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "hub.db")], check=True)
    seen.append(database.state())
    assert None not in seen
    assert len(set(seen)) == 4
    database.read(names)
    with contextlib.suppress(ValueError):
        database.write(lambda _: int("none"))
    assert database.state() == beside.state() == seen[-1]
    beside.close()
    assert beside.state() is None
    assert database.state() == seen[-1]
    database.write(put("d"))
    assert database.state() not in seen


def test_readers_cannot_write(database):
    with pytest.raises(sqlite3.OperationalError):
        database.read(put("a"))


def test_many_writers_lose_nothing(database):
    threads = [
        threading.Thread(target=lambda n=n: [database.write(put(f"{n}-{i}")) for i in range(20)])
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(database.read(names)) == 160


def test_it_opens_again_and_beside_another_process(tmp_path):
    first = SqliteDatabase(str(tmp_path / "hub.db"))
    second = SqliteDatabase(str(tmp_path / "hub.db"))
    first.write(put("a"))
    second.write(put("b"))
    first.close()
    second.close()
    first.close()
    third = SqliteDatabase(str(tmp_path / "hub.db"))
    assert third.read(names) == ["a", "b"]
    third.close()
    with pytest.raises(Unavailable):
        third.write(put("c"))


def test_one_opened_twice_here_outlives_another_process_that_comes_and_goes(tmp_path):
    path = str(tmp_path / "hub.db")
    script = (
        "import sqlite3, sys\n"
        "other = sqlite3.connect(sys.argv[1])\n"
        "with other:\n"
        "    other.execute(\"INSERT INTO secrets VALUES ('theirs', 'x')\")\n"
        "other.close()\n"
    )
    with (
        contextlib.closing(SqliteDatabase(path)) as first,
        contextlib.closing(SqliteDatabase(path)) as second,
    ):
        first.write(put("before"))
        subprocess.run([sys.executable, "-c", script, path], check=True)
        assert os.path.exists(f"{path}-wal")  # it was not the last to leave
        first.write(put("later"))
        for each in (first, second):
            assert each.read(names) == ["before", "later", "theirs"]


def test_the_file_is_its_owners_alone_even_where_a_link_leads_to_it(tmp_path):
    (tmp_path / "hub.db").symlink_to(tmp_path / "elsewhere.db")
    SqliteDatabase(str(tmp_path / "hub.db")).close()
    assert (tmp_path / "elsewhere.db").stat().st_mode & 0o777 == 0o600


def test_what_is_no_database_is_said_to_be_damaged_and_left_as_it_was(tmp_path):
    path = tmp_path / "hub.db"
    path.write_bytes(b"no database " * 100)
    with pytest.raises(Corrupt, match=r"hub\.db is damaged: file is not a database"):
        SqliteDatabase(str(path))
    assert path.read_bytes() == b"no database " * 100


def test_what_another_holds_for_itself_cannot_be_opened_and_is_not_called_damaged(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("lamina.hub.databases.sqlite._BUSY_MS", 1)
    path = str(tmp_path / "hub.db")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("CREATE TABLE theirs (name)")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(Unavailable, match="cannot be opened"):
            SqliteDatabase(path)


def test_a_database_of_a_newer_version_is_left_alone(tmp_path):
    SqliteDatabase(str(tmp_path / "hub.db")).close()
    connection = sqlite3.connect(tmp_path / "hub.db")
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    with pytest.raises(Corrupt, match="schema 999"):
        SqliteDatabase(str(tmp_path / "hub.db"))


def test_a_database_of_an_older_version_is_brought_up_to_date_with_its_rows(tmp_path):
    with contextlib.closing(sqlite3.connect(tmp_path / "hub.db")) as connection:
        connection.executescript(steps()[0].sqlite)
        connection.execute("INSERT INTO blobs (digest, size) VALUES ('sha256:aa', 5)")
        connection.execute("PRAGMA user_version = 1")
        connection.commit()
    database = SqliteDatabase(str(tmp_path / "hub.db"))
    found = database.read(lambda c: tuple(c.execute("SELECT * FROM blobs").fetchone()))
    database.close()
    assert found[:2] == ("sha256:aa", 5)
    assert "" in found  # its place: where its digest says


def test_a_write_that_need_not_be_durable_waits_for_no_disk_and_the_next_that_must_be_does(
    tmp_path,
):
    statements: list[str] = []
    database = SqliteDatabase(str(tmp_path / "hub.db"))
    database._writer.set_trace_callback(statements.append)
    with contextlib.closing(database):
        for durable in (False, False, True, False):
            database.write(put(f"{len(statements)}"), durable=durable)
            statements.append("returned")
        levels = [each.split()[-1] for each in statements if "synchronous" in each]
        assert levels == ["NORMAL", "FULL", "NORMAL"]
        # one that must be durable makes all that share its commit durable
        statements.clear()
        begun, gate = threading.Event(), threading.Event()

        def hold(_connection) -> bool:
            begun.set()
            return gate.wait(100)

        first = database.submit(hold, durable=False)
        assert begun.wait(100)
        waiting = [database.submit(put(name), durable=name == "b") for name in "abc"]
        gate.set()
        assert first.result(100)
        assert [each.result(100) for each in waiting] == [1, 1, 1]
        assert [each.split()[-1] for each in statements if "synchronous" in each] == ["FULL"]
        assert statements.count("COMMIT") == 2
