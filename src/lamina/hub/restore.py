"""A backup into an empty hub: bytes first, each verified, then all rows in one transaction.

What stops it in between leaves no hub: its database is `hub.db.restoring` until all is there, and the repeat
goes on with the bytes that came. (PostgreSQL's has no other name: there a hub without accounts and images is
left.) A backup of an older version goes through a database of its own, which is brought up to date.
"""

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from itertools import islice

from lamina.errors import AlreadyExists, Unavailable
from lamina.hub.backup_reading import Backup, kept_tables
from lamina.hub.bringing import Bringer
from lamina.hub.collect import Collector
from lamina.hub.database import Connection, Database, Row
from lamina.hub.databases import tables
from lamina.hub.databases.schema import steps
from lamina.hub.databases.sqlite import SqliteDatabase
from lamina.hub.databases.tables import Table
from lamina.hub.errors import DigestDisagrees
from lamina.hub.folder_lock import alone_in
from lamina.hub.services import RESTORING, database_path, open_places, open_storage
from lamina.hub.settings import HubSettings
from lamina.hub.storage.protocol import Storage
from lamina.hub.tables import blobs as blob_rows
from lamina.hub.tables import repositories
from lamina.spec.digest import Digest
from lamina.stream.files import sync_directory

__all__ = ["Restored", "places", "restore"]

_HERE = "lamina/restored"
"""The repository that holds what came in so far; nobody can have the name."""
_WORKERS = 4
_EVER_S = 1e10
_PAGE = 500
_Source = Callable[[Table], Iterator[Row]]


@dataclass(frozen=True, slots=True)
class Restored:
    """What came back; `lacking` are blobs that the backup names and does not have, or not whole."""

    repositories: int = 0
    accounts: int = 0
    blobs: int = 0
    size: int = 0
    lacking: tuple[str, ...] = ()


@contextmanager
def places(
    settings: HubSettings, *, clock: Callable[[], float]
) -> Iterator[tuple[Database, Storage]]:
    """Open a hub for `restore` alone; one that is not there yet is there once the context ends well.

    Raises: InUse (another restore goes there), AlreadyExists, Unavailable, OSError.
    """
    path = database_path(settings)
    if settings.database or os.path.exists(path):
        _tidy(path + RESTORING, path)
        with open_places(settings, clock=clock) as found:
            yield found
        return
    os.makedirs(settings.root, mode=0o700, exist_ok=True)
    with alone_in(settings.root, f"another restore into {settings.root} goes on"):
        beside = path + RESTORING
        with closing(SqliteDatabase(beside)) as database:
            storage = open_storage(settings, database, clock)
            database.write(_begin_again)
            yield database, storage
            collector = Collector(database, storage, clock=clock, active=lambda: ())
            collector.sweep(grace_s=_EVER_S, upload_grace_s=0)  # what an earlier try left half done
        _publish(beside, path)


def _begin_again(connection: Connection) -> None:
    """Forget what an earlier try filled in before it was killed; what it brought stays."""
    connection.execute("DELETE FROM uploads")
    for table in reversed(kept_tables()):
        if table.name != "blobs":
            connection.execute(f"DELETE FROM {table.name}")  # noqa: S608 - names of our own schema


def _tidy(beside: str, path: str) -> None:
    """Take away the name that a restore left which was killed when all was done but this."""
    with suppress(FileNotFoundError):
        if os.path.samefile(beside, path):
            os.unlink(beside)


def _publish(beside: str, path: str) -> None:
    """Give a closed database its name, durably. Raises: AlreadyExists, Unavailable."""
    if os.path.exists(f"{beside}-wal"):  # closed, it has no log beside it
        raise Unavailable(f"another program has {beside} open", hint="end it, and restore again")
    try:
        os.link(beside, path)
    except FileExistsError:
        raise AlreadyExists(
            f"a hub was begun in {path} meanwhile", hint="restore into another --root"
        ) from None
    sync_directory(os.path.dirname(path))
    os.unlink(beside)


def restore(
    database: Database, storage: Storage, folder: str, *, clock: Callable[[], float]
) -> Restored:
    """Bring a backup into a hub that nobody has used yet and that is not served.

    Raises: AlreadyExists (accounts or images are there), Invalid and Corrupt (it is no backup, or its
    tables are damaged), Unavailable, OSError.
    """
    backup = Backup.open(folder)
    backup.check()
    database.read(_check_empty)
    with (
        tempfile.TemporaryDirectory(prefix="lamina-restore-") as scratch,
        closing(_Rows(backup, os.path.join(scratch, "rows.db"))) as rows,
    ):
        bytes_in, lacking = _bring(database, storage, backup, rows, clock)
        found = database.write(
            lambda connection: _fill(connection, rows, frozenset(lacking)), alone=False
        )
    return Restored(
        found.get("repositories", 0), found.get("accounts", 0), found.get("blobs", 0),
        bytes_in, tuple(sorted(lacking)),
    )  # fmt: skip


