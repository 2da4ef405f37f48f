"""What the hub asks of a place that keeps bytes."""

from collections.abc import Sequence
from typing import BinaryIO, Protocol

from lamina.spec.digest import Digest

__all__ = ["Incoming", "Storage"]


class Incoming(Protocol):
    """One request's hand on an upload; its bytes survive this process."""

    @property
    def offset(self) -> int:
        """Bytes the upload has so far."""

    def write(self, pieces: Sequence[bytes]) -> None:
        """Append and hash. Raises: OSError (disk)."""

    def close(self) -> None:
        """Let go; the upload stays as it is."""


class Storage(Protocol):
    """Blobs by digest, and uploads on their way to become blobs. Every call may block."""

    def begin(self, upload: str) -> None:
        """Make an empty upload."""

    def resume(self, upload: str) -> Incoming:
        """Open an upload at its end. Raises: UploadUnknown."""

    def received(self, upload: str) -> int:
        """Give the bytes an upload has. Raises: UploadUnknown."""

    def commit(self, upload: str, digest: Digest) -> int:
        """Turn an upload into the blob `digest`, verified and durable; give its size.

        The caller holds a lease on `digest`. An upload that does not match is dropped.
        Raises: DigestDisagrees, UploadUnknown.
        """

    def discard(self, upload: str) -> None:
        """Drop an upload; unknown is fine."""

    def open(self, digest: Digest) -> BinaryIO:
        """Open a blob for reading; a real file. Raises: BlobUnknown."""

    def delete(self, digest: Digest) -> None:
        """Drop a blob; unknown is fine."""
