"""Blobs: bytes kept under their digest, and resumable partial files on their way there."""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress

from lamina.errors import Invalid, NotFound
from lamina.spec.digest import Digest
from lamina.spec.manifest import MANIFEST_LIMIT
from lamina.store.spares import Spares
from lamina.stream.files import (
    acquire,
    disk_errors,
    fresh_name,
    publish,
    sync_directory,
    unlimited,
    write_all,
    write_out,
)
from lamina.stream.verify import CHUNK, DigestMismatch, Hasher, SizeMismatch
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO, NoReturn, Self

    from lamina.store.disk import Disk

__all__ = ["BlobStore", "BlobTooLarge", "BlobUnknown", "BlobWriter", "Partial", "PartialReader"]

_KEY_LENGTH = 200


class BlobUnknown(NotFound):
    """No blob has this digest here."""


class BlobTooLarge(Invalid):
    """The blob is larger than its reader is ready to take into memory."""


@dataclass(frozen=True, slots=True)
class Partial:
    """A blob that is not whole yet. `size` is what has arrived, `changed` epoch seconds."""

    key: str
    size: int
    changed: float
    busy: bool


def _no_pin(digest: Digest) -> None:
    """Pin nothing: the blob store of callers who keep no leases."""


class BlobStore:
    """The blobs of one store. Safe for many threads and processes at once.

    `pin(digest)` is called before the store tells anyone that a blob is there, so that garbage
    collection spares what a running pull relies on. `spend(size)` is called before bytes are written,
    and raises where a quota does not allow them.
    """

    def __init__(
        self,
        disk: "Disk",
        pin: Callable[[Digest], None] = _no_pin,
        spend: Callable[[int], None] = unlimited,
    ) -> None:
        self._blobs = disk.blobs
        self._uploads = disk.uploads
        self._pin = pin
        self.spend = spend

    def path(self, digest: Digest) -> str:
        """Tell where the blob lies, whether it is there or not."""
        return f"{self._blobs}/{digest.replace(':', '/', 1)}"

    def has(self, digest: Digest) -> bool:
        """Tell whether the blob is here; under a lease it then stays until the lease ends."""
        self._pin(digest)
        return os.path.exists(self.path(digest))

    def size(self, digest: Digest) -> int:
        """Give the blob's size. Raises: BlobUnknown."""
        try:
            return os.stat(self.path(digest)).st_size
        except FileNotFoundError:
            _unknown(digest)

    def open(self, digest: Digest) -> "BinaryIO":
        """Open the blob for reading; the caller closes and, where it matters, verifies.

        Raises: BlobUnknown.
        """
        self._pin(digest)
        try:
            return open(self.path(digest), "rb")
        except FileNotFoundError:
            _unknown(digest)

    def read(self, digest: Digest, *, limit: int = MANIFEST_LIMIT) -> bytes:
        """Give the whole blob, verified.

        Raises: BlobUnknown, BlobTooLarge (more than `limit` bytes), DigestMismatch (damaged).
        """
        with self.open(digest) as file:
            data = file.read(limit + 1)
        if len(data) > limit:
            raise BlobTooLarge(f"{digest} is larger than {limit} bytes")
        found = Digest.of(data, digest.algorithm)
        if found != digest:
            raise DigestMismatch(
                f"blob {digest} is damaged on disk: its bytes have digest {found}",
                hint="remove the image with `lamina rmi` and pull it again",
            )
        return data

    def put(self, data: bytes) -> Digest:
        """Keep `data`; give its digest. Durable on return. Raises: DiskFull, Denied."""
        digest = Digest.of(data)
        self._pin(digest)
        path = self.path(digest)
        try:
            if os.stat(path).st_size == len(data):
                return digest
        except FileNotFoundError:
            pass
        with self.writer(f"put-{fresh_name()}") as writer:
            try:
                writer.write(data)
                writer.commit(digest, len(data))
            except BaseException:
                writer.discard()
                raise
        return digest

    def writer(
        self,
        key: str,
        *,
        algorithm: str = "sha256",
        waiting: Callable[[], None] | None = None,
    ) -> "BlobWriter":
        """Open the partial blob `key`, continuing what an earlier process left.

        Only one writer per key exists on the machine: others wait here, and then find `offset` 0
        and the blob probably present, so check `has` afterwards. `waiting` is called while waiting
        and may raise. Raises: Invalid (a key is 1-200 of letters, digits, `._-`), DiskFull, Denied.
        """
        if not _is_key(key):
            raise Invalid(f"invalid upload key {key!r}")
        path = f"{self._uploads}/{key}"
        with disk_errors("starting a download"):
            fd = acquire(path, waiting=waiting)
        return BlobWriter(self, fd, path, algorithm)

    def spares(self, digest: Digest) -> Spares:
        """Give the parts of a blob that came ahead of their turn, this process's and earlier ones."""
        return Spares(self._uploads, str(digest).replace(":", "-"), self.spend)

    def delete(self, digest: Digest) -> int:
        """Remove the blob; give the bytes freed, 0 when it was not here. Nothing is checked."""
        path = self.path(digest)
        try:
            size = os.stat(path).st_size
            os.unlink(path)
        except FileNotFoundError:
            return 0
        return size

    def __iter__(self) -> Iterator[Digest]:
        """Give the digest of every blob, in no order."""
        for algorithm, length in (("sha256", 64), ("sha512", 128)):
            try:
                names = os.listdir(f"{self._blobs}/{algorithm}")
            except FileNotFoundError:
                continue
            for name in names:
                # What other tools and people left there is none of ours, and never garbage.
                if len(name) == length and not name.strip("0123456789abcdef"):
                    yield Digest(f"{algorithm}:{name}")

    def partials(self) -> tuple[Partial, ...]:
        """Give every partial blob, of running downloads and interrupted ones."""
        rows = []
        for name in os.listdir(self._uploads):
            path = f"{self._uploads}/{name}"
            try:
                found = os.stat(path)
                busy = _is_busy(path)
            except FileNotFoundError:  # committed or dropped meanwhile
                continue
            rows.append(Partial(name, found.st_size, found.st_mtime, busy=busy))
        return tuple(rows)

    def drop_partials(self, *, before: float) -> int:
        """Remove what interrupted downloads left before epoch second `before`; give bytes freed.

        Running downloads are untouched.
        """
        freed = 0
        for row in self.partials():
            if not row.busy and row.changed < before:
                freed += _remove_idle(f"{self._uploads}/{row.key}")
        return freed

    def accept(self, temporary: str, digest: Digest) -> None:
        """Give a verified, fsynced file its place among the blobs; for BlobWriter."""
        self._pin(digest)
        path = self.path(digest)
        try:
            publish(temporary, path)
        except FileNotFoundError:  # the first blob of another algorithm than sha256
            os.makedirs(os.path.dirname(path), exist_ok=True)
            sync_directory(self._blobs)
            publish(temporary, path)


