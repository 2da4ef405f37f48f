"""SQLite behind two verbs: `read` on this thread's connection, `write` on the one writer thread.

WAL lets readers go on while the writer commits. Writes that wait together share one commit, so
that many small pushes cost one fsync; each runs in a savepoint and fails alone. A write that
returned is durable (`synchronous=FULL`), unless all that shared its commit need not be (`NORMAL`).
"""

import contextlib
import os
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Generic, TypeVar

from lamina.errors import Corrupt, Unavailable
from lamina.hub.databases.schema import pending

__all__ = ["SqliteDatabase"]

T = TypeVar("T")
Connection = sqlite3.Connection
_BATCH = 64
_BUSY_MS = 15_000
_HEADER = 48
_LOG_PAGES = 4000
"""From 16 MB on, the log is carried over into the database, for which everyone waits: pages that are written
again and again are carried once."""


class _Job(Generic[T]):
    """One write: its work, and where its result goes."""

    __slots__ = ("durable", "error", "future", "result", "work")

    def __init__(self, work: Callable[[Connection], T], *, durable: bool) -> None:
        self.work = work
        self.durable = durable
        self.future: Future[T] = Future()
        self.error: BaseException | None = None
        self.result: T

    def run(self, connection: Connection) -> None:
        connection.execute("SAVEPOINT job")
        try:
            self.result = self.work(connection)
        except BaseException as error:  # noqa: BLE001 - it belongs to the caller's thread
            self.error = error
            connection.execute("ROLLBACK TO job")
        connection.execute("RELEASE job")

    def run_alone(self, connection: Connection) -> None:
        """Run and commit, or roll back: nobody shares the transaction, so it needs no mark in it."""
        try:
            self.result = self.work(connection)
        except BaseException as error:  # noqa: BLE001 - it belongs to the caller's thread
            self.error = error
            connection.execute("ROLLBACK")
        else:
            connection.execute("COMMIT")

    def settle(self) -> None:
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


