"""Where decoding a compressed stream can begin, found while it is decoded once.

gzip: between two deflate blocks, with the 32 KiB before (as zlib's zran.c does), or where a member
begins. zstd: where a frame begins. Plain: anywhere. Spec: RFC 1951, RFC 1952, RFC 8878.
"""

import zlib

from lamina.errors import Unsupported
from lamina.stream.codec import CodecError
from lamina.values import NamedTuple, Protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from ctypes import CDLL

__all__ = ["Finder", "Point", "finder"]

_GZIP = 31  # zlib's way of saying: gzip header, 32 KiB window
_ROOM = 512 * 1024
_PIECE = 1024 * 1024
_ZERO = 0


class Point(NamedTuple):
    """Where decoding can begin: at plain byte `at`, which byte `packed_at` of the stream gives.

    The upper `bits` bits of the byte before `packed_at` come first. With a `window` it lies within
    a gzip member, and that is what came out before; without one a member, a frame or plain bytes
    begin here.
    """

    at: int
    packed_at: int
    bits: int = 0
    window: bytes | None = None


class Finder(Protocol):
    """A decompressor that tells, between the bytes, where decoding could begin.

    `needed` is how much of the stream suffices for all that came out so far.
    """

    needed: int

    def feed(self, data: bytes, /) -> "Iterator[bytes | Point]":
        """Take `data`; give plain bytes in pieces of at most 1 MiB, and points in their places."""

    def finish(self) -> None:
        """Raise CodecError unless the stream was complete."""


def finder(codec: str, every: int, library: "CDLL | None") -> Finder:
    """Make a finder for `gzip`, `zstd` or ``: a point at the start, then one each `every` plain bytes.

    gzip without `library` (see `stream.libz`) and zstd have points only where a member or frame
    begins; whoever made the stream as one has all of it decoded again for its last byte.
    Raises: Unsupported (unknown codec, or zstd not installed).
    """
    if codec == "gzip":
        if library is None:
            return _Frames(every, lambda: _Member(zlib.decompressobj(_GZIP)), zeros=True)
        return _Blocks(every, library)
    if codec == "zstd":
        from lamina.stream.codec import zstd

        module = zstd()
        return _Frames(every, lambda: _Frame(module), zeros=False)
    if codec == "":
        return _Plain(every)
    raise Unsupported(f"unknown compression {codec!r}", hint="layers are gzip, zstd or plain tar")


class _Plain:
    """No compression: a point wherever one is due."""

    def __init__(self, every: int) -> None:
        self._every = every
        self._due = 0
        self.needed = 0

    def feed(self, data: bytes, /) -> "Iterator[bytes | Point]":
        at = 0
        while at < len(data):
            if self.needed == self._due:
                yield Point(self.needed, self.needed)
                self._due += self._every
            size = min(self._due - self.needed, len(data) - at, _PIECE)
            self.needed += size
            yield data[at : at + size]
            at += size

    def finish(self) -> None:
        """Nothing to check."""


class _Blocks:
    """gzip by libz. Between points it runs freely; where one is due it stops at the next block."""

    def __init__(self, every: int, library: "CDLL") -> None:
        from lamina.stream.libz import Inflate

        self._every = every
        self._machine = Inflate(library, _ROOM)
        self._inside = False
        self._seen = False
        self._at = 0  # plain bytes so far
        self._last = -every  # where the last point was
        self._fed = 0  # bytes of the stream before the data at hand
        self.needed = 0

    def feed(self, data: bytes, /) -> "Iterator[bytes | Point]":
        at = 0
        while at < len(data):
            if not self._inside:
                if self._seen and data[at] == _ZERO:  # padding
                    at = len(data) - len(data[at:].lstrip(b"\0"))
                    continue
                if self._due():
                    yield self._point(Point(self._at, self._fed + at))
                if self._seen:
                    self._machine.reset()
                self._inside = self._seen = True
            at = yield from self._step(data, at)
        self._fed += len(data)

    def _step(self, data: bytes, at: int) -> "Generator[bytes | Point, None, int]":
        from lamina.stream.libz import DONE, FULL

        machine, due = self._machine, self._due()
        room = _ROOM if due else min(_ROOM, self._last + self._every - self._at)
        try:
            ended = machine.step(data, at, room, to_block=due)
        except ValueError as error:
            raise CodecError(f"damaged gzip data: {error}") from error
        at += machine.taken
        if machine.plain:
            self._at += len(machine.plain)
            self.needed = self._fed + at
            yield machine.plain
        if ended is DONE:
            self._inside = False
        elif due and machine.at_block:
            yield self._point(Point(self._at, self._fed + at, machine.bits, machine.window()))
        elif ended is FULL and at < len(data):
            raise CodecError("damaged gzip data: no progress")
        return at

    def _due(self) -> bool:
        return self._at - self._last >= self._every

    def _point(self, point: Point) -> Point:
        self._last = self._at
        return point

    def finish(self) -> None:
        self._machine.close()
        if self._inside or not self._seen:
            raise CodecError("gzip data ends too soon")


