"""One large blob over several connections, given to its reader in order.

Some registries and networks give each connection little. A blob that comes slowly is therefore
fetched in parts, each by a thread of its own, ahead of the reader and onto the disk: a process
that is killed leaves the parts to the next. Where the first part comes fast, or the registry gives
no ranges, it stays with one connection. Nothing is verified here: the reader does, as a whole.
"""

from threading import Condition, Thread
from time import monotonic
from types import TracebackType

from lamina.remote.blobs import RangesRefused
from lamina.stream.verify import CHUNK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from lamina.remote.blobs import BlobReader
    from lamina.remote.repository import Repository
    from lamina.spec.descriptor import Descriptor
    from lamina.store.spares import Spare, Spares

__all__ = ["FAST", "LARGE", "PartedBlob"]

LARGE = 16 * 1024 * 1024
"""Bytes from which on a blob is worth more than one connection."""
FAST = 32 * 1024 * 1024
"""Bytes a second from which on one connection is enough."""
_PART = 4 * 1024 * 1024
_PIECE = 64 * 1024  # what a killed process loses of each connection
_CREW = 4
_AHEAD = 8  # parts on the disk at most: what the reader has not taken yet


class _Part:
    """One part on its way: `[begin, end)`, on disk in `spare` once somebody fetches it."""

    def __init__(self, begin: int, end: int) -> None:
        self.begin = begin
        self.end = end
        self.spare: Spare | None = None
        self.failure: Exception | None = None

    @property
    def reached(self) -> int:
        """The byte of the blob up to which the part is there."""
        return self.begin + (self.spare.size if self.spare else 0)


class PartedBlob:
    """The bytes of a blob from `offset` on; a context manager. One thread reads it.

    Raises on `read`: what `Repository.blob` and its reader raise, and DiskFull.
    """

    def __init__(
        self,
        repository: "Repository",
        descriptor: "Descriptor",
        offset: int,
        spares: "Spares",
        *,
        fast: float = FAST,
    ) -> None:
        self.offset = offset
        self._repository = repository
        self._descriptor = descriptor
        self._spares = spares
        self._fast = fast
        self._single: BlobReader | None = None
        self._trial_s = 0.0
        self._trial = min(self._next_border(offset + _PART), descriptor.size) - offset
        self._news = Condition()
        self._stopped = False
        self._parts: list[_Part] = []
        self._taken = 0  # parts the reader is done with
        self._claimed = 0

    def __enter__(self) -> "Self":
        return self

    def open(self) -> "Self":
        """Ask now, so that a missing blob is known here and not at the first read."""
        left = self._spares.found()
        if left:
            self._divide(left)
            return self
        end = self.offset + self._trial
        try:
            self._single = self._repository.part(self._descriptor, self.offset, end)
        except RangesRefused:
            self._go_alone()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Tell the crew to stop; its threads end with their next piece, or when the sockets are cut."""
        self._dismiss()
        if self._single is not None:
            self._single.close()
        if self.offset == self._descriptor.size:
            self._spares.drop()

    def read(self, size: int = -1, /) -> bytes:
        """Give the next bytes, at most `size`, fewer when the network is slow; none at the end."""
        if size < 0:
            pieces = []
            while piece := self.read(CHUNK):
                pieces.append(piece)
            return b"".join(pieces)
        if not size or self.offset == self._descriptor.size:
            return b""
        piece = self._from_parts(size) if self._parts else self._from_single(size)
        self.offset += len(piece)
        return piece

    # one connection

    def _from_single(self, size: int) -> bytes:
        reader = self._single
        if reader is None:
            return self._go_alone().read(size)
        started = monotonic()
        piece = reader.read(size)
        self._trial_s += monotonic() - started
        if piece:
            return piece
        # The trial is over: the part is read, and there is more.
        if self._trial >= self._fast * self._trial_s:
            return self._go_alone().read(size)
        self._single = None
        self._divide({})
        return self._from_parts(size)

    def _go_alone(self) -> "BlobReader":
        self._single = self._repository.blob(self._descriptor, self.offset)
        return self._single

    # several

    def _divide(self, left: "Mapping[int, int]") -> None:
        """Cut the rest into parts and send the crew. `left`: begins and sizes an earlier process left.

        Borders are the same in every process; only a first part may begin elsewhere.
        """
        size, begin = self._descriptor.size, self.offset
        for each, length in left.items():
            if each <= self.offset <= each + length and self.offset < self._next_border(each + 1):
                begin = each
        parts = []
        while begin < size:
            end = min(self._next_border(begin + 1), size)
            parts.append(_Part(begin, end))
            begin = end
        with self._news:
            self._parts = parts
        for number in range(min(_CREW, len(parts))):
            Thread(target=self._work, name=f"range-{number}", daemon=True).start()

    def _next_border(self, position: int) -> int:
        return -(-position // _PART) * _PART

    def _from_parts(self, size: int) -> bytes:
        """Give what is there of the part whose turn it is; wait for it."""
        while True:
            part = self._parts[self._taken]
            if self.offset < part.end:
                break
            self._done_with(part)
        with self._news:
            while part.reached <= self.offset and part.failure is None:
                self._news.wait()
            failure = part.failure if part.reached <= self.offset else None
        if isinstance(failure, RangesRefused):
            self._dismiss()
            return self._go_alone().read(size)
        if failure is not None:
            raise failure
        assert part.spare is not None  # noqa: S101 - it has reached further
        return part.spare.read(
            self.offset - part.begin, min(size, CHUNK, part.reached - self.offset)
        )

    def _dismiss(self) -> None:
        """End the crew's work; from here on nobody writes, so the parts' files may be closed."""
        with self._news:
            self._stopped = True
            self._news.notify_all()
            parts, self._parts = self._parts, []
        for part in parts:
            if part.spare is not None:
                part.spare.close()

    def _done_with(self, part: _Part) -> None:
        if part.spare is not None:
            part.spare.discard()
        with self._news:
            self._taken += 1
            self._news.notify_all()

    def _work(self) -> None:
        """Fetch one part after another until there is none, or the reader has gone."""
        while (part := self._claim()) is not None:
            try:
                self._fetch(part)
            except Exception as error:  # noqa: BLE001 - the reader raises it when its turn comes
                with self._news:
                    part.failure = error
                    self._news.notify_all()
                return

    def _claim(self) -> _Part | None:
        with self._news:
            while not self._stopped and self._claimed >= self._taken + _AHEAD:
                self._news.wait()
            if self._stopped or self._claimed == len(self._parts):
                return None
            self._claimed += 1
            return self._parts[self._claimed - 1]

    def _fetch(self, part: _Part) -> None:
        spare = self._spares.open(part.begin)
        part.spare = spare
        if not self._put(spare, b""):
            spare.close()
        elif part.reached < part.end:
            with self._repository.part(self._descriptor, part.reached, part.end) as reader:
                while (piece := reader.read(_PIECE)) and self._put(spare, piece):
                    pass

    def _put(self, spare: "Spare", piece: bytes) -> bool:
        """Keep a piece and tell the reader; False when it has gone."""
        with self._news:
            if not self._stopped:
                spare.write(piece)
                self._news.notify_all()
            return not self._stopped
