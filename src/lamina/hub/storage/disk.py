"""Bytes on a local disk: `blobs/sha256/ab/abcd…` and `uploads/<id>`.

A blob appears by rename, after its digest was checked and its bytes were synced. The hash of an
upload is kept between requests in memory; after a restart it is taken again from the bytes.
"""

import contextlib
import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, BinaryIO, Protocol

from lamina.hub.errors import BlobUnknown, DigestDisagrees, UploadUnknown
from lamina.spec.digest import Digest

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["DiskStorage"]

_REMEMBERED = 4096
_PIECE = 1024 * 1024


class _Hash(Protocol):
    """What hashlib gives; its own type has no public name."""

    def update(self, data: bytes, /) -> None:
        """Take in the next bytes."""

    def hexdigest(self) -> str:
        """Give the digest of everything so far."""


class _DiskIncoming:
    """An upload's file, open at its end."""

    def __init__(self, storage: "DiskStorage", upload: str, fd: int, offset: int) -> None:
        self._storage = storage
        self._upload = upload
        self._fd = fd
        self._hash = storage.recall(upload, offset)
        self.offset = offset

    def write(self, pieces: Sequence[bytes]) -> None:
        """Append `pieces`; hash them on the way when nothing before them is unhashed."""
        total = sum(map(len, pieces))
        written = os.writev(self._fd, pieces)
        while written < total:  # a signal or a nearly full disk: what is left goes in one piece
            written += os.write(self._fd, b"".join(pieces)[written:])
        if self._hash is not None:
            for piece in pieces:
                self._hash.update(piece)
        self.offset += total

    def close(self) -> None:
        """Close the file and leave the hash for the next request."""
        os.close(self._fd)
        if self._hash is not None:
            self._storage.remember(self._upload, self.offset, self._hash)


class DiskStorage:
    """Storage under one folder. Safe for many threads; one upload is written by one at a time."""

    def __init__(self, root: str) -> None:
        self._uploads = os.path.join(root, "uploads")
        self._blobs = os.path.join(root, "blobs")
        for folder in (self._uploads, self._blobs):
            os.makedirs(folder, mode=0o700, exist_ok=True)
        self._hashes: OrderedDict[str, tuple[int, _Hash]] = OrderedDict()
        self._guard = threading.Lock()

    def begin(self, upload: str) -> None:
        """Make an empty upload."""
        os.close(os.open(self._upload(upload), os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))

    def resume(self, upload: str) -> _DiskIncoming:
        """Open an upload at its end. Raises: UploadUnknown."""
        try:
            fd = os.open(self._upload(upload), os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        except FileNotFoundError:
            raise UploadUnknown("the upload is not known here") from None
        return _DiskIncoming(self, upload, fd, os.fstat(fd).st_size)

    def received(self, upload: str) -> int:
        """Give the bytes an upload has. Raises: UploadUnknown."""
        try:
            return os.stat(self._upload(upload)).st_size
        except FileNotFoundError:
            raise UploadUnknown("the upload is not known here") from None

    def commit(self, upload: str, digest: Digest) -> int:
        """Verify, sync and rename; give the size. Raises: DigestDisagrees, UploadUnknown."""
        source = self._upload(upload)
        try:
            fd = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise UploadUnknown("the upload is not known here") from None
        try:
            size = os.fstat(fd).st_size
            found = self._hexdigest(upload, fd, size, digest.algorithm)
            if found != digest.hex:
                self.discard(upload)
                raise DigestDisagrees(
                    f"the bytes sent are {digest.algorithm}:{found}, not {digest}",
                    hint="they were damaged on the way; send them again",
                )
            os.fsync(fd)
        finally:
            os.close(fd)
        target = self._blob(digest)
        self._make_folder(os.path.dirname(target))
        os.rename(source, target)  # over an older copy of the same bytes, perhaps a damaged one
        _sync_folder(os.path.dirname(target))
        self._forget(upload)
        return size

    def discard(self, upload: str) -> None:
        """Drop an upload; unknown is fine."""
        self._forget(upload)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._upload(upload))

    def open(self, digest: Digest) -> BinaryIO:
        """Open a blob for reading. Raises: BlobUnknown."""
        try:
            return open(self._blob(digest), "rb", buffering=0)
        except FileNotFoundError:
            raise BlobUnknown(f"blob {digest} is not here") from None

    def delete(self, digest: Digest) -> None:
        """Drop a blob; unknown is fine."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._blob(digest))

    def uploads(self) -> "Iterator[str]":
        """Give every upload that has a file, in no order."""
        yield from os.listdir(self._uploads)

    def touched_at(self, upload: str) -> float:
        """Give when an upload was last written, epoch seconds. Raises: FileNotFoundError."""
        return os.stat(self._upload(upload)).st_mtime

    def recall(self, upload: str, offset: int) -> _Hash | None:
        """Give the hash of the first `offset` bytes if it is known; the caller owns it now."""
        with self._guard:
            known = self._hashes.pop(upload, None)
        if known is not None and known[0] == offset:
            return known[1]
        return hashlib.sha256() if offset == 0 else None

    def remember(self, upload: str, offset: int, value: _Hash) -> None:
        """Keep the hash of an upload's first `offset` bytes for the next request."""
        with self._guard:
            self._hashes[upload] = (offset, value)
            while len(self._hashes) > _REMEMBERED:
                self._hashes.popitem(last=False)

    def _forget(self, upload: str) -> None:
        with self._guard:
            self._hashes.pop(upload, None)

    def _hexdigest(self, upload: str, fd: int, size: int, algorithm: str) -> str:
        if algorithm == "sha256":
            known = self.recall(upload, size)
            if known is not None:
                return known.hexdigest()
        value = hashlib.new(algorithm)
        offset = 0
        while piece := os.pread(fd, _PIECE, offset):
            value.update(piece)
            offset += len(piece)
        return value.hexdigest()

    def _make_folder(self, folder: str) -> None:
        if not os.path.isdir(folder):
            os.makedirs(folder, mode=0o700, exist_ok=True)
            _sync_folder(os.path.dirname(folder))
            _sync_folder(self._blobs)

    def _upload(self, upload: str) -> str:
        return os.path.join(self._uploads, upload)

    def _blob(self, digest: Digest) -> str:
        return os.path.join(self._blobs, digest.algorithm, digest.hex[:2], digest.hex)


def _sync_folder(folder: str) -> None:
    """Make renames in `folder` survive a power cut."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