def _check_empty(connection: Connection) -> None:
    for sql in (
        "SELECT 1 FROM accounts LIMIT 1",
        f"SELECT 1 FROM repositories WHERE name <> '{_HERE}' LIMIT 1",  # noqa: S608 - a constant
    ):
        if connection.execute(sql).fetchone() is not None:
            raise AlreadyExists(
                "this hub has accounts or images already",
                hint="restore into an empty --root, or an empty database and bucket",
            )


class _Rows:
    """A backup's rows as this version's schema has them."""

    def __init__(self, backup: Backup, path: str) -> None:
        self.tables = kept_tables()
        self._backup = backup
        self._connection: sqlite3.Connection | None = None
        if backup.schema != steps()[-1].number:
            self._connection = _upgraded(backup, path)

    def of(self, table: Table) -> Iterator[Row]:
        """Give a table's rows."""
        if self._connection is None:
            return self._backup.rows(table)
        return tables.rows(self._connection, table)

    def close(self) -> None:
        """Drop what was made for it."""
        if self._connection is not None:
            self._connection.close()


def _upgraded(backup: Backup, path: str) -> sqlite3.Connection:
    """Make a database of the backup's own version and bring it up to date."""
    connection = sqlite3.connect(path, check_same_thread=False)  # whoever writes reads it
    tables.make(connection, last=backup.schema)
    for table in tables.tables(last=backup.schema):
        tables.fill(connection, table, backup.rows(table))
    connection.commit()
    tables.make(connection, first=backup.schema)
    connection.commit()
    return connection


def _bring(
    database: Database,
    storage: Storage,
    backup: Backup,
    rows: _Rows,
    clock: Callable[[], float],
) -> tuple[int, set[str]]:
    """Bring the bytes; give how many, and which blobs are lacking."""
    bringer = Bringer(database, storage, clock=clock)
    here = database.write(lambda connection: repositories.ensure(connection, _HERE, now=clock())).id
    table = next(each for each in rows.tables if each.name == "blobs")
    wanted = (table.columns.index("digest"), table.columns.index("size"))

    def bring(row: Row) -> tuple[str, int]:
        digest = Digest(row[wanted[0]])
        if database.read(lambda connection: blob_rows.place(connection, digest)) is None:
            try:
                with backup.open_blob(digest) as file:
                    bringer.receive(here, digest, file)
            except (FileNotFoundError, DigestDisagrees):
                return str(digest), -1
        return str(digest), int(row[wanted[1]])

    size, lacking, left = 0, set(), rows.of(table)
    with ThreadPoolExecutor(_WORKERS, "hub-restore") as pool:
        while page := list(islice(left, _PAGE)):
            for digest, bytes_here in pool.map(bring, page):
                if bytes_here < 0:
                    lacking.add(digest)
                else:
                    size += bytes_here
    return size, lacking


def _fill(connection: Connection, rows: _Rows, lacking: frozenset[str]) -> dict[str, int]:
    """Put every row in its place; give how many by table. Raises: AlreadyExists."""
    _check_empty(connection)
    places = {
        row[0]: row[1] for row in connection.execute("SELECT digest, place FROM blobs").fetchall()
    }
    connection.execute("DELETE FROM uploads")
    for table in reversed(rows.tables):
        connection.execute(f"DELETE FROM {table.name}")  # noqa: S608 - names of our own schema
    counts = {}
    for table in rows.tables:
        found = rows.of(table)
        if table.name in ("blobs", "links"):
            found = _without(found, table.columns.index("digest"), lacking)
        if table.name == "blobs":
            found = _placed(found, table, places)
        counts[table.name] = tables.fill(connection, table, found)
        if table.counts:
            tables.count_on(connection, table)
    return counts


def _without(found: Iterator[Row], digest: int, lacking: frozenset[str]) -> Iterator[Row]:
    return (row for row in found if row[digest] not in lacking)


def _placed(found: Iterator[Row], table: Table, places: dict[str, str]) -> Iterator[Row]:
    digest, place, damage = map(table.columns.index, ("digest", "place", "damage"))
    for row in found:
        values = list(row)
        values[place], values[damage] = places[row[digest]], ""  # just verified
        yield tuple(values)
