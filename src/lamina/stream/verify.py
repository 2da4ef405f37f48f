"""Readers and writers that know the digest and size their bytes must have."""

from lamina.errors import Corrupt
from lamina.spec.digest import Digest
from lamina.values import Protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from hashlib import _Hash
    from typing import BinaryIO

__all__ = [
    "CHUNK",
    "DigestMismatch",
    "Hasher",
    "Readable",
    "SizeMismatch",
    "VerifyingReader",
    "chunks",
]

_SHORT = 64 * 1024
CHUNK = 256 * 1024
"""Bytes moved at a time: measured best for inflate and hash on two cores."""


class DigestMismatch(Corrupt):
    """The bytes are not the ones that were named."""


class SizeMismatch(Corrupt):
    """More or fewer bytes came than were promised."""


class Readable(Protocol):
    """Anything bytes can be read from."""

    def read(self, size: int = -1, /) -> bytes:
        """Give up to `size` bytes, none at the end."""


class Hasher:
    """Digest of bytes as they pass; releases the GIL on large pieces."""

    __slots__ = ("_algorithm", "_hash", "_short", "size")

    def __init__(self, algorithm: str = "sha256") -> None:
        self._algorithm = algorithm
        self._hash: _Hash | None = None
        self._short = bytearray()  # what came, while libcrypto is not worth its loading
        self.size = 0

    def update(self, data: "bytes | memoryview") -> None:
        """Take in the next bytes."""
        self.size += len(data)
        if self._hash is None:
            if self.size <= _SHORT:
                self._short += data
                return
            import hashlib

            self._hash = hashlib.new(self._algorithm, self._short)
            self._short.clear()
        self._hash.update(data)

    @property
    def digest(self) -> Digest:
        """The digest of everything so far."""
        if self._hash is None:
            return Digest.of(bytes(self._short), self._algorithm)
        return Digest(f"{self._algorithm}:{self._hash.hexdigest()}")


class VerifyingReader:
    """Read `source` and raise at its end unless it had exactly `size` bytes of `digest`.

    Never hands out a byte past `size`. The caller must read to the end (an empty read): only then
    is anything proven. Does not close `source`.
    """

    def __init__(self, source: Readable, digest: Digest, size: int) -> None:
        self._source = source
        self._hasher = Hasher(digest.algorithm)
        self._digest = digest
        self._size = size
        self._done = False
        self._failure: Corrupt | None = None

    @property
    def offset(self) -> int:
        """Bytes handed out so far."""
        return self._hasher.size

    def read(self, size: int = -1, /) -> bytes:
        """Give the next bytes. Raises: SizeMismatch, DigestMismatch (again, if read again)."""
        if self._failure is not None:
            raise self._failure
        if size == 0:
            return b""
        left = self._size - self._hasher.size
        if left == 0:
            self._finish()
            return b""
        data = self._source.read(left if size < 0 else min(size, left))
        if not data:
            self._failure = SizeMismatch(
                f"{self._digest} ended after {self._hasher.size} of {self._size} bytes",
                hint="the transfer broke off; try again",
            )
            raise self._failure
        self._hasher.update(data)
        return data

    def _finish(self) -> None:
        if self._done:
            return
        if self._source.read(1):
            self._failure = SizeMismatch(
                f"{self._digest} is longer than the promised {self._size} bytes"
            )
        elif self._hasher.digest != self._digest:
            self._failure = DigestMismatch(
                f"digest mismatch: expected {self._digest}, got {self._hasher.digest}",
                hint="the bytes were damaged on the way or at the registry; try again",
            )
        if self._failure is not None:
            raise self._failure
        self._done = True


def chunks(source: "Readable | BinaryIO", size: int = CHUNK) -> "Iterator[bytes]":
    """Give `source` piece by piece until it ends."""
    while data := source.read(size):
        yield data
