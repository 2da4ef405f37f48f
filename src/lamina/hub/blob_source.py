"""One blob on its way from another registry into a repository of a cache, or of a mirroring rule."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from lamina.errors import LaminaError, NotFound
from lamina.hub.access import Caller
from lamina.hub.database import Database
from lamina.hub.errors import BlobUnknown, DigestDisagrees, UpstreamFailed
from lamina.hub.storage.disk import DiskStorage
from lamina.hub.storage.protocol import Storage
from lamina.hub.tables import blobs, caches
from lamina.hub.tables.repositories import Repository
from lamina.hub.uploads import Uploads
from lamina.spec.descriptor import Descriptor

if TYPE_CHECKING:
    from lamina.hub.storage.protocol import Incoming
    from lamina.hub.upstream import Upstream
    from lamina.remote.blobs import BlobReader

__all__ = ["AlreadyHere", "BlobSource", "Wanted"]

_HUB = Caller(is_admin=True)
"""The hub itself: nobody's account, and everything is its own."""


class AlreadyHere(LaminaError):
    """The blob came while it was asked for."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A blob that is to be fetched for a repository; `name` is what its registry calls that."""

    repository: Repository
    name: str
    descriptor: Descriptor


class BlobSource:
    """One blob from a registry into a repository here. One thread drives it."""

    def __init__(
        self,
        wanted: Wanted,
        upstream: "Upstream",
        *,
        database: Database,
        storage: Storage,
        uploads: Uploads,
        came: Callable[[int], None],
    ) -> None:
        self._came = came
        self._wanted = wanted
        self._upstream = upstream
        self._database = database
        self._storage = storage
        self._uploads = uploads
        self._upload = ""
        self._incoming: Incoming | None = None
        self._reader: BlobReader | None = None

    def open(self) -> None:
        """Ask the registry. Raises: AlreadyHere, BlobUnknown, UpstreamFailed, UpstreamLimited."""
        wanted = self._wanted
        digest, repository = wanted.descriptor.digest, wanted.repository
        here = self._database.read(lambda connection: blobs.find(connection, repository.id, digest))
        if here is not None:
            raise AlreadyHere(f"{digest} came meanwhile")
        try:
            with self._upstream.asked():
                there = self._upstream.repository(wanted.name)
                self._reader = there.blob(wanted.descriptor)
        except NotFound as error:
            raise BlobUnknown(f"blob {digest} is not at {self._upstream.registry}") from error
        self._upload = self._uploads.begin(_HUB, repository.name, length=wanted.descriptor.size)
        self._incoming = self._storage.resume(self._upload)

    def read(self, size: int) -> bytes:
        """Give the next bytes. Raises: UpstreamFailed."""
        assert self._reader is not None  # noqa: S101 - opened
        with self._upstream.asked():
            piece = self._reader.read(size)
        self._came(len(piece))
        return piece

    def keep(self, piece: bytes) -> None:
        """Keep the next bytes."""
        assert self._incoming is not None  # noqa: S101 - opened
        self._incoming.write([piece])

    def follow(self) -> BinaryIO | None:
        """Open what is kept, where the storage is this machine's."""
        storage = self._storage
        return storage.follow(self._upload) if isinstance(storage, DiskStorage) else None

    def finish(self) -> None:
        """Verify and link. Raises: UpstreamFailed (the bytes are others than were named)."""
        assert self._incoming is not None  # noqa: S101 - opened
        wanted, upload = self._wanted, self._upload
        self._incoming.close()
        self._incoming = None
        found = self._uploads.find(_HUB, wanted.repository.name, upload)
        self._upload = ""  # what does not match is dropped there
        try:
            self._uploads.finish(found, wanted.descriptor.digest)
        except DigestDisagrees as error:
            raise UpstreamFailed(f"{self._upstream.registry}: {error.message}") from error
        self._database.write(
            lambda connection: caches.hold_blob(
                connection, wanted.repository.id, wanted.descriptor.digest
            )
        )

    def close(self) -> None:
        """Let go of the connection, and of an upload that came to nothing."""
        if self._reader is not None:
            self._reader.close()
        if self._incoming is not None:
            self._incoming.close()
        if self._upload:
            with suppress(LaminaError, OSError):
                found = self._uploads.find(_HUB, self._wanted.repository.name, self._upload)
                self._uploads.cancel(found)
