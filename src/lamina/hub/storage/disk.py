"""Bytes on a local disk: `uploads/<id>`, then `blobs/sha256/ab/abcd….<id>`.

A place is the id of the upload. Bytes are checked and synced in `uploads`, then their row is written,
then they are renamed to where their digest can be read off: whatever that cuts short, they are found
in the one folder or the other, and a file in `uploads` without a row is a stray. A blob of a hub
before places has the empty one and no suffix. The hash of an upload is kept between requests in
memory; after a restart it is taken again from the bytes.

Small blobs may come in the database, with the row that names them (`arrivals`): one wait for the disk instead of
two, and one for all that come together. `settle` gives them their files, many at a time; until then
they are read from there.
"""

import contextlib
import fcntl
import hashlib
import io
import os
import secrets
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, BinaryIO

from lamina.hub.errors import BlobUnknown, DigestDisagrees, UploadTaken, UploadUnknown
from lamina.hub.storage.hashes import Hashes, compare
from lamina.hub.storage.whole_disk import sync_file_system
from lamina.hub.tables import arrivals
from lamina.hub.tables.blobs import Kept
from lamina.spec.digest import Digest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lamina.hub.database import Database
    from lamina.hub.tables.arrivals import Arrival

__all__ = ["DiskStorage"]

_PIECE = 1024 * 1024
_FLUSH = 8 * 1024 * 1024
_AT_ONCE = 128
_TOGETHER = 4096
"""Small blobs that wait for the disk together; of so many as `_AT_ONCE` the bytes are in memory."""


class _DiskIncoming:
    """An upload's file, open at its end."""

    def __init__(self, storage: "DiskStorage", upload: str, fd: int, offset: int) -> None:
        self._storage = storage
        self._upload = upload
        self._fd = fd
        self._hash = storage.hashes.recall(upload, offset)
        self.offset = self._flushed = offset

    def write(self, pieces: Sequence[bytes]) -> None:
        """Append `pieces`; hash them on the way when nothing before them is unhashed."""
        total = _write_all(self._fd, pieces)
        if self._hash is not None:
            for piece in pieces:
                self._hash.update(piece)
        self.offset += total
        if self.offset - self._flushed >= _FLUSH:
            _begin_flush(self._fd, self._flushed, self.offset - self._flushed)
            self._flushed = self.offset

    def close(self) -> None:
        """Close the file and leave the hash for the next request."""
        os.close(self._fd)
        if self._hash is not None:
            self._storage.hashes.remember(self._upload, self.offset, self._hash)


