"""Bytes in a bucket, `<upload>/…`, written by any process of a hub.

What comes in is cut into parts of an S3 upload; what is left at a request's end becomes a *tail*, an
object of its own, and the database says how far all that is. So any process goes on where another
ended or died, and whoever is late is shut out by their number. A blob smaller than a part is its tail;
a larger one is its parts joined. Neither is copied, and nothing counts before its row is written.

SHA-256 runs along and is noted at each request's end. Where an upload goes on in another process than
before, or has another algorithm, its bytes are read once more when it is closed.
"""

import contextlib
import hashlib
import io
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, cast

from lamina.errors import Unavailable
from lamina.hub.database import Database
from lamina.hub.errors import BlobUnknown, ObjectMissing, UploadUnknown
from lamina.hub.storage.bucket import Bucket
from lamina.hub.storage.hashes import Hash, Hashes, compare
from lamina.hub.tables import progress
from lamina.hub.tables.blobs import Kept
from lamina.hub.tables.progress import Progress, Segment
from lamina.spec.digest import Digest

__all__ = ["S3Storage", "part_size"]

_MIB = 1024 * 1024
_SMALL_PARTS = 1000
_WINDOW = 8 * _MIB
_LINKS = 10_000
_READ_TRIES = 3


def part_size(number: int) -> int:
    """Give the bytes of part `number` (from 1): S3 takes 10,000 of them, a blob may be large.

    Each byte of an upload has its part, whoever writes it: one that is sent again, by a process
    that came late, is the same.
    """
    return 8 * _MIB if number <= _SMALL_PARTS else 64 * _MIB


class _S3Incoming:
    """One process's hand on an upload: it gathers a part, sends it, notes it."""

    def __init__(self, storage: "S3Storage", upload: str, state: Progress) -> None:
        self._storage = storage
        self._upload = upload
        self._writer = state.writer
        self._multipart = state.multipart
        self._tail = state.tail
        self._number = len(state.segments) + 1
        self._pieces: list[bytes] = []
        self._gathered = 0
        self._sent = sum(each.size for each in state.segments)
        self._hash = storage.hashes.recall(upload, state.received)
        self._is_changed = self._is_lost = False
        self.offset = state.received

    def write(self, pieces: Sequence[bytes]) -> None:
        """Gather; send each part that is full. Raises: UploadTaken, Unavailable."""
        if self._tail:
            self._take_in_tail()
        self._is_changed = True
        for piece in pieces:
            if self._hash is not None:
                self._hash.update(piece)
            self._pieces.append(piece)
            self._gathered += len(piece)
            self.offset += len(piece)
        while self._gathered >= part_size(self._number):
            try:
                self._send_part()
            except BaseException:
                self._is_lost = True  # what is gathered counts no more: its parts have a gap
                raise

    def close(self) -> None:
        """Keep what is left as the tail, and note how far it is. Raises: UploadTaken, Unavailable."""
        if self._is_lost or not self._is_changed:
            return
        rest = b"".join(self._pieces)
        tail = f"{self._upload}/{self._writer}" if rest else ""
        if rest:
            self._storage.bucket.put(tail, rest)
        running = self._hash.hexdigest() if self._hash is not None else ""
        self._note(self.offset, running=running, tail=tail, segment=None)
        if self._hash is not None:
            self._storage.hashes.remember(self._upload, self.offset, self._hash)

    def _take_in_tail(self) -> None:
        self._pieces = [self._storage.read_all(self._tail)]
        self._gathered = len(self._pieces[0])
        self._tail = ""

    def _send_part(self) -> None:
        size = part_size(self._number)
        part, rest = _cut(self._pieces, size)
        bucket, key = self._storage.bucket, _joined(self._upload)
        if not self._multipart:
            self._multipart = bucket.begin_parts(key)
        etag = bucket.put_part(key, self._multipart, self._number, part)
        self._sent += size
        self._note(self._sent, running="", tail="", segment=Segment(self._number, etag, size))
        self._number += 1
        self._pieces, self._gathered = rest, self._gathered - size

    def _note(self, received: int, *, running: str, tail: str, segment: Segment | None) -> None:
        now = self._storage.clock()
        self._storage.database.write(
            lambda connection: progress.note(
                connection, self._upload, self._writer, received=received, running=running,
                multipart=self._multipart, tail=tail, segment=segment, now=now,
            ),
            alone=False,
        )  # fmt: skip


