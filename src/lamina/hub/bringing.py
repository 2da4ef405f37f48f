"""Bytes from elsewhere on this machine into a hub's storage: verified by their digest, then linked."""

import contextlib
import uuid
from collections.abc import Callable, Iterator

from lamina.hub.database import Connection, Database
from lamina.hub.storage.disk import DiskStorage
from lamina.hub.storage.protocol import Storage
from lamina.hub.tables import blobs
from lamina.hub.tables.blobs import Upload
from lamina.spec.digest import Digest
from lamina.stream.verify import Readable

__all__ = ["Bringer"]

_PIECE = 1024 * 1024


class Bringer:
    """Brings blobs into repositories, as uploads do. Safe for many threads."""

    def __init__(self, database: Database, storage: Storage, *, clock: Callable[[], float]) -> None:
        self._database = database
        self._storage = storage
        self._clock = clock

    def link(self, repository_id: int, digest: Digest) -> bool:
        """Let a repository show a blob that is here; False: it is not. Raises: QuotaExceeded."""
        now = self._clock()

        def work(connection: Connection) -> bool:
            if blobs.place(connection, digest) is None:
                return False
            blobs.link(connection, repository_id, digest, now=now)
            return True

        return self._database.write(work)

    def bring(self, repository_id: int, digest: Digest, path: str, *, may_link: bool) -> int:
        """Bring a file as a blob; give its size. With `may_link` it is a hard link where it can be.

        On return it is durable. Raises: DigestDisagrees, QuotaExceeded, OSError, Unavailable.
        """
        with self._begun(repository_id) as upload:
            storage = self._storage
            is_linked = (
                may_link and isinstance(storage, DiskStorage) and storage.adopt(upload.id, path)
            )
            if not is_linked:
                with open(path, "rb", buffering=0) as file:
                    self._receive(upload, file)
            return self._finish(upload, digest)

    def receive(self, repository_id: int, digest: Digest, file: Readable) -> int:
        """Bring what `file` gives as a blob; give its size. Raises: as `bring`."""
        with self._begun(repository_id) as upload:
            self._receive(upload, file)
            return self._finish(upload, digest)

    @contextlib.contextmanager
    def _begun(self, repository_id: int) -> Iterator[Upload]:
        """Begin an upload; one that fails is dropped."""
        upload, now = Upload(str(uuid.uuid4()), repository_id, "", self._clock()), self._clock()
        self._storage.begin(upload.id)
        try:
            self._database.write(
                lambda connection: blobs.add_upload(
                    connection, upload.id, repository_id, account="", now=now
                )
            )
            yield upload
        except BaseException:
            self._storage.drop_upload(upload.id)
            self._database.write(lambda connection: self._forget(connection, upload.id))
            raise

    def _forget(self, connection: Connection, upload: str) -> None:
        if blobs.remove_upload(connection, upload):
            blobs.keep_leftover(connection, "", upload, now=self._clock())

    def _receive(self, upload: Upload, file: Readable) -> None:
        incoming = self._storage.resume(upload.id)
        try:
            while piece := file.read(_PIECE):
                incoming.write([piece])
        finally:
            incoming.close()

    def _finish(self, upload: Upload, digest: Digest) -> int:
        kept = self._storage.commit(upload.id, digest)
        now = self._clock()
        self._database.write(
            lambda connection: blobs.finish_upload(connection, upload, digest, kept, now=now)
        )
        self._storage.shelve(digest, kept.place)
        return kept.size