class DiskStorage:
    """Storage under one folder. Safe for many threads; one upload is written by one at a time."""

    finds_strays = True

    def __init__(self, root: str, database: "Database | None" = None) -> None:
        """Keep bytes below `root`; those that came in the `database` are read there until `settle`."""
        self._database = database
        self._settling = threading.Lock()
        self._uploads = os.path.join(root, "uploads")
        self._blobs = os.path.join(root, "blobs")
        for folder in (self._uploads, self._blobs):
            os.makedirs(folder, mode=0o700, exist_ok=True)
        self.hashes = Hashes()

    def begin(self, upload: str) -> None:
        """Make an empty upload."""
        os.close(os.open(self._upload(upload), os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))

    def adopt(self, upload: str, path: str) -> bool:
        """Let a new upload be a hard link to the file at `path`; False: that cannot be.

        Whoever wrote the file must not change it any more; `commit` reads all of it.
        """
        target = self._upload(upload)
        beside = f"{target}.linked"
        try:
            os.link(os.path.realpath(path), beside)
        except OSError:  # another file system, one without links, or not ours to link
            return False
        os.rename(beside, target)
        return True

    def export(self, digest: Digest, place: str, path: str) -> bool:
        """Make `path` a hard link to a blob; False: that cannot be. Raises: BlobUnknown."""
        try:
            os.link(self._blob(digest, place), path)
        except FileNotFoundError:
            pass
        except OSError:  # another file system, or one without links
            return False
        else:
            return True
        self.open(digest, place).close()  # it may have no file yet, or not in its place
        return False

    def resume(self, upload: str) -> _DiskIncoming:
        """Open an upload at its end. Raises: UploadUnknown, UploadTaken (by another process)."""
        try:
            fd = os.open(self._upload(upload), os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        except FileNotFoundError:
            raise UploadUnknown("the upload is not known here") from None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(fd)
            raise UploadTaken("another process of the hub still receives this upload") from None
        return _DiskIncoming(self, upload, fd, os.fstat(fd).st_size)

    def follow(self, upload: str) -> BinaryIO:
        """Open an upload for reading while it grows, and whatever becomes of it. Raises: UploadUnknown."""
        try:
            return open(self._upload(upload), "rb", buffering=0)
        except FileNotFoundError:
            raise UploadUnknown("the upload is not known here") from None

    def received(self, upload: str) -> int:
        """Give the bytes an upload has. Raises: UploadUnknown."""
        try:
            return os.stat(self._upload(upload)).st_size
        except FileNotFoundError:
            raise UploadUnknown("the upload is not known here") from None

    def commit(self, upload: str, digest: Digest) -> Kept:
        """Verify and sync. Raises: DigestDisagrees, UploadUnknown."""
        try:
            fd = os.open(self._upload(upload), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise UploadUnknown("the upload is not known here") from None
        try:
            size = os.fstat(fd).st_size
            found = self._hexdigest(upload, fd, size, digest.algorithm)
            try:
                compare(digest, found)
            except DigestDisagrees:
                self.drop_upload(upload)
                raise
            os.fsync(fd)
        finally:
            os.close(fd)
        _sync_folder(self._uploads)
        self.hashes.forget(upload)
        return Kept(upload, size)

    def take(self, upload: str, digest: Digest, data: bytes) -> Kept:
        """Verify, write and sync; nothing is left where that fails.

        Raises: DigestDisagrees, FileExistsError (the upload has bytes), OSError (disk full).
        """
        compare(digest, hashlib.new(digest.algorithm, data).hexdigest())
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
        fd = os.open(self._upload(upload), flags, 0o600)
        try:
            _write_all(fd, [data])
            os.fsync(fd)
        except OSError:  # a full disk would fill with halves of what it refuses
            self.drop_upload(upload)
            raise
        finally:
            os.close(fd)
        _sync_folder(self._uploads)
        return Kept(upload, len(data))

    def strays(self, *, age_s: float) -> "Iterator[str]":
        """Give uploads not written to for `age_s`, in no order."""
        before = time.time() - age_s
        for upload in os.listdir(self._uploads):
            with contextlib.suppress(FileNotFoundError):
                if os.stat(self._upload(upload)).st_mtime <= before:
                    yield upload

    def shelve(self, digest: Digest, place: str) -> None:
        """Rename to where the digest can be read off."""
        target = self._blob(digest, place)
        if os.path.exists(target):  # what came for the same upload again is not this blob
            self.drop_upload(place)
            return
        # Not synced: where a power cut undoes it, `open` looks in the folder of uploads, too.
        try:
            os.rename(self._upload(place), target)
        except FileNotFoundError:  # the folder, or it was done before
            os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):
                os.rename(self._upload(place), target)

    def open(self, digest: Digest, place: str) -> BinaryIO:
        """Open a blob for reading, a real file unless it has none yet. Raises: BlobUnknown."""
        with contextlib.suppress(FileNotFoundError):
            return open(self._blob(digest, place), "rb", buffering=0)
        if place and self._database is not None:
            # before its upload's file: that may be of a second client, with other bytes
            data = self._database.read(lambda connection: arrivals.data(connection, place))
            if data is not None:
                return io.BytesIO(data)
        for path in self._paths(digest, place):  # it was settled in between, or is to be shelved
            with contextlib.suppress(FileNotFoundError):
                return open(path, "rb", buffering=0)
        raise BlobUnknown(f"blob {digest} is not here")

    def link(self, digest: Digest, place: str) -> str:  # noqa: ARG002 - nobody else has these bytes
        """Give nothing: blobs go through the hub, by `sendfile`."""
        return ""

    def drop(self, leftovers: Sequence[tuple[Digest, str]]) -> None:
        """Drop blobs wherever they lie; unknown is fine."""
        places = [place for _, place in leftovers if place]
        if places and self._database is not None:
            # first: what `settle` gives a file from here on, it takes away again
            self._database.write(lambda connection: arrivals.drop(connection, places))
        for digest, place in leftovers:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._blob(digest, place))
            if place:
                self.drop_upload(place)

    def settle(self) -> int:
        """Give small blobs that came in the database their files; say how many those are.

        On return they are durable there, and no longer in the database. Raises: OSError (disk full),
        Unavailable.
        """
        count, last = 0, 0
        database = self._database
        if database is None:
            return 0
        with self._settling:
            while found := self._write_files(database, after=last):
                sync_file_system(self._blobs)
                last = found[-1].id
                for start in range(0, len(found), _AT_ONCE):
                    some = found[start : start + _AT_ONCE]
                    gone = self._forget(database, some)
                    for each in some:
                        if (
                            each.place in gone
                        ):  # dropped meanwhile, and its file before it was there
                            self._unlink(each)
                    count += len(some) - len(gone)
                if (
                    len(found) < _TOGETHER
                ):  # what came meanwhile waits for the next time, and for more
                    break
        return count

    def _write_files(self, database: "Database", *, after: int) -> "list[Arrival]":
        """Write files of those after the one of that id; give for which, without their bytes.

        At most so many as shall wait for the disk together.
        """
        written: list[Arrival] = []
        own = secrets.token_hex(4)
        while len(written) < _TOGETHER:
            found = database.read(
                lambda connection: arrivals.oldest(connection, after=after, limit=_AT_ONCE)  # noqa: B023 - called at once
            )
            for each in found:
                # where nobody looks for a blob, and no other process writes
                self._write_file(each, self._upload(f"{each.place}.{own}"))
            written += (replace(each, data=b"") for each in found)
            if len(found) < _AT_ONCE:
                break
            after = found[-1].id
        return written

    def _write_file(self, arrival: "Arrival", beside: str) -> None:
        fd = os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            try:
                _write_all(fd, [arrival.data])
            finally:
                os.close(fd)
            target = self._blob(arrival.digest, arrival.place)
            try:
                os.rename(beside, target)
            except FileNotFoundError:
                os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
                os.rename(beside, target)
        except OSError:
            os.unlink(beside)  # the next time makes another
            raise

    def _forget(self, database: "Database", found: "Sequence[Arrival]") -> frozenset[str]:
        places = [each.place for each in found]
        # where a power cut undoes it, they are given their files again
        return database.write(
            lambda connection: arrivals.settled(connection, places), durable=False
        )

    def _unlink(self, arrival: "Arrival") -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._blob(arrival.digest, arrival.place))

    def drop_upload(self, upload: str) -> None:
        """Drop an upload; unknown is fine."""
        self.hashes.forget(upload)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._upload(upload))

    def _hexdigest(self, upload: str, fd: int, size: int, algorithm: str) -> str:
        if algorithm == "sha256":
            known = self.hashes.recall(upload, size)
            if known is not None:
                return known.hexdigest()
        value = hashlib.new(algorithm)
        offset = 0
        while piece := os.pread(fd, _PIECE, offset):
            value.update(piece)
            offset += len(piece)
        return value.hexdigest()

    def _paths(self, digest: Digest, place: str) -> tuple[str, ...]:
        """Give where to look for a blob, in order."""
        shelved = self._blob(digest, place)
        # Whoever looks in between may find neither: it was renamed after the first look.
        return (shelved, self._upload(place), shelved) if place else (shelved,)

    def _upload(self, upload: str) -> str:
        return os.path.join(self._uploads, upload)

    def _blob(self, digest: Digest, place: str) -> str:
        name = f"{digest.hex}.{place}" if place else digest.hex
        return os.path.join(self._blobs, digest.algorithm, digest.hex[:2], name)


def _write_all(fd: int, pieces: Sequence[bytes]) -> int:
    """Write everything; give how much that was."""
    total = sum(map(len, pieces))
    written = os.writev(fd, pieces)
    while written < total:  # a signal or a nearly full disk: what is left goes in one piece
        written += os.write(fd, b"".join(pieces)[written:])
    return total


def _begin_flush(fd: int, offset: int, size: int) -> None:
    """Have the kernel begin to write a range to the disk, while more arrives: the sync has less to wait for.

    Linux does so before it looks which pages it could let go; of those just written few are.
    """
    os.posix_fadvise(fd, offset, size, os.POSIX_FADV_DONTNEED)


def _sync_folder(folder: str) -> None:
    """Make renames in `folder` survive a power cut."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