class SqliteDatabase:
    """One SQLite file. Usable from any thread; `close` waits for writes under way.

    Raises, when made: Corrupt (damaged, or of a newer version), Unavailable, OSError.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._local = threading.local()
        self._readers: list[Connection] = []
        self._guard = threading.Lock()
        _create(path)
        with _openable(path):
            self._writer = self._connect()
            self._writer.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
            _migrate(self._writer)
        self._index = _index_of_log(path)
        self._looker: Connection | None = None
        self._syncs = True
        self.is_shared = False
        """Whether several writes are in the commit that is being made, or was just made: for them, and whoever is `told`."""
        self._jobs: queue.SimpleQueue[_Job[object] | None] = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="hub-writer", daemon=True)
        self._thread.start()

    def read(
        self,
        work: Callable[[Connection], T],
        *,
        once: bool = False,  # noqa: ARG002 - a row that is not the last would hold this state
    ) -> T:
        """Give `work(connection)`, all of it seeing one state of the database."""
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._connect()
            connection.execute("PRAGMA query_only = ON")
            self._local.connection = connection
            with self._guard:
                self._readers.append(connection)
        connection.execute("BEGIN")
        try:
            return work(connection)
        finally:
            connection.execute("ROLLBACK")

    def submit(
        self,
        work: Callable[[Connection], T],
        *,
        durable: bool = True,
        told: "Callable[[Future[T]], None] | None" = None,
    ) -> "Future[T]":
        """Queue a write; the future has its result once it is durable. Raises: Unavailable.

        `told` gets it on the writer's thread, before that writes anything else.
        """
        with self._guard:
            if self._closed:
                raise Unavailable("the hub is stopping")
            job = _Job(work, durable=durable)
            if told is not None:
                job.future.add_done_callback(told)
            self._jobs.put(job)  # type: ignore[arg-type]
        return job.future

    def write(
        self,
        work: Callable[[Connection], T],
        *,
        alone: bool = True,  # noqa: ARG002 - one writer
        durable: bool = True,
    ) -> T:
        """Give `work(connection)` once it is durable; an exception undoes that work alone."""
        return self.submit(work, durable=durable).result()

    def version(self) -> int | None:
        """Give what changes with each commit by another connection, of any process; 5 µs.

        This connection commits nothing, so that is each commit there is.
        """
        try:
            if self._looker is None:
                self._looker = self._connect()
                self._looker.execute("PRAGMA query_only = ON")
                self._looker.execute("PRAGMA busy_timeout = 0")  # never wait
            return int(self._looker.execute("PRAGMA data_version").fetchone()[0])
        except sqlite3.Error:  # a database being mended, or no room for a connection
            return None

    def glance(self, work: Callable[[Connection], T]) -> T:
        """Give `work(connection)` like `read`, on the loop: for a few rows by key, and never waiting for a lock.

        Only the thread that asks for the `version` may call it; costs some 10 µs and a statement each.
        Raises: Unavailable.
        """
        if self.version() is None or self._looker is None:
            raise Unavailable("the hub's database is busy")
        looker = self._looker
        try:
            looker.execute("BEGIN")
            try:
                return work(looker)
            finally:
                looker.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise Unavailable(f"the hub's database cannot be read: {error}") from error

    def state(self) -> bytes | None:
        """Give what is another after each commit, by whomever; None: it cannot be told. Any thread may ask; 1 µs.

        It is the header of SQLite's index of its log, which all processes share, and which stands there twice, so
        that one that is being written can be told: walformat.html, "The WAL-Index Header".
        """
        if self._index < 0:
            return None
        try:
            found = os.pread(self._index, 2 * _HEADER, 0)
        except OSError:
            return None
        first, second = found[:_HEADER], found[_HEADER:]
        return first if len(second) == _HEADER and first == second else None

    def peek(self, sql: str, values: tuple[object, ...]) -> "sqlite3.Row | None":
        """Give the first row of one statement, which is a state by itself, on the loop like `glance`; costs some 10 µs.

        Raises: Unavailable.
        """
        if self._looker is None and self.version() is None:
            raise Unavailable("the hub's database is busy")
        assert self._looker is not None  # noqa: S101 - made by `version`
        try:
            row: sqlite3.Row | None = self._looker.execute(sql, values).fetchone()
        except sqlite3.Error as error:
            raise Unavailable(f"the hub's database cannot be read: {error}") from error
        return row

    def close(self) -> None:
        """Finish the writes that wait and close every connection."""
        with self._guard:
            if self._closed:
                return
            self._closed = True
            self._index = -1
            self._jobs.put(None)
        self._thread.join()
        for connection in (*self._readers, self._looker, self._writer):
            if connection is not None:
                connection.close()

    def _connect(self) -> Connection:
        connection = sqlite3.connect(
            self._path, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        connection.row_factory = sqlite3.Row
        for pragma in (
            f"busy_timeout = {_BUSY_MS}",
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            "mmap_size = 268435456",
        ):
            connection.execute(f"PRAGMA {pragma}")
        return connection

    def _run(self) -> None:
        running = True
        while running:
            batch: list[_Job[object]] = []
            job = self._jobs.get()
            while job is not None:
                batch.append(job)
                if len(batch) == _BATCH:
                    break
                try:
                    job = self._jobs.get_nowait()
                except queue.Empty:
                    break
            running = job is not None
            if batch:
                self._commit(batch)

    def _commit(self, batch: list[_Job[object]]) -> None:
        connection = self._writer
        durable = any(job.durable for job in batch)
        self.is_shared = len(batch) > 1
        try:
            if durable != self._syncs:  # the log is synced with its commit, or with a later one's
                connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
                self._syncs = durable
            connection.execute("BEGIN IMMEDIATE")
            if len(batch) == 1:
                batch[0].run_alone(connection)
            else:
                for job in batch:
                    job.run(connection)
                connection.execute("COMMIT")
        except sqlite3.Error as error:  # disk full, or another process kept the lock too long
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            failure = Unavailable(f"the hub's database cannot be written: {error}")
            for job in batch:
                job.error = job.error or failure
        for job in batch:
            job.settle()


@contextlib.contextmanager
def _openable(path: str) -> Iterator[None]:
    """Open the database within this. Raises: Unavailable (locked, no rights), Corrupt (no database)."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise Unavailable(
            f"the hub's database {path} cannot be opened: {error}",
            hint="may you write in that folder, and does no other program hold it?",
        ) from error
    except sqlite3.DatabaseError as error:
        raise Corrupt(
            f"the hub's database {path} is damaged: {error}",
            hint="stop the hub and restore it from a backup: lamina hub restore",
        ) from error


def _index_of_log(path: str) -> int:
    """Give SQLite's own descriptor of its log's index, -1 if it cannot be found. It is SQLite's to close.

    One of our own would not do: closing it would drop the locks that SQLite holds on that file for this process.
    """
    wanted = f"{os.path.realpath(path)}-shm"
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc/self/fd"):
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/self/fd/{name}") == wanted:
                    return int(name)
    return -1


def _create(path: str) -> None:
    """Make the file for its owner alone, unless it is there.

    One that is there is not even opened: closing it would drop the locks that SQLite holds on it for
    all of this process (POSIX), and whoever leaves the database next would take its log away.
    """
    if not os.path.exists(path):
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))


def _migrate(connection: Connection) -> None:
    """Bring the schema up to date: each numbered file runs once, in one transaction."""
    current = int(connection.execute("PRAGMA user_version").fetchone()[0])
    for step in pending(current):
        try:
            connection.executescript(
                f"BEGIN IMMEDIATE;\n{step.sqlite}\nPRAGMA user_version = {step.number};\nCOMMIT;"
            )
        except sqlite3.Error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            version = int(connection.execute("PRAGMA user_version").fetchone()[0])
            if version < step.number:  # else another process made the step first
                raise
