"""PostgreSQL behind the two verbs, for hubs of many processes.

Readers see one state (REPEATABLE READ); writers are SERIALIZABLE, so that whoever wrote a use case
may think of one writer, as SQLite has. What the server cannot put in an order it refuses, and the work
is run again. Lost connections are made anew: after a restart of the server the work under way is
repeated, unless the answer to its COMMIT was lost, which only its caller can judge.
"""

import functools
import logging
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar
from urllib.parse import urlsplit

import psycopg
from psycopg import errors
from psycopg.adapt import Dumper
from psycopg.pq import TransactionStatus
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from lamina.errors import Invalid, Unavailable
from lamina.hub.database import Connection, Cursor
from lamina.hub.databases.schema import pending

__all__ = ["PostgresDatabase", "check_sessions", "connect", "translate"]

T = TypeVar("T")
_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
# Predicate locks of a scan are on the whole table: every two writers of small tables would conflict.
_WRITE = "BEGIN ISOLATION LEVEL SERIALIZABLE"
_NO_SCANS = "SET LOCAL enable_seqscan = off"
_WRITE_LOOSELY = "BEGIN ISOLATION LEVEL READ COMMITTED"
_SOON = "SET LOCAL synchronous_commit = off"
_CONNECTIONS = 16
_CONNECT_S = 5
_PATIENCE_S = 5.0
"""How long a request may wait for a server that restarts, or for its turn among writers."""
_RECONNECT_S = 2.0
_ASK_AGAIN_S = 2.5
"""After which the pool is asked anew: it has given up by then, and tries again only for who asks."""
_PIPED = 8192
"""Bytes that are sent without waiting for answers: less than the smallest socket takes."""
_MIGRATION_LOCK = 0x1A314A
_SETTINGS = (
    "SET statement_timeout = '30s'",
    "SET lock_timeout = '10s'",
    "SET idle_in_transaction_session_timeout = '60s'",
)
_GONE = (
    errors.AdminShutdown,
    errors.CrashShutdown,
    errors.CannotConnectNow,
    errors.IdleInTransactionSessionTimeout,
)
_AGAIN = (errors.SerializationFailure, errors.DeadlockDetected)


class _Flag(Dumper):
    """Python's bool as an untyped 1 or 0, which both flags and conditions take."""

    def dump(self, obj: bool) -> bytes:
        return b"1" if obj else b"0"


class _Connection:
    """One transaction's hand: SQL with `?` on a psycopg connection."""

    __slots__ = ("_connection",)

    def __init__(self, connection: "psycopg.Connection[Any]") -> None:
        self._connection = connection

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Cursor:
        cursor = self._connection.cursor(binary=True)
        return cursor.execute(translate(sql), parameters)

    def executemany(self, sql: str, rows: Sequence[Sequence[Any]], /) -> object:
        with self._connection.cursor(binary=True) as cursor:
            cursor.executemany(translate(sql), rows)
        return None


class _PipedConnection:
    """The hand of a transaction that writes: statements go out one after the other, none waits for the one before.

    What is large, or many, ends that: psycopg (3.3) waits for answers before it has sent all that the socket had no
    room for, and would wait for ever.
    """

    def __init__(self, connection: "psycopg.Connection[Any]", stack: ExitStack) -> None:
        self._connection = connection
        self._stack = stack
        self._pipeline: psycopg.Pipeline | None = stack.enter_context(connection.pipeline())
        self._sent = 0  # bytes that nobody waited for
        self.has_heard = False
        """Whether the server answered anything in this transaction."""

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> "_PipedCursor":
        if self._pipeline is not None:
            texts = (len(each) for each in parameters if isinstance(each, str | bytes))
            size = len(sql) + 16 * len(parameters) + 4 * sum(texts)
            if size > _PIPED:
                self._leave()
            elif self._sent + size > _PIPED:
                self.listen()
            self._sent += size
        cursor = self._connection.cursor(binary=True)
        return _PipedCursor(self, cursor.execute(translate(sql), parameters))

    def executemany(self, sql: str, rows: Sequence[Sequence[Any]], /) -> object:
        self._leave()
        with self._connection.cursor(binary=True) as cursor:
            cursor.executemany(translate(sql), rows)
        return None

    def listen(self) -> None:
        """Wait for what was sent; what was wrong with any of it is raised."""
        if self._pipeline is not None and self._sent:
            self._pipeline.sync()
            self._sent, self.has_heard = 0, True

    def _leave(self) -> None:
        """Do without a pipeline from here on."""
        self._pipeline = None
        self._stack.close()
        self.has_heard = True


class _PipedCursor:
    """The answer to one statement, waited for when somebody wants to know it."""

    __slots__ = ("_connection", "_cursor")

    def __init__(self, connection: _PipedConnection, cursor: "psycopg.Cursor[Any]") -> None:
        self._connection = connection
        self._cursor = cursor

    @property
    def rowcount(self) -> int:
        self._connection.listen()
        return self._cursor.rowcount

    def fetchone(self) -> Any:  # noqa: ANN401 - a row, or None
        self._connection.listen()
        return self._cursor.fetchone()

    def fetchall(self) -> list[Any]:
        self._connection.listen()
        return self._cursor.fetchall()

    def __iter__(self) -> Iterator[Any]:
        self._connection.listen()
        return iter(self._cursor)


