"""What the hub asks of a place that keeps bytes.

Bytes get a *place* of their own when they come in, and keep it: nothing ever lies where something else
lay before. What a place holds is known by the database alone, so that dropping what nobody names can
never meet a push that brings the same blob anew. Every call may block.
"""

from collections.abc import Iterator, Sequence
from typing import BinaryIO, Protocol

from lamina.hub.tables.blobs import Kept
from lamina.spec.digest import Digest

__all__ = ["Incoming", "Keeping", "Receiving", "Storage"]


class Incoming(Protocol):
    """One request's hand on an upload; its bytes survive this process."""

    @property
    def offset(self) -> int:
        """Bytes the upload has so far."""

    def write(self, pieces: Sequence[bytes]) -> None:
        """Append and hash. Raises: OSError (disk), UploadTaken (someone else goes on with it)."""

    def close(self) -> None:
        """Let go; the upload stays as it is."""


class Receiving(Protocol):
    """Uploads on their way to become blobs."""

    @property
    def finds_strays(self) -> bool:
        """Tell whether `strays` finds bytes without a row; else a note must be written before."""

    def begin(self, upload: str) -> None:
        """Make an empty upload."""

    def resume(self, upload: str) -> Incoming:
        """Open an upload at its end; whoever else writes to it is shut out.

        Raises: UploadUnknown, UploadTaken.
        """

    def received(self, upload: str) -> int:
        """Give the bytes an upload has. Raises: UploadUnknown."""

    def commit(self, upload: str, digest: Digest) -> Kept:
        """Verify an upload against `digest` and make it durable; may be repeated.

        One that does not match is dropped. Raises: DigestDisagrees, UploadUnknown.
        """

    def take(self, upload: str, digest: Digest, data: bytes) -> Kept:
        """Do all of it at once for a small blob that came whole. Raises: DigestDisagrees."""

    def strays(self, *, age_s: float) -> Iterator[str]:
        """Give uploads not written to for `age_s`, with or without a row."""


class Keeping(Protocol):
    """Blobs in their places."""

    def shelve(self, digest: Digest, place: str) -> None:
        """Put bytes away whose row is durable; may be repeated, or never come."""

    def open(self, digest: Digest, place: str) -> BinaryIO:
        """Open a blob for reading. Raises: BlobUnknown."""

    def link(self, digest: Digest, place: str) -> str:
        """Give a URL by which anyone may fetch the blob for a while; empty: only through us."""

    def drop(self, leftovers: "Sequence[tuple[Digest, str]]") -> None:
        """Drop blobs that no row names, each by digest and place; unknown is fine."""

    def drop_upload(self, upload: str) -> None:
        """Drop what lies about of an upload and is no blob's; unknown is fine."""


class Storage(Receiving, Keeping, Protocol):
    """Both. Safe for many threads."""