def _cut(pieces: list[bytes], size: int) -> tuple[bytes, list[bytes]]:
    """Give the first `size` bytes as one, copied once, and the pieces after them."""
    rest: list[bytes] = []
    left = sum(map(len, pieces)) - size
    while left:
        last = pieces.pop()
        if len(last) > left:
            pieces.append(last[: len(last) - left])
            last = last[len(last) - left :]
        rest.insert(0, last)
        left -= len(last)
    return b"".join(pieces), rest


@dataclass(frozen=True, slots=True)
class _Link:
    url: str
    until: float


class S3Storage:
    """Storage in one bucket, with the database's word for how far uploads are."""

    finds_strays = False

    def __init__(self, bucket: Bucket, database: Database, *, clock: Callable[[], float]) -> None:
        self.bucket = bucket
        self.database = database
        self.clock = clock
        self.hashes = Hashes()
        self._links: OrderedDict[str, _Link] = OrderedDict()
        self._guard = threading.Lock()

    def begin(self, upload: str) -> None:
        """Do nothing: its row is all there is of an empty upload."""

    def resume(self, upload: str) -> _S3Incoming:
        """Go on with an upload; whoever did so before is shut out. Raises: UploadUnknown."""
        return _S3Incoming(self, upload, self._enter(upload))

    def received(self, upload: str) -> int:
        """Give the bytes an upload has. Raises: UploadUnknown."""
        return self.database.read(lambda connection: progress.received(connection, upload))

    def commit(self, upload: str, digest: Digest) -> Kept:
        """Verify, and join the parts. Raises: DigestDisagrees, UploadUnknown, Unavailable."""
        state = self._enter(upload)
        if state.running and digest.algorithm == "sha256":
            compare(digest, state.running)
        place = self._join(upload, state) if state.multipart else self._whole(upload, state)
        if not state.running or digest.algorithm != "sha256":
            compare(digest, self._hexdigest(place, digest.algorithm))
        return Kept(place, state.received, has_rest=bool(state.multipart) or state.writer > 2)  # noqa: PLR2004 - the one that wrote it all, and this one

    def take(self, upload: str, digest: Digest, data: bytes) -> Kept:
        """Verify and keep a small blob. Raises: DigestDisagrees, Unavailable."""
        compare(digest, hashlib.new(digest.algorithm, data).hexdigest())
        place = (
            f"{upload}/0.{secrets.token_hex(4)}"  # where nobody else writes who has the upload's id
        )
        self.bucket.put(place, data)
        return Kept(place, len(data))

    def strays(self, *, age_s: float) -> Iterator[str]:  # noqa: ARG002 - each has its row
        """Give nothing: no upload here is without a row or a note in the database."""
        return iter(())

    def shelve(self, digest: Digest, place: str) -> None:
        """Do nothing: bytes stay where they came in."""

    def open(self, digest: Digest, place: str) -> BinaryIO:  # noqa: ARG002 - for messages elsewhere
        """Open a blob for reading. Raises: BlobUnknown, at the first read."""
        return cast("BinaryIO", _S3File(self.bucket, place))

    def link(self, digest: Digest, place: str) -> str:  # noqa: ARG002 - places need no digest here
        """Give a URL by which anyone may fetch the blob for a while; empty: only through us."""
        life_s = self.bucket.address.redirect_s
        if not life_s:
            return ""
        now = time.monotonic()
        with self._guard:
            known = self._links.get(place)
        if known is not None and known.until > now:
            return known.url
        made = _Link(self.bucket.link(place, life_s=life_s), now + life_s / 2)
        with self._guard:
            self._links[place] = made
            while len(self._links) > _LINKS:
                self._links.popitem(last=False)
        return made.url

    def drop(self, leftovers: Sequence[tuple[Digest, str]]) -> None:
        """Drop blobs, a thousand with one request; unknown is fine."""
        self.bucket.remove([place for _, place in leftovers])

    def drop_upload(self, upload: str) -> None:
        """Drop all that is left of an upload; unknown is fine."""
        self.hashes.forget(upload)
        self.bucket.end_parts(f"{upload}/")
        found = list(self.bucket.keys(f"{upload}/"))
        # A blob keeps the object that it came in with; no row can come to name one any more.
        kept = self.database.read(
            lambda connection: {
                key
                for key in found
                if connection.execute("SELECT 1 FROM blobs WHERE place = ?", (key,)).fetchone()
            }
        )
        self.bucket.remove([key for key in found if key not in kept])

    def read_all(self, key: str) -> bytes:
        """Give an object's bytes, at most a part. Raises: Unavailable."""
        try:
            with contextlib.closing(self.bucket.get(key)) as body:
                return self.bucket.read(body, part_size(_SMALL_PARTS + 1))
        except ObjectMissing as error:
            raise Unavailable("a part of this upload is gone", hint="begin it again") from error

    def _enter(self, upload: str) -> Progress:
        return self.database.write(
            lambda connection: progress.enter(connection, upload), alone=False
        )

    def _whole(self, upload: str, state: Progress) -> str:
        """Give the place of a blob that is its tail; an empty one is made now."""
        if state.tail:
            return state.tail
        place = f"{upload}/{state.writer}"
        self.bucket.put(place, b"")
        return place

    def _join(self, upload: str, state: Progress) -> str:
        """Make one object of the parts and the tail; again is fine. Raises: UploadUnknown."""
        key = _joined(upload)
        parts = [(each.number, each.etag) for each in state.segments]
        try:
            if state.tail:
                number = len(parts) + 1
                tail = self.read_all(state.tail)
                parts.append((number, self.bucket.put_part(key, state.multipart, number, tail)))
            self.bucket.join_parts(key, state.multipart, parts)
        except ObjectMissing:
            # joined before, by someone whose row did not come to be written
            with contextlib.suppress(ObjectMissing):
                if self.bucket.size(key) == state.received:
                    return key
            raise UploadUnknown("the upload's parts are gone", hint="begin it again") from None
        return key

    def _hexdigest(self, key: str, algorithm: str) -> str:
        value: Hash = hashlib.new(algorithm)
        with _S3File(self.bucket, key) as file:
            while piece := file.read(_MIB):
                value.update(piece)
        return value.hexdigest()


