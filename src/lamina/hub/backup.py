"""A hub in a folder, twice: written while the hub runs, read into an empty one of either kind.

    lamina-hub-backup.json       what is in it; written last, so that a folder without it is none
    tables/N/NAME.jsonl          rows of one state of the database, in neither database's words
    blobs/sha256/ab/abcd…        bytes by their digest

While it runs nothing is dropped from the storage: the places that the rows name stay. A second backup
into the same folder copies what is new and drops what is gone, after its own list is in place.
"""

import base64
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Self

from lamina.errors import LaminaError
from lamina.hub.backup_reading import FORMAT, HEAD, blob_path, kept_tables
from lamina.hub.database import Connection, Database, Row
from lamina.hub.databases import tables
from lamina.hub.databases.schema import steps
from lamina.hub.databases.tables import Table
from lamina.hub.folder_lock import alone_in
from lamina.hub.storage.disk import DiskStorage
from lamina.hub.storage.protocol import Storage
from lamina.hub.tables import turns
from lamina.spec.digest import Digest
from lamina.spec.wire import Document, decode, encode
from lamina.stream.files import sync_directory

__all__ = ["BackedUp", "Hold", "back_up", "dump", "named_blobs"]

_HOLD_S = 900.0
_RENEW_EACH = 200
_WORKERS = 4
_PIECE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class BackedUp:
    """What a backup did; `lacking` are blobs that the storage did not have as the rows say."""

    blobs: int = 0
    size: int = 0
    fresh: int = 0
    fresh_size: int = 0
    linked: int = 0
    lacking: tuple[str, ...] = ()


def back_up(
    database: Database,
    storage: Storage,
    folder: str,
    *,
    clock: Callable[[], float],
    may_link: bool = True,
) -> BackedUp:
    """Write a backup into `folder`, or bring the one there up to date.

    Blobs are hard links where that can be and `may_link`, else copies that are verified on the way.
    Raises: InUse (another backup writes there), Unavailable, OSError.
    """
    os.makedirs(os.path.join(folder, "tables"), mode=0o700, exist_ok=True)
    told = f"another backup is being written into {folder}"
    with alone_in(folder, told), Hold(database, folder, clock) as hold:
        made_at = clock()
        place = _next(os.path.join(folder, "tables"))
        target = os.path.join(folder, "tables", place)
        os.mkdir(target, mode=0o700)
        known = kept_tables()
        digests = database.read(lambda connection: dump(connection, known, target))
        copier = _Copier(storage, folder, may_link=may_link)
        done = copier.copy_all(named_blobs(target, known), hold.renew)
        head: Document = {
            "format": FORMAT,
            "schema": steps()[-1].number,
            "made_at": made_at,
            "tables_folder": place,
            "tables": digests,
            "blobs": done.blobs,
            "size": done.size,
            "lacking": list(done.lacking),
        }
        _publish(folder, head)
        _tidy(folder, place, {digest for digest, _ in named_blobs(target, known)})
    return done


