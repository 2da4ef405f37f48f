"""Read a layer's tar from ranges of its blob, a span at a time; each is checked before it is used."""

import os
from collections import OrderedDict
from contextlib import AbstractContextManager
from hashlib import sha256
from threading import Lock, RLock

from lamina.layer.spans import SeekIndexInvalid
from lamina.stream.codec import CodecError
from lamina.stream.resuming import Resumed
from lamina.stream.verify import Readable
from lamina.values import Protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import BinaryIO

    from lamina.layer.spans import Span

__all__ = ["Ranges", "SpanCache", "SpanReader"]

_PIECE = 128 * 1024
_SLACK = 8  # bytes behind what a span needs, of which a decoder may want to see the first
_AHEAD = 7  # spans that are asked for with one that goes on where the last one ended
_RUN = 32  # spans that one request brings at most


class Ranges(Protocol):
    """Some bytes of a known length that parts can be had of: a blob at a registry, or a file."""

    def open(self, start: int, end: int) -> AbstractContextManager[Readable]:
        """Open the bytes from `start` up to `end`, or more behind. Raises: what reading there raises."""


class SpanCache:
    """The spans that were read lately, of one or several layers, up to `limit` bytes of them.

    Several threads may use one: each layer has one reader at a time, but the cache is of all.
    """

    def __init__(self, limit: int = 48 * 1024 * 1024) -> None:
        self._limit = limit
        self._lock = Lock()
        self._held = 0
        self._spans: OrderedDict[tuple[int, int], bytes] = OrderedDict()

    def get(self, key: tuple[int, int]) -> bytes | None:
        """Give a span that is here."""
        with self._lock:
            found = self._spans.get(key)
            if found is not None:
                self._spans.move_to_end(key)
            return found

    def put(self, key: tuple[int, int], data: bytes) -> None:
        """Keep a span; the ones that were not wanted longest go."""
        with self._lock:
            if key in self._spans:
                return
            self._spans[key] = data
            self._held += len(data)
            while self._held > self._limit and len(self._spans) > 1:
                self._held -= len(self._spans.popitem(last=False)[1])


class SpanReader:
    """The tar of one layer, by ranges of its blob. Any number of threads; one at a time reads.

    `window` gives what a span's window holds. Spans that follow each other come with one request.
    """

    def __init__(
        self,
        spans: "Sequence[Span]",
        *,
        codec: str,
        blob: Ranges,
        blob_size: int,
        window: "Callable[[Span], bytes]",
        cache: SpanCache | None = None,
    ) -> None:
        self._spans = spans
        self._starts = [span.at for span in spans]
        self._codec = codec
        self._blob = blob
        self._blob_size = blob_size
        self._window = window
        self._cache = cache or SpanCache()
        self._lock = RLock()
        self._passed = _Passed()
        self._run: _Run | None = None
        self._ahead = 0  # spans behind the wanted one that are asked for as well
        self._expected = -1  # the span that whoever reads on will miss next

    def close(self) -> None:
        """Drop a connection that may go on."""
        with self._lock:
            self._stop()
            self._passed.close()

    def pieces(self, start: int, end: int) -> "Iterator[bytes]":
        """Give the bytes of the tar from `start` up to `end`, a span's at most at a time.

        Raises: SeekIndexInvalid (the blob has other bytes there), and what the ranges raise.
        """
        from bisect import bisect_right

        number = bisect_right(self._starts, start) - 1
        while start < end:
            if not 0 <= number < len(self._spans):
                raise SeekIndexInvalid(f"nothing is at byte {start} of the tar")
            span = self._spans[number]
            data = self._span(number, end)
            piece = data[start - span.at : end - span.at]
            yield piece
            start += len(piece)
            number += 1

    def _span(self, number: int, end: int) -> bytes:
        """Give one span; where it has to be fetched, those up to `end` will be next."""
        key = (id(self), number)
        with self._lock:
            found = self._cache.get(key) or self._passed.get(self._spans[number])
            if found is not None:
                return found
            if self._run is None or not self._run.reaches(number):
                self._stop()
                self._run = self._begin(number, end)
            try:
                data = self._run.take(number)
            except BaseException:
                self._stop()
                raise
            if self._run.ended:
                self._stop()
            self._cache.put(key, data)
            return data

    def _begin(self, number: int, end: int) -> "_Run":
        """Ask for span `number` and those behind it up to byte `end`, from where decoding begins."""
        spans, last = self._spans, number
        self._ahead = min(2 * self._ahead + 1, _AHEAD) if number == self._expected else 0
        most = min(number + _RUN, len(spans)) - 1
        while last < most and (spans[last + 1].at < end or last - number < self._ahead):
            last += 1
        self._expected = last + 1
        first = number
        while not spans[first].begins:
            first -= 1
        # What follows without a beginning of its own is decoded on from here, if it is wanted soon.
        until = last
        while until + 1 < len(spans) and not spans[until + 1].begins:
            until += 1
        span = spans[first]
        machine = Resumed(self._codec, span.point(self._window(span) if span.windowed else None))
        stop = min(spans[until].needed + _SLACK, self._blob_size)
        source = self._blob.open(machine.start, stop)
        return _Run(spans, first, until, machine, source, passed=self._passed)

    def _stop(self) -> None:
        if self._run is not None:
            run, self._run = self._run, None
            run.close()


