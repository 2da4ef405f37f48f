"""Two verbs on a real PostgreSQL, with others at the same rows and a server that goes away."""

import threading
from collections.abc import Iterator

import psycopg
import pytest
from tests.postgres import PostgresServer

from lamina.errors import Corrupt, Invalid, Unavailable
from lamina.hub.databases import postgres
from lamina.hub.databases.postgres import PostgresDatabase, check_sessions, connect, translate


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="module")
def url(server) -> str:
    made: str = server.make_database()
    return made


@pytest.fixture
def database(url) -> Iterator[PostgresDatabase]:
    database = PostgresDatabase(url)
    database.write(lambda connection: connection.execute("DELETE FROM secrets").rowcount)
    yield database
    database.close()


def put(name: str):
    return lambda connection: (
        connection.execute("INSERT INTO secrets VALUES (?, 'x')", (name,)).rowcount
    )


def names(connection) -> list[str]:
    return [row[0] for row in connection.execute("SELECT name FROM secrets ORDER BY name")]


def count(connection) -> int:
    return int(connection.execute("SELECT count(*) FROM secrets").fetchone()[0])


def test_question_marks_become_parameters_outside_quotes_alone():
    assert translate("SELECT '?%' WHERE a LIKE ? ESCAPE '!'") == (
        b"SELECT '?%%' WHERE a LIKE %s ESCAPE '!'"
    )


def test_a_write_is_seen_by_readers_once_it_returned_and_names_sort_by_bytes(database):
    for name in ("b", "a", "B", "ä"):
        assert database.write(put(name)) == 1
    assert database.read(names) == ["B", "a", "b", "ä"]


def test_a_failing_write_undoes_itself(database):
    def fail(connection) -> None:
        put("lost")(connection)
        raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"):
        database.write(fail)
    assert database.read(names) == []


def test_readers_cannot_write(database):
    with pytest.raises(Exception, match="read-only"):
        database.read(put("a"))


def test_a_reader_sees_one_state_whatever_is_written_meanwhile(database):
    def work(connection) -> tuple[int, int]:
        before = count(connection)
        database.write(put("meanwhile"))
        return before, count(connection)

    assert database.read(work) == (0, 0)
    assert database.read(count) == 1