class Hold:
    """Keeps every place of the storage while it lasts, for as long as it is renewed."""

    def __init__(self, database: Database, folder: str, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock
        self._name = f"backup {hashlib.sha256(os.path.abspath(folder).encode()).hexdigest()[:16]}"

    def __enter__(self) -> Self:
        self.renew()
        return self

    def __exit__(self, *_: object) -> None:
        now = self._clock()
        self._database.write(lambda connection: turns.let_go(connection, self._name, now=now))

    def renew(self) -> None:
        """Go on holding."""
        until = self._clock() + _HOLD_S
        self._database.write(lambda connection: turns.hold(connection, self._name, until=until))


def _next(folder: str) -> str:
    numbers = [int(name) for name in os.listdir(folder) if name.isdigit()]
    return str(max(numbers, default=0) + 1)


def dump(connection: Connection, known: Sequence[Table], target: str) -> dict[str, str]:
    """Write one state of the tables; give the digest of each file."""
    digests = {}
    for table in known:
        digest = hashlib.sha256()
        with open(os.path.join(target, f"{table.name}.jsonl"), "wb") as file:
            for row in tables.rows(connection, table):
                line = encode(
                    [
                        base64.b64encode(bytes(value)).decode()
                        if number in table.blobs and value is not None
                        else value
                        for number, value in enumerate(row)
                    ]
                )
                digest.update(line + b"\n")
                file.write(line + b"\n")
            file.flush()
            os.fsync(file.fileno())
        digests[table.name] = digest.hexdigest()
    return digests


def named_blobs(target: str, known: Sequence[Table]) -> Iterator[tuple[Digest, Row]]:
    """Give the blobs that a dump names, each with its (digest, size, place)."""
    table = next(each for each in known if each.name == "blobs")
    wanted = [table.columns.index(name) for name in ("digest", "size", "place")]
    with open(os.path.join(target, "blobs.jsonl"), "rb") as file:
        for line in file:
            row = decode(b'{"row":' + line + b"}")["row"]
            digest, size, place = (row[position] for position in wanted)
            yield Digest(digest), (digest, size, place)


class _Copier:
    """Copies blobs that are not there yet."""

    def __init__(self, storage: Storage, folder: str, *, may_link: bool) -> None:
        self._storage = storage
        self._folder = folder
        self._may_link = may_link and isinstance(storage, DiskStorage)

    def copy_all(self, blobs: Iterator[tuple[Digest, Row]], renew: Callable[[], None]) -> BackedUp:
        counts = {"old": 0, "linked": 0, "copied": 0}
        size = fresh_size = 0
        lacking: list[str] = []
        with ThreadPoolExecutor(_WORKERS, "hub-backup") as pool:
            while page := [row for _, row in islice(blobs, _RENEW_EACH)]:
                for (digest, bytes_here, _), how in zip(
                    page, pool.map(self._copy, page), strict=True
                ):
                    if how == "lacking":
                        lacking.append(digest)
                        continue
                    counts[how] += 1
                    size += bytes_here
                    fresh_size += 0 if how == "old" else bytes_here
                renew()
        fresh = counts["linked"] + counts["copied"]
        return BackedUp(
            counts["old"] + fresh, size, fresh, fresh_size, counts["linked"], tuple(lacking)
        )

    def _copy(self, row: Row) -> str:
        """Copy one blob; tell how."""
        digest, size, place = Digest(row[0]), row[1], row[2]
        path = blob_path(self._folder, digest)
        if os.path.exists(path) and os.stat(path).st_size == size:
            return "old"
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        beside = f"{path}.new"
        if os.path.lexists(beside):
            os.unlink(beside)
        try:
            return self._place(digest, size, place, path, beside)
        except LaminaError:
            return "lacking"

    def _place(self, digest: Digest, size: int, place: str, path: str, beside: str) -> str:
        storage = self._storage
        if (
            self._may_link
            and isinstance(storage, DiskStorage)
            and storage.export(digest, place, beside)
        ):
            if os.stat(beside).st_size != size:
                os.unlink(beside)
                return "lacking"
            os.rename(beside, path)
            return "linked"
        value = hashlib.new(digest.algorithm)
        with storage.open(digest, place) as source, open(beside, "wb") as file:
            while piece := source.read(_PIECE):
                value.update(piece)
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        if value.hexdigest() != digest.hex:
            os.unlink(beside)
            return "lacking"
        os.rename(beside, path)
        return "copied"


def _publish(folder: str, head: Document) -> None:
    """Make the new list the backup's, durably."""
    beside = os.path.join(folder, f"{HEAD}.new")
    with open(beside, "wb") as file:
        file.write(encode(head))
        file.flush()
        os.fsync(file.fileno())
    for top, _, _ in os.walk(folder):
        sync_directory(top)
    os.rename(beside, os.path.join(folder, HEAD))
    sync_directory(folder)


def _tidy(folder: str, place: str, named: set[Digest]) -> None:
    """Drop what the list before had, and this one does not name."""
    tables_folder = os.path.join(folder, "tables")
    for name in os.listdir(tables_folder):
        if name != place:
            shutil.rmtree(os.path.join(tables_folder, name))
    for top, _, files in os.walk(os.path.join(folder, "blobs")):
        algorithm = os.path.basename(os.path.dirname(top))
        for name in files:
            if f"{algorithm}:{name}" not in named:
                os.unlink(os.path.join(top, name))