class _Passed:
    """The spans that were decoded where it cannot begin at each: in a file without a name, if there are any.

    To come to one of them again its blob would be fetched from where decoding can begin: of zstd in one
    frame, from its start.
    """

    def __init__(self) -> None:
        self._file: BinaryIO | None = None
        self._places: dict[int, int] = {}
        self._end = 0

    def __del__(self) -> None:
        self.close()  # of readers that nobody closed, as they had no connection open

    def close(self) -> None:
        """Drop them."""
        self._places.clear()
        if self._file is not None:
            self._file.close()
            self._file = None

    def get(self, span: "Span") -> bytes | None:
        """Give a span that was passed."""
        place = self._places.get(span.at)
        if place is None or self._file is None:
            return None
        return os.pread(self._file.fileno(), span.size, place)

    def put(self, span: "Span", data: bytes) -> None:
        """Keep a span, whose sum was looked at; without room for it, it is decoded again."""
        if span.at in self._places:
            return
        if self._file is None:
            from tempfile import TemporaryFile

            self._file = TemporaryFile(buffering=0)  # noqa: SIM115 - closed by `close`
        view, at = memoryview(data), self._end
        try:
            while view:
                done = os.pwrite(self._file.fileno(), view, at)
                view, at = view[done:], at + done
        except OSError:
            return
        self._places[span.at], self._end = self._end, at


class _Run:
    """Spans that are being decoded one after another, from `first` to `until`."""

    def __init__(
        self,
        spans: "Sequence[Span]",
        first: int,
        until: int,
        machine: Resumed,
        source: AbstractContextManager[Readable],
        *,
        passed: _Passed,
    ) -> None:
        self._passed = passed
        self._spans = spans
        self._next = first
        self._until = until
        self._machine = machine
        self._source = source
        self._plain = self._decoded(source.__enter__())
        self._over = b""

    def close(self) -> None:
        self._source.__exit__(None, None, None)

    @property
    def ended(self) -> bool:
        """Whether nothing more is to come: then the connection can be used for something else."""
        return self._next > self._until

    def reaches(self, number: int) -> bool:
        """Tell whether going on comes to span `number` sooner than beginning anew would."""
        if not self._next <= number <= self._until:
            return False
        return not any(span.begins for span in self._spans[self._next + 1 : number + 1])

    def take(self, number: int) -> bytes:
        """Decode up to span `number` and give it, checked."""
        while True:
            here = self._next
            data = self._one()
            if not all(span.begins for span in self._spans[here : here + 2]):
                self._passed.put(self._spans[here], data)
            if here == number:
                return data

    def _one(self) -> bytes:
        """Decode the next span, and check it."""
        span = self._spans[self._next]
        data = self._read(span.size)
        if sha256(data).digest() != span.digest:
            raise SeekIndexInvalid(f"the blob has other bytes for the tar's {span.at} and on")
        self._next += 1
        return data

    def _decoded(self, source: Readable) -> "Iterator[bytes]":
        while data := source.read(_PIECE):
            yield from self._machine.feed(data)

    def _read(self, size: int) -> bytes:
        return b"".join(self._pieces(size))

    def _pieces(self, size: int) -> "Iterator[bytes]":
        """Give the next `size` bytes. Raises: SeekIndexInvalid."""
        while size:
            if not self._over:
                try:
                    self._over = next(self._plain, b"")
                except CodecError as error:
                    raise SeekIndexInvalid(f"the blob does not decode there: {error}") from error
                if not self._over:
                    raise SeekIndexInvalid("the blob gives fewer bytes than it should")
            piece, self._over = self._over[:size], self._over[size:]
            size -= len(piece)
            yield piece