class _Unit(Protocol):
    """One member or frame being decoded."""

    def take(self, data: bytes) -> tuple[bytes, bytes]:
        """Give plain bytes, at most 1 MiB, and what of `data` is to be given again."""

    @property
    def state(self) -> str:
        """`more` input is wanted, it has `held` output back, or it has `ended`."""


class _Member:
    """A gzip member by Python's zlib."""

    def __init__(self, machine: "zlib._Decompress") -> None:
        self._machine = machine
        self.state = "more"

    def take(self, data: bytes) -> tuple[bytes, bytes]:
        machine = self._machine
        try:
            plain = machine.decompress(data, _PIECE)
        except zlib.error as error:
            raise CodecError(f"damaged gzip data: {error}") from error
        if machine.eof:
            self.state = "ended"
            return plain, machine.unused_data
        self.state = "held" if machine.unconsumed_tail else "more"
        return plain, machine.unconsumed_tail


class _Frame:
    """A zstd frame."""

    def __init__(self, module: object) -> None:
        self._error: type[Exception] = module.ZstdError  # type: ignore[attr-defined]
        self._machine = module.ZstdDecompressor()  # type: ignore[attr-defined]
        self.state = "more"

    def take(self, data: bytes) -> tuple[bytes, bytes]:
        machine = self._machine
        try:
            plain: bytes = machine.decompress(data, _PIECE)
        except self._error as error:
            raise CodecError(f"damaged zstd data: {error}") from error
        if machine.eof:
            self.state = "ended"
            return plain, machine.unused_data
        self.state = "more" if machine.needs_input else "held"
        return plain, b""


class _Frames:
    """Members or frames one after another, with points only where one begins."""

    def __init__(self, every: int, make: "Callable[[], _Unit]", *, zeros: bool) -> None:
        self._every = every
        self._make = make
        self._zeros = zeros  # between them stand for nothing
        self._unit: _Unit | None = None
        self._seen = False
        self._at = 0
        self._last = -every
        self._fed = 0
        self.needed = 0

    def feed(self, data: bytes, /) -> "Iterator[bytes | Point]":
        self._fed += len(data)
        pending = data
        while True:
            if self._unit is None:
                if self._zeros and self._seen and pending[:1] == b"\0":
                    pending = pending.lstrip(b"\0")
                if not pending:
                    return
                if self._at - self._last >= self._every:
                    yield Point(self._at, self._fed - len(pending))
                    self._last = self._at
                self._unit = self._make()
                self._seen = True
            unit, before = self._unit, len(pending)
            plain, pending = unit.take(pending)
            if plain:
                self._at += len(plain)
                self.needed = self._fed - len(pending)
                yield plain
            if unit.state == "ended":
                self._unit = None
            elif unit.state == "more":
                return
            elif not plain and len(pending) == before:
                raise CodecError("damaged data: no progress")

    def finish(self) -> None:
        if self._unit is not None or (self._zeros and not self._seen):
            raise CodecError("compressed data ends too soon")
