"""Spans: a layer's tar cut into pieces of a few MiB, each with where in the blob it is, and its sum.

A span begins where decoding can, as far as the blob has such places; else it is reached by decoding
the spans before it. docs/seek-index.md has the form on the wire.
"""

from hashlib import sha256
from struct import Struct

from lamina.errors import Corrupt
from lamina.stream.seek_points import Point
from lamina.values import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lamina.stream.seek_points import Finder

__all__ = ["EVERY", "ROW", "WINDOW_LIMIT", "SeekIndexInvalid", "Span", "SpanCutter", "read_spans"]

EVERY = 2 * 1024 * 1024
"""Plain bytes between two places where decoding begins: the most that one small file costs."""

LIMIT = 2 * EVERY
ROW = Struct("<IBBxxQQQI32s")
"""Size, flags, bits, packed_at, needed, and place and size of the window in the index; the sum."""

WINDOW_LIMIT = 32 * 1024
_BEGINS, _WINDOWED = 1, 2
_MOST_BITS = 7


class SeekIndexInvalid(Corrupt):
    """A seek index that contradicts itself, or the bytes that it is about."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"seek index: {what}", hint="make it again (`lamina index`), or pull the image"
        )


class Span(NamedTuple):
    """A piece of the tar from `at`, `size` bytes with the sum `digest` (SHA-256).

    Decoding it reads the blob up to `needed`. Where it `begins`, it does so at `packed_at` and
    `bits` (see `Point`), with the window that lies at `window_at` of the index where that has a size.
    """

    at: int
    size: int
    digest: bytes
    needed: int
    begins: bool
    packed_at: int = 0
    bits: int = 0
    windowed: bool = False
    window_at: int = 0
    window_size: int = 0

    def pack(self) -> bytes:
        """Give its row of the table."""
        flags = _BEGINS * self.begins | _WINDOWED * self.windowed
        return ROW.pack(
            self.size, flags, self.bits, self.packed_at, self.needed, self.window_at,
            self.window_size, self.digest,
        )  # fmt: skip

    def point(self, window: bytes | None) -> Point:
        """Give the place to decode from, with what its window holds."""
        return Point(self.at, self.packed_at, self.bits, window if self.windowed else None)


def read_spans(table: bytes, *, tar_size: int, blob_size: int, room: int) -> tuple[Span, ...]:
    """Read a table of rows and check them against each other; `room` is where windows end.

    Raises: SeekIndexInvalid.
    """
    if len(table) % ROW.size:
        raise SeekIndexInvalid("its table of spans is cut short")
    spans: list[Span] = []
    at = reached = 0
    for row in ROW.iter_unpack(table):
        span = _read(at, row)
        before = spans[-1] if spans else None
        if not (
            _is_possible(span, before, room)
            and span.size <= LIMIT
            and reached <= span.needed <= blob_size
        ):
            raise SeekIndexInvalid(f"span {len(spans)} is none")
        spans.append(span)
        at, reached = at + span.size, span.needed
    if at != tar_size:
        raise SeekIndexInvalid(f"its spans have {at} bytes where the layer has {tar_size}")
    return tuple(spans)


def _read(at: int, row: tuple[int, int, int, int, int, int, int, bytes]) -> Span:
    size, flags, bits, packed_at, needed, window_at, window_size, digest = row
    if not flags & _BEGINS:
        return Span(at, size, digest, needed, begins=False)
    windowed = bool(flags & _WINDOWED)
    return Span(
        at, size, digest, needed, bool(flags), packed_at, bits, windowed, window_at, window_size
    )  # fmt: skip


def _is_possible(span: Span, before: Span | None, room: int) -> bool:
    """Tell whether a span can follow `before`, and begin where it says it does."""
    if not span.size or not span.begins:
        return bool(span.size) and before is not None
    return (
        span.bits <= _MOST_BITS
        and bool(span.bits) <= span.packed_at <= span.needed
        and span.window_at + span.window_size <= room
        and span.window_size <= 2 * WINDOW_LIMIT  # packed: it is fetched whole
        and (span.windowed or not (span.bits or span.window_size))
    )


class SpanCutter:
    """Decode a blob once, front to back, and cut its tar into spans.

    `keep` is given each window and tells where in the index it lies, and how large.
    """

    def __init__(
        self, finder: "Finder", keep: "Callable[[bytes], tuple[int, int]]", *, limit: int = LIMIT
    ) -> None:
        self._finder = finder
        self._limit = limit
        self._keep = keep
        self._start: Point | None = None
        self._place = (0, 0)
        self._sum = sha256()
        self._size = 0
        self._at = 0
        self.spans: list[Span] = []

    def feed(self, data: bytes) -> "Iterator[bytes]":
        """Take bytes of the blob; give those of the tar. Raises: CodecError."""
        for item in self._finder.feed(data):
            if isinstance(item, Point):
                self._cut()
                self._start = item
                self._place = self._keep(item.window) if item.window else (0, 0)
                continue
            rest = memoryview(item)
            while len(rest) > (room := self._limit - self._size):
                self._take(rest[:room])
                self._cut()
                rest = rest[room:]
            self._take(rest)
            yield item

    def finish(self) -> tuple[Span, ...]:
        """Give all spans. Raises: CodecError (the blob is not complete)."""
        self._finder.finish()
        self._cut()
        return tuple(self.spans)

    def _take(self, data: memoryview) -> None:
        self._sum.update(data)
        self._size += len(data)

    def _cut(self) -> None:
        """End the span that is being made, if there is anything of it."""
        start, self._start = self._start, None
        if not self._size:
            self._start = start
            return
        begins = start is not None
        packed_at, bits = (start.packed_at, start.bits) if start else (0, 0)
        windowed = start is not None and start.window is not None
        self.spans.append(
            Span(
                self._at, self._size, self._sum.digest(), self._finder.needed, begins, packed_at, bits,
                windowed, *(self._place if windowed else (0, 0)),
            )
        )  # fmt: skip
        self._at += self._size
        self._sum, self._size = sha256(), 0