@functools.lru_cache(4096)
def translate(sql: str) -> bytes:
    """Give SQL with `?` as psycopg wants it, `%s`; what stands in quotes stays as it is."""
    pieces = sql.replace("%", "%%").split("'")
    pieces[::2] = [piece.replace("?", "%s") for piece in pieces[::2]]
    return "'".join(pieces).encode()


def connect(url: str) -> "psycopg.Connection[Any]":
    """Connect once, outside any pool; the caller closes. Raises: Invalid, Unavailable."""
    if (
        urlsplit(url).netloc.count("@") > 1
    ):  # libpq would take a part of it for the host, and say it
        raise Invalid("the password in the database's address has an @", hint="write it as %40")
    try:
        connection = psycopg.connect(url, autocommit=True, connect_timeout=_CONNECT_S)
    except psycopg.OperationalError as error:
        raise _unreachable(error) from error
    except psycopg.ProgrammingError as error:
        raise Invalid(
            "the database's address cannot be read",
            hint="write it as postgresql://USER@HOST/DATABASE",
        ) from error
    return connection


class PostgresDatabase:
    """One PostgreSQL database. Usable from any thread; `close` waits for nothing but itself."""

    def __init__(
        self, url: str, *, connections: int = _CONNECTIONS, patience_s: float = _PATIENCE_S
    ) -> None:
        """Open it and bring its schema up to date. Raises: Unavailable, Invalid, Corrupt."""
        self._patience_s = patience_s
        # It tells each failed attempt; whoever waits for a connection is told, too, and says so.
        logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
        logging.getLogger("psycopg").setLevel(
            logging.ERROR
        )  # what is left of a pipeline that broke
        with connect(url) as connection, connect(url) as other:
            check_sessions(connection, other)
            _migrate(connection)
        self._pool: ConnectionPool[psycopg.Connection[Any]] = ConnectionPool(
            url,
            kwargs={
                "autocommit": True,
                "connect_timeout": _CONNECT_S,
                "keepalives_idle": 30,
                "application_name": "lamina-hub",
            },
            min_size=1,
            max_size=connections,
            configure=_configure,
            reconnect_timeout=_RECONNECT_S,  # then whoever waits next tries anew, without a grown delay
            open=True,
        )

    def read(self, work: Callable[[Connection], T], *, once: bool = False) -> T:
        """Give `work(connection)`, all of it seeing one state. Raises: Unavailable, Invalid."""
        return self._run(lambda connection: _look(connection, work, once=once))

    def write(
        self, work: Callable[[Connection], T], *, alone: bool = True, durable: bool = True
    ) -> T:
        """Give `work(connection)` once it is durable. Raises: Unavailable, Invalid."""
        begin = (_WRITE, _NO_SCANS) if alone else (_WRITE_LOOSELY,)
        return self._run(
            lambda connection: _change(connection, begin if durable else (*begin, _SOON), work)
        )

    def version(self) -> int | None:
        """Give nothing: the server would have to be asked, which costs as much as asking for the answer."""
        return None

    def close(self) -> None:
        """Close every connection; a second time is fine."""
        self._pool.close()

    def _run(self, transact: "Callable[[psycopg.Connection[Any]], T]") -> T:
        until = time.monotonic() + self._patience_s
        turn = 0
        while True:
            try:
                with self._connection(until) as connection:
                    return transact(connection)
            except _AGAIN as error:
                if time.monotonic() > until:
                    raise Unavailable(
                        "too many others write the same rows of the hub's database",
                        hint="try again",
                    ) from error
                turn += 1
                time.sleep(random.uniform(0, min(0.1, 0.001 * 2**turn)))  # noqa: S311 - only spreads
            except _Lost as error:
                self._pool.check()  # those that died with it
                if error.is_in_doubt or time.monotonic() > until:
                    raise _unreachable(error.__cause__) from error

    @contextmanager
    def _connection(self, until: float) -> "Iterator[psycopg.Connection[Any]]":
        connection = None
        while connection is None:
            left_s = until - time.monotonic()
            try:
                connection = self._pool.getconn(timeout=max(0.1, min(left_s, _ASK_AGAIN_S)))
            except PoolClosed as error:
                raise Unavailable("the hub is stopping") from error
            except PoolTimeout as error:
                if left_s <= _ASK_AGAIN_S:
                    raise _unreachable(error) from error
        try:
            yield connection
        finally:
            self._pool.putconn(connection)


class _Lost(Exception):
    """The connection broke; in doubt: while the server committed."""

    def __init__(self, *, is_in_doubt: bool) -> None:
        super().__init__(is_in_doubt)
        self.is_in_doubt = is_in_doubt