class BlobWriter:
    """One blob on its way in; a context manager that keeps partial bytes unless told otherwise.

    Leaving without `commit` or `discard` keeps the bytes for the next writer of the same key; the
    file is locked until then and the lock dies with the process. Not for several threads at once.
    Each byte is hashed once, as it passes; bytes of an earlier process are hashed when read
    through `reader`, else in `commit`.
    """

    def __init__(self, blobs: BlobStore, fd: int, path: str, algorithm: str) -> None:
        self._blobs = blobs
        self._fd = fd
        self._path = path
        self._hasher = Hasher(algorithm)
        self._algorithm = algorithm
        self._offset = os.fstat(fd).st_size

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def offset(self) -> int:
        """Bytes in the partial file: those found at the start and those written since."""
        return self._offset

    @property
    def digest(self) -> Digest:
        """The digest of every byte in the partial file, earlier ones included."""
        return self._digest(self._algorithm)

    def reader(self) -> "PartialReader":
        """Read the bytes that are there, from the first on; they are hashed on their way.

        To be read before the first `write`; the caller closes it.
        """
        return PartialReader(self)

    def write(self, data: "bytes | memoryview") -> None:
        """Append `data`. Raises: DiskFull (what was written stays and can be continued)."""
        self._blobs.spend(len(data))
        with disk_errors("storing a blob"):
            os.lseek(self._fd, self._offset, os.SEEK_SET)
            try:
                write_all(self._fd, data)
            except OSError:
                self._offset = os.fstat(self._fd).st_size
                raise
        if self._hasher.size == self._offset:  # else earlier bytes come first: commit hashes all
            self._hasher.update(data)
        self._offset += len(data)
        write_out(self._fd, self._offset - len(data), self._offset)

    def truncate(self, size: int = 0) -> None:
        """Drop every byte after `size`. Raises: Invalid (longer than what is there)."""
        if size > self._offset:
            raise Invalid(f"cannot cut {self._offset} bytes to {size}")
        os.ftruncate(self._fd, size)
        self._offset = size
        if self._hasher.size > size:
            self._hasher = Hasher(self._algorithm)

    def verify(self, digest: Digest, size: int) -> None:
        """Check that the bytes are the ones that were named.

        Raises: DigestMismatch, SizeMismatch (the partial file is removed: a repeat starts anew).
        """
        if self._offset != size:
            found = self._offset
            self.discard()
            raise SizeMismatch(
                f"{digest} has {found} bytes, expected {size}", hint="repeat the command"
            )
        found_digest = self._digest(digest.algorithm)
        if found_digest != digest:
            self.discard()
            raise DigestMismatch(
                f"digest mismatch: expected {digest}, got {found_digest}",
                hint="the bytes were damaged on the way or at their source; repeat the command",
            )

    def commit(self, digest: Digest, size: int) -> None:
        """Verify and make the blob visible, durably; close the writer.

        Raises: as `verify`, and DiskFull.
        """
        self.verify(digest, size)
        with disk_errors("storing a blob"):
            os.fchmod(self._fd, 0o644)
            os.fsync(self._fd)
            self._blobs.accept(self._path, digest)
        self._release()

    def discard(self) -> None:
        """Remove the partial bytes and close."""
        if self._fd >= 0:
            with suppress(FileNotFoundError):  # it has its place, only the disk may not know yet
                os.unlink(self._path)
            self._release()

    def close(self) -> None:
        """Unlock; keep the partial bytes for later, if there are any. May be called twice."""
        if self._fd >= 0 and self._offset == 0:
            self.discard()
        self._release()

    def _release(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _digest(self, algorithm: str) -> Digest:
        if algorithm != self._algorithm:
            self._algorithm = algorithm
            self._hasher = Hasher(algorithm)
        while self._hasher.size < self._offset:
            self.read_back(self._hasher.size, CHUNK)
        return self._hasher.digest

    def read_back(self, position: int, size: int) -> bytes:
        """Give bytes of the partial file and hash those among them that were not hashed yet."""
        data = os.pread(self._fd, size, position)
        seen = self._hasher.size - position
        if 0 <= seen < len(data):
            self._hasher.update(memoryview(data)[seen:])
        return data


class PartialReader:
    """Reads a partial blob from its first byte; closing it leaves the writer open."""

    def __init__(self, writer: BlobWriter, position: int = 0) -> None:
        self._writer = writer
        self._position = position

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self, size: int = -1, /) -> bytes:
        """Give up to `size` bytes, none at the end."""
        left = self._writer.offset - self._position
        data = self._writer.read_back(self._position, left if size < 0 else min(size, left))
        self._position += len(data)
        return data

    def close(self) -> None:
        """Do nothing: the file is the writer's."""


def _is_key(key: str) -> bool:
    return (
        0 < len(key) <= _KEY_LENGTH
        and key.isascii()
        and not key.startswith(".")
        and key.replace(".", "").replace("_", "").replace("-", "").isalnum()
    )


def _is_busy(path: str) -> bool:
    try:
        os.close(acquire(path, wait=False, create=False))
    except BlockingIOError:
        return True
    return False


def _remove_idle(path: str) -> int:
    """Remove a partial file unless somebody writes it; give the bytes freed."""
    try:
        fd = acquire(path, wait=False, create=False)
    except (BlockingIOError, FileNotFoundError):
        return 0
    try:
        os.unlink(path)
        return os.fstat(fd).st_size
    finally:
        os.close(fd)


def _unknown(digest: Digest) -> "NoReturn":
    raise BlobUnknown(
        f"no such blob: {digest}",
        hint="the image is incomplete here; pull it again",
    )
