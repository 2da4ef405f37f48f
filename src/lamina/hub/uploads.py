"""Use cases of blobs: look up, mount, and the life of an upload. Every call may block."""

import hashlib
import threading
import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass

from lamina.errors import Unavailable
from lamina.hub.access import Caller
from lamina.hub.admission import admit
from lamina.hub.database import Connection, Database
from lamina.hub.errors import (
    BlobUnknown,
    DigestDisagrees,
    LoginRequired,
    QuotaExceeded,
    UploadUnknown,
)
from lamina.hub.names import check_repository
from lamina.hub.openings import Opening, Openings
from lamina.hub.quotas import Standing, check_room
from lamina.hub.registry import visible
from lamina.hub.storage.protocol import Storage
from lamina.hub.tables import blobs, quotas, repositories
from lamina.hub.tables.blobs import Kept, Linked, Upload
from lamina.hub.tables.repositories import Repository
from lamina.spec.digest import Digest

__all__ = ["Blob", "Uploads"]


_FRESH_S = 60.0
"""How old a mark of what is in flight may be before it is made anew."""
_NOTING = 16


@dataclass(frozen=True, slots=True)
class Blob:
    """A blob that its caller may read, and where the storage has it."""

    digest: Digest
    size: int
    place: str


class Uploads:
    """What `/v2/` does with blobs."""

    def __init__(
        self,
        database: Database,
        storage: Storage,
        *,
        clock: Callable[[], float],
        lease_s: float,
        openings: Openings,
    ) -> None:
        self._database = database
        self._storage = storage
        self._clock = clock
        self._openings = openings
        self._fresh_s = min(_FRESH_S, lease_s / 4)
        self._closing: set[str] = set()
        self._noting = tuple(threading.Lock() for _ in range(_NOTING))

    def size(self, caller: Caller, name: str, digest: Digest) -> tuple[int, bool]:
        """Give a blob's size, and renew its lease: a pusher may count on it now.

        And tell whether it has none, because a manifest names it: then asking is all. Raises: what `visible` does, BlobUnknown.
        """

        def work(connection: Connection) -> tuple[int, Linked]:
            repository = _visible_to_pusher(connection, caller, name)
            found = blobs.find(connection, repository.id, digest)
            if found is None:
                raise BlobUnknown(f"blob {digest} is not in {name}")
            return repository.id, found

        repository_id, found = self._database.read(work)
        now = self._clock()
        if found.loose_at is not None and found.loose_at < now - self._fresh_s:
            self._database.write(
                lambda connection: blobs.touch_link(connection, repository_id, digest, now=now)
            )
            # a sweep may have been quicker than the renewal
            self._database.read(work)
        return found.size, found.loose_at is None

    def blob(self, caller: Caller, name: str, digest: Digest) -> Blob:
        """Give a blob for reading. Raises: what `visible` does, BlobUnknown."""

        def work(connection: Connection) -> Linked:
            found = blobs.find(connection, visible(connection, caller, name).id, digest)
            if found is None:
                raise BlobUnknown(f"blob {digest} is not in {name}")
            return found

        found = self._database.read(work)
        return Blob(digest, found.size, found.place)

    def begin(self, caller: Caller, name: str, *, length: int = 0) -> str:
        """Begin an upload of `length` bytes, if that is known; give its id.

        The repository is made if need be.
        Raises: RepositoryNameInvalid, LoginRequired, PushDenied, QuotaExceeded.
        """
        self._let_in(caller, name, length)
        upload = str(uuid.uuid4())
        self._storage.begin(upload)
        now = self._clock()

        def work(connection: Connection) -> None:
            repository = repositories.ensure(connection, name, now=now)
            blobs.add_upload(connection, upload, repository.id, account=caller.name, now=now)

        # A client is told where to send bytes, and promised nothing yet.
        self._database.write(work, durable=False)
        return upload

    def open(self, caller: Caller, name: str) -> str:
        """Begin an upload that is its id alone until something of it comes, unless too many are; give that.

        Raises: what `begin` does.
        """
        if self._openings.is_full:
            return self.begin(caller, name)
        is_first = self._let_in(caller, name, 0)
        return self._openings.begin(name, caller.name, is_first=is_first)

    def take(self, caller: Caller, name: str, digest: Digest, data: bytes) -> None:
        """Keep a small blob that came whole. On return it is durable.

        Blobs that come at the same time share one commit of the database.
        Raises: RepositoryNameInvalid, LoginRequired, PushDenied, DigestDisagrees, QuotaExceeded.
        """
        self._let_in(caller, name, len(data))
        upload, now = str(uuid.uuid4()), self._clock()
        is_noted = not self._storage.finds_strays
        if is_noted:
            self._database.write(
                lambda connection: blobs.keep_leftover(connection, "", upload, now=now), alone=False
            )
        kept = self._storage.take(upload, digest, data)

        def work(connection: Connection) -> None:
            if is_noted:
                blobs.save_leftover(connection, upload)
            repository = repositories.ensure(connection, name, now=now)
            blobs.add(connection, repository.id, digest, kept, now=now)

        try:
            self._database.write(work)
        except QuotaExceeded:
            if not is_noted:
                self._storage.drop_upload(upload)
            raise
        self._storage.shelve(digest, kept.place)

    def _let_in(self, caller: Caller, name: str, length: int) -> bool:
        """Let who may push pass, where there is room for `length` bytes; tell whether the repository is to be made."""
        check_repository(name)

        def work(connection: Connection) -> tuple[Repository | None, Standing]:
            found = _to_push(connection, caller, name)
            return found, quotas.standing(connection, name)

        repository, standing = self._database.read(work)
        check_room(standing, self._storage, wanted=length)
        return repository is None

    def room(self, upload: Upload, name: str, *, length: int = 0, total: int = 0) -> int | None:
        """Give how many bytes the upload may have in all; None: any number.

        One that has no room for `length` more, or for `total`, is dropped.
        Raises: QuotaExceeded, UploadUnknown.
        """
        standing = self._database.read(lambda connection: quotas.standing(connection, name))
        if not standing:
            return None
        wanted = max(total, self._storage.received(upload.id) + length)
        try:
            return check_room(
                standing, self._storage, besides=upload.id, wanted=wanted, is_open=bool(total)
            )
        except QuotaExceeded:
            self.cancel(upload)
            raise

    def mount(self, caller: Caller, name: str, digest: Digest, source: str) -> bool:
        """Link a blob that `caller` may pull elsewhere (`source`, or anywhere when empty).

        False means: upload it. It says nothing about which of the two reasons there was.
        Raises: RepositoryNameInvalid, LoginRequired, PushDenied, QuotaExceeded.
        """
        check_repository(name)
        now = self._clock()
        # a token must have been given for the source too, unless everyone may pull that
        reader = caller.reader_of(source)

        def work(connection: Connection) -> bool:
            _to_push(connection, caller, name)
            found = blobs.find_source(
                connection,
                digest,
                repository=source,
                reader=reader,
            )
            if found is None:
                return False
            repository = repositories.ensure(connection, name, now=now)
            blobs.link(connection, repository.id, digest, now=now)
            return True

        return self._database.write(work)

    def find(self, caller: Caller, name: str, upload: str) -> Upload:
        """Give an upload of a repository one may push to.

        Raises: what `visible` does, UploadUnknown.
        """

        def work(connection: Connection) -> Upload:
            return blobs.upload(connection, upload, visible(connection, caller, name, "push").id)

        if self._openings.is_open(upload, name):
            self._note(caller, Opening(upload, name, caller.name, self._clock()))
        found = self._database.read(work)
        if found.touched_at < self._clock() - self._fresh_s:
            self.renew([upload])  # it rested for a while, and a sweep may be about to take it
            found = self._database.read(work)
        return found

    def note_rested(self, *, for_s: float) -> None:
        """Give uploads their rows that were begun so long ago, and of which nothing came yet."""
        for each in self._openings.rested(for_s=for_s):
            self._note(None, each)

    def _note(self, caller: Caller | None, opening: Opening) -> None:
        """Give an upload its row that has none, unless it has become something in another process, or its repository went.

        Raises: RepositoryNameInvalid, LoginRequired, PushDenied (none of them without `caller`).
        """
        name, now = check_repository(opening.repository), self._clock()

        def work(connection: Connection) -> bool:
            if caller is not None:
                _to_push(connection, caller, name)
            elif not opening.is_first and repositories.find(connection, name) is None:
                return False  # it was deleted, and its uploads with it
            if blobs.is_place_known(connection, opening.id):
                return False
            repository = repositories.ensure(connection, name, now=now)
            blobs.add_upload(
                connection, opening.id, repository.id, account=opening.account, now=now
            )
            return True

        with self._note_of(opening.id):  # the second finds a row and a file
            if caller is None and not self._openings.is_resting(opening.id):
                return  # it came meanwhile, and may be without a row
            if self._database.write(work, durable=False):
                if self._storage.finds_strays:
                    self._storage.drop_upload(opening.id)  # what a power cut left, without its row
                self._storage.begin(opening.id)
            self._openings.close(opening.id)

    def _note_of(self, upload: str) -> threading.Lock:
        """Give what is held by whoever gives an upload its row, or finds out that it needs none."""
        return self._noting[hash(upload) % _NOTING]

    def closing(self) -> frozenset[str]:
        """Give the uploads that this process turns into blobs now."""
        return frozenset(self._closing.copy())

    def renew(self, uploads: Collection[str]) -> None:
        """Note that uploads go on: this process receives them or turns them into blobs."""
        now = self._clock()
        if uploads:
            self._database.write(
                lambda connection: blobs.renew_uploads(connection, uploads, now=now), alone=False
            )

    def touch(self, upload: Upload) -> None:
        """Note that an upload goes on."""
        now = self._clock()
        self._database.write(
            lambda connection: blobs.touch_upload(connection, upload.id, now=now),
            alone=False,
            durable=False,
        )

    def append(
        self, caller: Caller, name: str, upload_id: str, data: bytes, *, last: Digest | None = None
    ) -> tuple[Upload, int]:
        """Append a few bytes that came whole to an upload that nobody else sends to.

        `last` is the blob's digest where they end it: bytes that are all of it are not appended to
        others. They come again, after an answer that said so, and those that are there are verified.
        Gives the upload and its offset after them.
        Raises: what `find` does, UploadTaken, QuotaExceeded (the upload is dropped).
        """
        upload = self.find(caller, name, upload_id)
        self.room(upload, name, length=len(data))
        incoming = self._storage.resume(upload_id)
        try:
            if last is None or not incoming.offset or not _is_of(last, data):
                incoming.write([data])
        finally:
            incoming.close()
        return upload, incoming.offset

    def append_and_finish(
        self, caller: Caller, name: str, upload_id: str, data: bytes, digest: Digest
    ) -> None:
        """Do `append` and `finish`; on return the blob is durable. Raises: what those do."""
        with self._note_of(upload_id):
            is_open = self._openings.is_open(upload_id, name)
            self._openings.finish(upload_id)
        if not (is_open and self._take_opened(caller, name, upload_id, data, digest)):
            upload, _ = self.append(caller, name, upload_id, data, last=digest)
            self.finish(upload, digest)

    def _take_opened(
        self, caller: Caller, name: str, upload: str, data: bytes, digest: Digest
    ) -> bool:
        """Keep a small blob that came whole to an upload of which nothing came before.

        False: nothing was done, since something is in the way that the long way has the words for.
        Raises: what `visible` does, UploadUnknown, QuotaExceeded.
        """
        now, is_noted = self._clock(), not self._storage.finds_strays
        is_kept = False

        def claim(connection: Connection) -> bool:
            _to_push(connection, caller, name)
            is_limited = bool(quotas.of_repository(connection, name))
            return not is_limited and blobs.claim_upload(connection, upload, now=now)

        if is_noted and not (_is_of(digest, data) and self._database.write(claim, alone=False)):
            return False
        try:
            kept = self._storage.take(upload, digest, data)
        except (FileExistsError, DigestDisagrees):  # another is at it, or was killed
            return False

        def work(connection: Connection) -> bool:
            repository = _to_push(connection, caller, name)
            if is_noted:
                blobs.save_leftover(connection, upload)
            elif quotas.of_repository(connection, name) or blobs.is_place_known(connection, upload):
                return False
            repository = repository or repositories.ensure(connection, name, now=now)
            blobs.add(connection, repository.id, digest, kept, now=now)
            return True

        try:
            is_kept = self._database.write(work)
        except Unavailable:
            is_kept = True  # for all that is known; what has no row after all, a sweep takes
            raise
        finally:
            if not is_kept and not is_noted:
                self._storage.drop_upload(upload)
        if is_kept:
            self._openings.close(upload)
            self._storage.shelve(digest, kept.place)
        return is_kept

    def finish(self, upload: Upload, digest: Digest) -> int:
        """Turn an upload into a blob; give its size. On return it is durable.

        Raises: DigestDisagrees and QuotaExceeded (the upload is dropped), UploadUnknown.
        """
        self._closing.add(upload.id)
        try:
            kept = self._commit(upload, digest)
            now = self._clock()
            self._database.write(
                lambda connection: blobs.finish_upload(connection, upload, digest, kept, now=now)
            )
        except QuotaExceeded:
            self.cancel(upload)
            raise
        finally:
            self._closing.discard(upload.id)
        self._storage.shelve(digest, kept.place)
        return kept.size

    def _commit(self, upload: Upload, digest: Digest) -> Kept:
        try:
            return self._storage.commit(upload.id, digest)
        except (DigestDisagrees, UploadUnknown):
            self._forget(upload)
            raise

    def cancel(self, upload: Upload) -> None:
        """Drop an upload."""
        self._forget(upload)
        self._storage.drop_upload(upload.id)

    def _forget(self, upload: Upload) -> None:
        now = self._clock()

        def work(connection: Connection) -> None:
            if blobs.remove_upload(connection, upload.id):
                blobs.keep_leftover(connection, "", upload.id, now=now)

        self._database.write(work)


def _to_push(connection: Connection, caller: Caller, name: str) -> Repository | None:
    """Give the repository that `caller` may push to, if it is there. Raises: LoginRequired, PushDenied, NameUnknown."""
    repository = repositories.find(connection, name)
    admit(connection, caller, name, repository, "push")
    return repository


def _is_of(digest: Digest, data: bytes) -> bool:
    return hashlib.new(digest.algorithm, data).hexdigest() == digest.hex


def _visible_to_pusher(connection: Connection, caller: Caller, name: str) -> Repository:
    """Give the repository; a login that is missing is asked for pushing at once.

    Asking for a blob's size is how a push begins, and some clients keep their first token for
    the whole push whatever later challenges say.
    """
    try:
        return visible(connection, caller, name)
    except LoginRequired as error:
        raise LoginRequired(
            error.message,
            scope=f"repository:{name}:pull,push",
            insufficient=error.insufficient,
        ) from error