def test_writers_that_count_first_never_count_the_same(database):
    barrier = threading.Barrier(4)

    def add_after_counting() -> None:
        barrier.wait(60)
        for _ in range(10):
            database.write(lambda connection: put(f"{count(connection):03}")(connection))

    threads = [threading.Thread(target=add_after_counting) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert database.read(names) == [f"{number:03}" for number in range(40)]


def test_what_a_text_cannot_hold_is_the_callers_fault(database):
    with pytest.raises(Invalid, match="NUL"):
        database.write(put("a\0b"))
    assert database.read(names) == []


def test_flags_are_numbers_and_conditions_alike(database):
    for flag in (True, False):
        row = database.read(
            lambda connection, flag=flag: connection.execute(
                "SELECT 1 WHERE ? OR 1 = ?", (flag, flag)
            ).fetchone()
        )
        assert (row is not None) is flag


def test_it_goes_on_after_the_server_restarted(server, url, database):
    database.write(put("before"))
    server.stop()
    hurried = threading.Timer(0.5, server.start)
    hurried.start()
    assert database.write(put("after")) == 1
    hurried.join()
    assert database.read(names) == ["after", "before"]


def test_it_goes_on_after_a_restart_that_took_longer_than_the_pool_tries(
    server, database, monkeypatch
):
    monkeypatch.setattr(postgres, "_ASK_AGAIN_S", 0.3)
    database._pool.reconnect_timeout = 0.1
    server.stop()
    hurried = threading.Timer(0.5, server.start)
    hurried.start()
    assert database.write(put("late")) == 1
    hurried.join()
    assert database.read(names) == ["late"]


def test_a_server_that_stays_away_is_told_of_in_words_and_without_a_password(server, url):
    database = PostgresDatabase(url, patience_s=0.5)
    server.stop()
    try:
        with pytest.raises(Unavailable, match="cannot be reached") as refused:
            database.read(count)
        assert refused.value.hint
        with pytest.raises(Unavailable) as refused:
            connect(url.replace("@", ":hunter2@", 1))
        assert "hunter2" not in str(refused.value)
    finally:
        server.start()
        database.close()


def test_many_processes_may_bring_the_schema_up_at_once(server):
    url = server.make_database()
    made: list[PostgresDatabase] = []
    threads = [
        threading.Thread(target=lambda: made.append(PostgresDatabase(url))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [database.read(count) for database in made] == [0] * 4
    for database in made:
        database.close()
    with pytest.raises(Unavailable, match="stopping"):
        made[0].write(put("late"))


def test_a_database_of_a_newer_version_is_left_alone(server):
    url = server.make_database()
    PostgresDatabase(url).close()
    with connect(url) as connection:
        connection.execute("INSERT INTO schema_steps VALUES (999)")
    with pytest.raises(Corrupt, match="schema 999"):
        PostgresDatabase(url)


def test_addresses_that_cannot_be_read_are_said_so():
    with pytest.raises(Invalid, match="cannot be read"):
        connect("postgresql://here/hub?nonsense=1")
    with pytest.raises(Invalid, match="has an @") as refused:
        connect("postgresql://hub:hunter@2@here/hub")
    assert "%40" in refused.value.hint


def test_a_pooler_that_lends_sessions_for_a_transaction_is_refused(url):
    with connect(url) as one, connect(url) as two:
        check_sessions(one, two)
        with pytest.raises(Invalid, match="gives each transaction another session") as caught:
            check_sessions(one, one)  # so it is behind PgBouncer: two clients, one session
    assert "pool_mode = session" in caught.value.hint


def test_a_write_waits_for_the_server_only_where_it_wants_an_answer(database, monkeypatch):
    waits: list[str] = []
    sync = psycopg.Pipeline.sync

    def counted(pipeline: psycopg.Pipeline) -> None:
        waits.append("")
        sync(pipeline)

    monkeypatch.setattr(psycopg.Pipeline, "sync", counted)

    def fill(connection) -> None:
        for name in ("a", "b", "c"):
            connection.execute("INSERT INTO secrets VALUES (?, 'x')", (name,))

    database.write(fill)
    assert len(waits) == 1  # that the server is there; its end is not counted
    waits.clear()

    def more(connection) -> tuple[int, list[str]]:
        put("d")(connection)
        connection.executemany("INSERT INTO secrets VALUES (?, 'x')", [("e",), ("f",)])
        return count(connection), names(connection)

    assert database.write(more) == (6, ["a", "b", "c", "d", "e", "f"])
    assert len(waits) == 1  # many rows go without a pipeline, and so does all after them
    assert database.read(count, once=True) == 6


def test_what_is_wrong_with_a_statement_nobody_waits_for_undoes_the_write(database):
    def twice(connection) -> None:
        for name in ("first", "same", "same", "last"):
            connection.execute("INSERT INTO secrets VALUES (?, 'x')", (name,))

    with pytest.raises(psycopg.errors.UniqueViolation):
        database.write(twice)
    assert database.read(names) == []
    assert database.write(put("after")) == 1


def test_a_statement_that_was_passed_over_is_not_taken_for_prepared(database):
    def fill(connection, *, twice: bool) -> None:
        for _ in range(1 + twice):
            connection.execute("INSERT INTO secrets VALUES ('same', 'x')")
        connection.execute("DELETE FROM secrets WHERE name = ?", ("same",))

    for turn in range(24):  # from the sixth time on a statement is prepared
        if turn % 4:
            database.write(lambda connection: fill(connection, twice=False))
            continue
        with pytest.raises(psycopg.errors.UniqueViolation):
            database.write(lambda connection: fill(connection, twice=True))
    assert database.read(names) == []


def test_what_is_larger_than_a_socket_takes_is_written_with_all_that_follows(database):
    def fill(connection, *, pieces: int, size: int) -> int:
        for number in range(pieces):
            row = (f"{number}-{size}", "x" * size)
            connection.execute("INSERT INTO secrets VALUES (?, ?)", row)
        return count(connection)

    assert database.write(lambda connection: fill(connection, pieces=3, size=4 << 20)) == 3
    assert database.write(lambda connection: fill(connection, pieces=300, size=1500)) == 303