def _joined(upload: str) -> str:
    """Give the key of the object that an upload's parts become."""
    return f"{upload}/blob"


class _S3File(io.RawIOBase):
    """An object as a file: read in windows, each asked for anew where its connection breaks."""

    def __init__(self, bucket: Bucket, key: str) -> None:
        self._bucket = bucket
        self._key = key
        self._at = 0
        self._body: BinaryIO | None = None
        self._left = 0

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def seekable(self) -> bool:
        """Tell that it can be read from any byte."""
        return True

    def tell(self) -> int:
        """Give where the next byte comes from."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to a byte counted from the start, or from here. Costs nothing."""
        if whence == io.SEEK_END:
            raise io.UnsupportedOperation("its end is known to the database")
        target = offset + (self._at if whence == io.SEEK_CUR else 0)
        if target != self._at:
            self._hang_up()
            self._at = target
        return target

    def read(self, count: int = -1, /) -> bytes:
        """Read up to `count` bytes, fewer at a window's end; none at the end of all.

        Raises: BlobUnknown, Unavailable.
        """
        wanted = count if count >= 0 else _WINDOW
        for _ in range(_READ_TRIES - 1):
            try:
                return self._read(wanted)
            except Unavailable:
                self._hang_up()
        return self._read(wanted)

    def _read(self, count: int) -> bytes:
        while count:
            if self._body is None:
                try:
                    self._body = self._bucket.get(self._key, first=self._at, length=_WINDOW)
                except ObjectMissing as error:
                    raise BlobUnknown("the blob's bytes are not in the storage") from error
                except EOFError:
                    break
                self._left = _WINDOW
            data = self._bucket.read(self._body, min(count, self._left))
            self._at += len(data)
            self._left -= len(data)
            is_end = not data and self._left > 0
            if not data or not self._left:
                self._hang_up()
            if data or is_end:
                return data
        return b""

    def _hang_up(self) -> None:
        if self._body is not None:
            self._body.close()
        self._body, self._left = None, 0

    def close(self) -> None:
        """Let go of the connection."""
        self._hang_up()
        super().close()
