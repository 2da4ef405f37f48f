"""A hub in one file: a tar that any tar reads, with a list of its members at its end.

Nothing is written twice, and nothing but the file: `path.new` becomes `path` when it is whole.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from typing import BinaryIO

from lamina.errors import InUse, LaminaError
from lamina.hub.backup import BackedUp, Hold, dump, named_blobs
from lamina.hub.backup_reading import FORMAT, HEAD, PLACE_SIZE, kept_tables
from lamina.hub.database import Database
from lamina.hub.databases.schema import steps
from lamina.hub.storage.protocol import Storage
from lamina.layer.entry import Entry, Kind
from lamina.layer.tar import write_header
from lamina.spec.digest import Digest
from lamina.spec.wire import Document, encode
from lamina.stream.files import sync_directory
from lamina.stream.verify import Readable

__all__ = ["back_up_file"]

_BLOCK = 512
_PIECE = 1024 * 1024
_RENEW_EACH = 200


def back_up_file(
    database: Database, storage: Storage, path: str, *, clock: Callable[[], float]
) -> BackedUp:
    """Write a whole backup into the file `path`, in place of the one there. Blobs are verified.

    Raises: InUse (another backup goes there), Unavailable, OSError.
    """
    folder = os.path.dirname(os.path.abspath(path))
    beside, scratch = f"{path}.new", f"{path}.new.tables"
    with open(os.open(beside, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600), "r+b") as file:
        _lock(file, path, beside)
        try:
            with _folder(scratch), Hold(database, path, clock) as hold:
                file.truncate(0)
                done = _write(database, storage, file, scratch, hold=hold, made_at=clock())
                os.rename(beside, path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(beside)
            raise
    sync_directory(folder)
    return done


def _lock(file: BinaryIO, path: str, beside: str) -> None:
    """Keep others out. Raises: InUse."""
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise InUse(f"another backup is being written into {path}") from None
    try:
        is_ours = os.path.samestat(os.fstat(file.fileno()), os.stat(beside))
    except FileNotFoundError:
        is_ours = False
    if not is_ours:  # it is what another backup has just finished, or given up
        raise InUse(f"another backup was written into {path} just now")


@contextlib.contextmanager
def _folder(path: str) -> Iterator[None]:
    """Make a folder for a while; one that a killed backup left goes first."""
    if os.path.lexists(path):
        shutil.rmtree(path)
    os.mkdir(path, mode=0o700)
    try:
        yield
    finally:
        shutil.rmtree(path)


def _write(
    database: Database,
    storage: Storage,
    file: BinaryIO,
    scratch: str,
    *,
    hold: Hold,
    made_at: float,
) -> BackedUp:
    """Write all of it, durably."""
    known = kept_tables()
    digests = database.read(lambda connection: dump(connection, known, scratch))
    writer = _Writer(file, int(made_at))
    for name in digests:
        with open(os.path.join(scratch, f"{name}.jsonl"), "rb") as rows:
            writer.add(f"tables/{name}.jsonl", os.fstat(rows.fileno()).st_size, rows)
    done = _add_blobs(writer, storage, scratch, hold)
    writer.end(
        {
            "format": FORMAT, "schema": steps()[-1].number, "made_at": made_at,
            "tables": digests, "blobs": done.blobs, "size": done.size,
            "lacking": list(done.lacking),
        }
    )  # fmt: skip
    file.flush()
    os.fsync(file.fileno())
    return done


def _add_blobs(writer: "_Writer", storage: Storage, scratch: str, hold: Hold) -> BackedUp:
    count = size = 0
    lacking = []
    for number, (digest, row) in enumerate(named_blobs(scratch, kept_tables())):
        if number % _RENEW_EACH == 0:
            hold.renew()
        if writer.add_blob(digest, int(row[1]), str(row[2]), storage):
            count, size = count + 1, size + int(row[1])
        else:
            lacking.append(str(digest))
    return BackedUp(count, size, count, size, 0, tuple(lacking))


class _Writer:
    """Members of a tar, and where each is."""

    def __init__(self, file: BinaryIO, mtime: int) -> None:
        self._file = file
        self._mtime_ns = mtime * 10**9
        self._members: dict[str, tuple[int, int]] = {}

    def add(self, name: str, size: int, source: Readable) -> None:
        """Add a member of `size` bytes."""
        self._begin(name, size)
        self._members[name] = (self._file.tell(), size)
        while piece := source.read(_PIECE):
            self._file.write(piece)
        self._file.write(bytes(-size % _BLOCK))

    def add_blob(self, digest: Digest, size: int, place: str, storage: Storage) -> bool:
        """Add a blob; False: it is not what its digest says, and is not there."""
        start = self._file.tell()
        value, read = hashlib.new(digest.algorithm), 0
        self._begin(f"blobs/{digest.algorithm}/{digest.hex}", size)
        at = self._file.tell()
        try:
            with storage.open(digest, place) as source:
                while piece := source.read(_PIECE):
                    value.update(piece)
                    read += len(piece)
                    self._file.write(piece)
        except LaminaError:
            read = -1
        if read != size or value.hexdigest() != digest.hex:
            self._file.seek(start)
            self._file.truncate()
            return False
        self._file.write(bytes(-size % _BLOCK))
        self._members[str(digest)] = (at, size)
        return True

    def end(self, head: Document) -> None:
        """Add the list, where that is, and the end marker."""
        raw = encode({**head, "members": {name: list(at) for name, at in self._members.items()}})
        self._begin(HEAD, len(raw))
        place = f"{self._file.tell()} {len(raw)} {hashlib.sha256(raw).hexdigest()}"
        self._file.write(raw + bytes(-len(raw) % _BLOCK))
        self._begin(f"{HEAD}.place", PLACE_SIZE)
        self._file.write(place.encode().ljust(PLACE_SIZE, b"\n") + bytes(2 * _BLOCK))

    def _begin(self, name: str, size: int) -> None:
        entry = Entry(name.encode(), Kind.FILE, mode=0o600, size=size, mtime_ns=self._mtime_ns)
        self._file.write(write_header(entry))
