"""Read a blob from a registry, whatever happens to the connection meanwhile."""

from collections.abc import Callable
from time import monotonic
from types import TracebackType

from lamina.remote.errors import ConnectionBroken, ResponseInvalid
from lamina.remote.http import Transport
from lamina.remote.messages import Response, Stream, without_query
from lamina.remote.unpacked import CODINGS, Unpacked
from lamina.spec.descriptor import Descriptor
from lamina.stream.verify import CHUNK, SizeMismatch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

__all__ = ["BlobReader", "RangesRefused"]

_CONTENT_RANGE = r"\s*bytes\s+(\d+)-(\d+)/(\d+|\*)\s*"
_SLICE_S = 0.25
_WHOLE = 200
_PARTIAL = 206


class RangesRefused(ResponseInvalid):
    """The registry gives no part of a blob, or another part than it was asked for."""


class BlobReader:
    """The bytes of one blob from `offset` on; a context manager. One thread reads it.

    `open_at(n)` asks the registry for the blob from byte `n` on (0: without Range). A dropped or
    stalled connection is opened again at the place reached, as long as that brings progress. Only
    lengths are checked: the caller verifies the digest. With an `end` it is a part of the blob,
    up to there; `open_at` asks for exactly that then, and a registry that gives something else is
    not read. Raises on `read`: ConnectionBroken, SizeMismatch, ResponseInvalid, RangesRefused (of a
    part), and what opening raises.
    """

    def __init__(
        self,
        descriptor: Descriptor,
        offset: int,
        open_at: Callable[[int], Response],
        transport: Transport,
        *,
        end: int | None = None,
    ) -> None:
        from lamina.remote.connections import BREAKS

        self.offset = offset
        self._descriptor = descriptor
        self._is_part = end is not None
        self._end = descriptor.size if end is None else end
        self._open_at = open_at
        self._transport = transport
        self._tries = transport.tries(offset)
        self._stream: Stream | None = None
        self._length_known = True
        self._trust_ranges = True
        self._window = (monotonic(), offset)
        self._breaks = (*BREAKS, ConnectionBroken)

    def __enter__(self) -> "Self":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def open(self) -> "Self":
        """Ask now, so that a missing blob is known here and not at the first read."""
        if self._stream is None and self.offset < self._end:
            self._connect()
        return self

    def close(self) -> None:
        """Drop the connection, unless the blob was read to its end."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def read(self, size: int = -1, /) -> bytes:
        """Give up to `size` bytes, fewer when the network is slow; none at the end."""
        if size < 0:
            pieces = []
            while piece := self.read(CHUNK):
                pieces.append(piece)
            return b"".join(pieces)
        while size and self.offset < self._end:
            if self._stream is None:
                self._connect()
                continue  # it may have broken off on the way to our place
            try:
                piece = self._take(min(size, self._end - self.offset))
                self.offset += len(piece)
                if self.offset == self._end:
                    self._finish()
                return piece
            except self._breaks as error:
                self._lost(str(error))
        return b""

    def _connect(self) -> None:
        """Open the stream and bring it to `offset`."""
        start = self.offset if self._trust_ranges else 0
        response = self._open_at(start)
        if self._is_part and not self._is_right_range(response):
            if response.stream:
                response.stream.close()
            raise RangesRefused(f"{without_query(response.url)} gives no ranges")
        if start and not self._is_right_range(response):
            # It starts elsewhere than it was told to, or cannot seek: take the blob from its first byte.
            self._trust_ranges = False
            if response.stream:
                response.stream.close()
            start = 0
            response = self._open_at(start)
        if response.stream is None:
            raise ResponseInvalid(f"{without_query(response.url)} gave no content")
        self._stream = response.stream
        skip = 0 if response.status == _PARTIAL and (start or self._is_part) else self.offset
        expected = self._end - (self.offset - skip)
        if self._was_packed(response, expected):
            # Its parts are parts of the packed form: after a break it is read from the start.
            self._stream, self._trust_ranges = Unpacked(response.stream), False
            self._length_known = False
        else:
            self._check_length(response, expected)
        self._window = (monotonic(), self.offset)
        try:
            while skip:
                skip -= len(self._take(min(skip, CHUNK)))
        except self._breaks as error:
            self._lost(str(error))

    def _is_right_range(self, response: Response) -> bool:
        if response.status == _WHOLE:
            return not self._is_part
        import re  # few layers come in parts

        match = re.fullmatch(_CONTENT_RANGE, response.header("Content-Range"))
        if response.status != _PARTIAL or not match or response.stream is None:
            return False
        if self._was_packed(response, self._end - self.offset):
            return False
        size = self._descriptor.size
        right_total = match[3] in ("*", str(size))
        return right_total and (int(match[1]), int(match[2])) == (self.offset, self._end - 1)

    def _was_packed(self, response: Response, expected: int) -> bool:
        """Tell whether somebody on the way packed the blob, which we asked for as it is.

        A length that is right says that only the label is wrong: object stores keep it with layers.
        """
        coding = response.header("Content-Encoding").strip().lower()
        return coding in CODINGS and response.header("Content-Length") != str(expected)

    def _check_length(self, response: Response, expected: int) -> None:
        """Compare what is promised with what the manifest says. Raises: SizeMismatch."""
        promised = response.header("Content-Length")
        self._length_known = promised.isdigit() and not response.header("Transfer-Encoding")
        if self._length_known and int(promised) != expected:
            self.close()
            raise SizeMismatch(
                f"{self._descriptor.digest}: the registry has {promised} bytes "
                f"where the manifest says {expected}",
                hint="the image is damaged at the registry; its publisher must push it again",
            )

    def _take(self, want: int) -> bytes:
        """Read up to `want` bytes: all of them from a fast network, a quarter second's from a slow one."""
        stream = self._stream
        pieces: list[bytes] = []
        got, started = 0, 0.0
        while stream is not None and got < want:
            try:
                piece = stream.read1(want - got)
            except self._breaks:
                if not pieces:
                    raise
                break
            if not piece:
                break
            if len(piece) == want:
                return piece
            pieces.append(piece)
            got += len(piece)
            now = monotonic()
            started = started or now
            if now - started > _SLICE_S:
                self._check_pace(now, got)
                break
        if not pieces:
            raise ConnectionBroken("the connection was closed early")
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _check_pace(self, now: float, got: int) -> None:
        """Treat a drip of single bytes as the broken connection it is. Raises: ConnectionBroken."""
        patience = self._transport.patience
        since, offset = self._window
        if now - since < patience.stall_s:
            return
        if self.offset + got - offset < patience.slowest * (now - since):
            raise ConnectionBroken("the registry sends next to nothing")
        self._window = (now, self.offset + got)

    def _finish(self) -> None:
        """Give the connection back; without a promised length, look for bytes too many."""
        stream, self._stream = self._stream, None
        if stream is None:
            return
        if not self._length_known:
            try:
                surplus = stream.read1(1)
            except self._breaks:
                surplus = b""
            if surplus:
                stream.close()
                raise SizeMismatch(
                    f"{self._descriptor.digest} is longer than the promised "
                    f"{self._descriptor.size} bytes"
                )
        stream.release()

    def _lost(self, reason: str) -> None:
        """Prepare to go on after a break. Raises: ConnectionBroken (no progress any more)."""
        self.close()
        pause_s = self._tries.pause_s(self.offset)
        if pause_s is None:
            raise ConnectionBroken(
                f"{self._descriptor.digest}: broke off {self._tries.failures} times "
                f"at byte {self.offset} of {self._descriptor.size}: {reason}",
                hint="repeat the command: it goes on where this one stopped",
            )
        self._transport.wait(pause_s, reason)