def _look(
    connection: "psycopg.Connection[Any]", work: Callable[[Connection], T], *, once: bool
) -> T:
    """Run what reads. Raises: _Lost, Invalid, Unavailable."""
    with _translated(connection, lambda: False):
        if once:  # a statement without a transaction is one, and costs a third
            return work(_Connection(connection))
        connection.execute(_READ)
        with _undone(connection):
            result = work(_Connection(connection))
        connection.execute("COMMIT")
        return result


def _change(
    connection: "psycopg.Connection[Any]",
    begin: Sequence[str],
    work: Callable[[Connection], T],
) -> T:
    """Run what writes; the server is waited for only where `work` wants an answer.

    Raises: _Lost, Invalid, Unavailable.
    """
    is_committing = False
    with _translated(connection, lambda: is_committing), _undone(connection):
        with ExitStack() as stack:
            piped = _PipedConnection(connection, stack)
            for each in begin:
                piped.execute(each)
            result = work(piped)
            if not piped.has_heard:  # a server that went long ago: the work may be run again
                piped.listen()
            is_committing = True
            connection.execute("COMMIT")
        return result


@contextmanager
def _undone(connection: "psycopg.Connection[Any]") -> Iterator[None]:
    """Undo the transaction of whatever is raised within this."""
    try:
        yield
    except psycopg.Error:
        _undo_failed(connection)
        raise
    except BaseException:
        if _is_within(connection):
            connection.execute("ROLLBACK")
        raise


@contextmanager
def _translated(
    connection: "psycopg.Connection[Any]", is_committing: Callable[[], bool]
) -> Iterator[None]:
    """Say in our words what goes wrong within this. Raises: _Lost, Invalid, Unavailable."""
    try:
        yield
    except _AGAIN:
        raise
    except psycopg.DataError as error:
        raise Invalid(
            "a text cannot be kept: it has a NUL in it, or a number is too large"
        ) from error
    except psycopg.Error as error:
        if connection.broken or isinstance(error, _GONE):
            connection.close()
            raise _Lost(is_in_doubt=is_committing()) from error
        if isinstance(error, psycopg.OperationalError):  # full, read-only, cancelled by a timeout
            raise Unavailable(f"the hub's database refused: {_first_line(error)}") from error
        raise


def _is_within(connection: "psycopg.Connection[Any]") -> bool:
    idle = TransactionStatus.IDLE
    return not connection.broken and connection.info.transaction_status != idle


def _undo_failed(connection: "psycopg.Connection[Any]") -> None:
    """End a transaction in which the server refused something, and forget what was prepared.

    What followed in the pipeline was passed over, and psycopg (3.3) takes statements for prepared that were among it.
    Its own `rollback` forgets all of them, but does nothing outside a transaction: after a COMMIT that failed.
    """
    if connection.broken:
        return
    if not _is_within(connection):
        connection.execute("BEGIN")
    connection.rollback()


def _configure(connection: "psycopg.Connection[Any]") -> None:
    connection.adapters.register_dumper(bool, _Flag)
    connection.execute(";".join(_SETTINGS))


def check_sessions(connection: "psycopg.Connection[Any]", other: "psycopg.Connection[Any]") -> None:
    """Refuse a pooler between us and the server that lends a session for one transaction at a time.

    What is set up, prepared or locked for a connection is another's then. Raises: Invalid.
    """
    asked = "SELECT current_setting('lamina.session', true)"
    connection.execute("SET lamina.session = 'ours'")
    other.execute("BEGIN")  # until its end it has whatever session the pooler gave it
    moved = other.execute(asked).fetchone() == ("ours",)
    if not moved:
        moved = connection.execute(asked).fetchone() != ("ours",)
    other.execute("ROLLBACK")
    if moved:
        raise Invalid(
            "a pooler before the database gives each transaction another session",
            hint="PgBouncer: `pool_mode = session` for this database",
        )


def _migrate(connection: "psycopg.Connection[Any]") -> None:
    """Bring the schema up to date, one process at a time. Raises: Corrupt, Invalid."""
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise Invalid(
            f"the database keeps texts as {encoding}",
            hint="make one with: createdb -E UTF8 -T template0",
        )
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_MIGRATION_LOCK,))
        connection.execute("CREATE TABLE IF NOT EXISTS schema_steps (number BIGINT PRIMARY KEY)")
        row = connection.execute("SELECT coalesce(max(number), 0) FROM schema_steps").fetchone()
        assert row is not None  # noqa: S101 - an aggregate has a row
        for step in pending(int(row[0])):
            connection.execute(step.postgres.encode())
            connection.execute("INSERT INTO schema_steps VALUES (%s)", (step.number,))


def _unreachable(error: BaseException | None) -> Unavailable:
    return Unavailable(
        f"the hub's database cannot be reached: {_first_line(error)}",
        hint="is it running, and may this machine reach it?",
    )


def _first_line(error: BaseException | None) -> str:
    return str(error).strip().partition("\n")[0] if error else "the connection broke"
