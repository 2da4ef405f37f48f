"""gzip and zstd, as streams. gzip by isal where it is installed, else by zlib."""

import sys
import zlib
from collections.abc import Callable

from lamina.errors import Corrupt, Invalid, Unsupported
from lamina.values import Protocol, dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType
    from typing import Self

    from lamina.stream.verify import Readable

__all__ = [
    "CodecError",
    "Compression",
    "CompressionInvalid",
    "Compressor",
    "Decompressor",
    "compressor",
    "decompressed",
    "decompressor",
    "sniff",
    "zstd",
]

_GZIP_WINDOW = 31  # zlib's way of saying: gzip header, 32 KiB window
_PIECE = 1024 * 1024
_INFLATED = 512 * 1024  # stays in the processor's cache until it is hashed and written
_HEAD = 4  # bytes that tell the codec
_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_SKIPPABLE = b"\x2a\x4d\x18"  # after a byte from 0x50 to 0x5f
_FIFTH = 5

_DEFAULT_LEVELS = {"gzip": 1, "zstd": 3, "": 0}
_MOST = {"gzip": 9, "zstd": 22}
_ISAL_MOST = 3  # its levels are 0 to 3; zlib's 4 to 9 compress more than any of them


class CompressionInvalid(Invalid):
    """No such compression, or it has no such level."""


class CodecError(Corrupt):
    """The compressed bytes are damaged or end too soon."""


class Compressor(Protocol):
    """Bytes in, compressed bytes out."""

    def compress(self, data: "bytes | memoryview", /) -> bytes:
        """Take `data`; give what is ready, maybe nothing."""

    def flush(self) -> bytes:
        """End the stream and give the rest."""


class Decompressor(Protocol):
    """Compressed bytes in, plain bytes out, in bounded pieces."""

    def feed(self, data: bytes, /) -> "Iterator[bytes]":
        """Take `data`; give the plain bytes in pieces of at most about 1 MiB."""

    def finish(self) -> None:
        """Raise CodecError unless the stream was complete."""


def sniff(head: bytes) -> str:
    """Tell the codec from the first 4 bytes: `gzip`, `zstd`, or `` for none."""
    if head.startswith(_GZIP_MAGIC):
        return "gzip"
    if head.startswith(_ZSTD_MAGIC) or (head[1:_HEAD] == _SKIPPABLE and head[0] >> 4 == _FIFTH):
        return "zstd"
    return ""


@dataclass(frozen=True, slots=True)
class Compression:
    """How new bytes are packed: `codec` is `gzip`, `zstd` or `` for none, as `compressor` takes it."""

    codec: str = "gzip"
    level: int = _DEFAULT_LEVELS["gzip"]

    @classmethod
    def parse(cls, name: str = "gzip", level: int | None = None) -> "Self":
        """Read what a person asks for: gzip (levels 1 to 9), zstd (1 to 22) or none.

        Raises: CompressionInvalid.
        """
        codec = "" if name == "none" else name
        if not name or codec not in _DEFAULT_LEVELS:
            raise CompressionInvalid(f"unknown compression {name!r}", hint="use gzip, zstd or none")
        if level is None:
            return cls(codec, _DEFAULT_LEVELS[codec])
        most = _MOST.get(codec)
        if most is None:
            raise CompressionInvalid("compression none has no levels", hint="leave the level out")
        if not 1 <= level <= most:
            raise CompressionInvalid(
                f"{codec} has no compression level {level}",
                hint=f"choose 1 (fastest) to {most} (smallest)",
            )
        return cls(codec, level)

    def __str__(self) -> str:
        """Give what to note beside the bytes: `gzip;level=1;by=isal`, or `none`."""
        if not self.codec:
            return "none"
        library = self.codec
        if self.codec == "gzip":
            library = "isal" if self.level <= _ISAL_MOST and _isal() is not None else "zlib"
        return f"{self.codec};level={self.level};by={library}"


def compressor(codec: str, level: int | None = None, *, workers: int = 0) -> Compressor:
    """Make a compressor: `gzip` (default level 1), `zstd` (default 3), `` for none.

    gzip levels up to 3 are isal's where it is installed: at 1 it is several times as fast as zlib's
    6 for about a seventh more bytes. gzip output has no time and no name in its header, so the same
    bytes give the same blob. With `workers` isal compresses in so many threads, and zstd where it is
    built for that; any number of them gives the same bytes, for zstd other ones than none does.
    Raises: Unsupported (unknown codec, or zstd not installed).
    """
    if codec not in _DEFAULT_LEVELS:
        raise Unsupported(f"unknown compression {codec!r}", hint="use gzip, zstd or none")
    chosen = _DEFAULT_LEVELS[codec] if level is None else level
    if codec == "gzip":
        engine = _isal()
        if engine is not None and 0 <= chosen <= _ISAL_MOST:
            from lamina.stream.gzip_blocks import GzipBlocks

            return GzipBlocks(engine, chosen, workers=workers)
        return zlib.compressobj(chosen, zlib.DEFLATED, _GZIP_WINDOW)
    if codec == "zstd":
        module = zstd()
        parameters = module.CompressionParameter
        options = {parameters.compression_level: chosen}
        if workers and parameters.nb_workers.bounds()[1]:
            options[parameters.nb_workers] = workers
        frames: Compressor = module.ZstdCompressor(options=options)
        return frames
    return _Plain()


def decompressor(codec: str) -> Decompressor:
    """Make a decompressor for `gzip` (several members too), `zstd` (several frames too) or ``."""
    if codec == "gzip":
        engine = _igzip()
        if engine is None:
            return _Gzip(lambda: zlib.decompressobj(_GZIP_WINDOW), zlib.error)
        flag = engine.DECOMP_GZIP
        return _Igzip(lambda: engine.IgzipDecompressor(flag=flag), engine.IsalError)
    if codec == "zstd":
        return _Zstd()
    if codec == "":
        return _Plain()
    raise Unsupported(f"unknown compression {codec!r}", hint="layers are gzip, zstd or plain tar")


def decompressed(source: "Readable", *, size: int = 256 * 1024) -> "Iterator[bytes]":
    """Give the plain bytes of `source`, whose codec its first bytes tell. Raises: CodecError."""
    head = source.read(size)
    while 0 < len(head) < _HEAD and (more := source.read(size)):  # sockets give what they have
        head += more
    machine = decompressor(sniff(head))
    while head:
        yield from machine.feed(head)
        head = source.read(size)
    machine.finish()


class _Inflater(Protocol):
    """What zlib calls a decompression object."""

    @property
    def eof(self) -> bool:
        """Whether the member has ended."""

    @property
    def unused_data(self) -> bytes:
        """What came after the member."""

    @property
    def unconsumed_tail(self) -> bytes:
        """What was left because of the limit."""

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """Give at most `max_length` plain bytes."""


class _Frame(Protocol):
    """What isal and the zstd module call a decompressor: of one member or frame."""

    eof: bool
    unused_data: bytes
    needs_input: bool

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """Give at most `max_length` plain bytes."""


class _Plain:
    """No compression, both ways."""

    def compress(self, data: "bytes | memoryview", /) -> bytes:
        return bytes(data)

    def flush(self) -> bytes:
        return b""

    def feed(self, data: bytes, /) -> "Iterator[bytes]":
        yield data

    def finish(self) -> None:
        """Nothing to check."""


class _Gzip:
    """gzip members one after another (pigz and eStargz write many); zero padding is skipped."""

    def __init__(self, make: Callable[[], _Inflater], error: type[Exception]) -> None:
        self._make = make
        self._error = error
        self._member: _Inflater | None = None
        self._seen = False

    def feed(self, data: bytes, /) -> "Iterator[bytes]":
        pending = data
        while pending:
            if self._member is None:
                if self._seen:
                    pending = pending.lstrip(b"\0")
                    if not pending:
                        return
                self._member = self._make()
                self._seen = True
            member = self._member
            try:
                plain = member.decompress(pending, _PIECE)
            except self._error as error:
                raise CodecError(f"damaged gzip data: {error}") from error
            if plain:
                yield plain
            if member.eof:
                pending = member.unused_data
                self._member = None
            else:
                rest = member.unconsumed_tail
                if not plain and len(rest) == len(pending):
                    raise CodecError("damaged gzip data: no progress")
                pending = rest

    def finish(self) -> None:
        if self._member is not None or not self._seen:
            raise CodecError("gzip data ends too soon")


class _Igzip:
    """The same by isal's own interface: it keeps what it has not read yet, zlib's gives it back."""

    def __init__(self, make: Callable[[], _Frame], error: type[Exception]) -> None:
        self._make = make
        self._error = error
        self._member: _Frame | None = None
        self._seen = False

    def feed(self, data: bytes, /) -> "Iterator[bytes]":
        pending = data
        while True:
            if self._member is None:
                if self._seen:
                    pending = pending.lstrip(b"\0")
                if not pending:
                    return
                self._member = self._make()
                self._seen = True
            member = self._member
            try:
                plain = member.decompress(pending, _INFLATED)
            except self._error as error:
                raise CodecError(f"damaged gzip data: {error}") from error
            if plain:
                yield plain
            if member.eof:
                pending = member.unused_data
                self._member = None
            elif member.needs_input:
                return
            elif not plain and not pending:
                raise CodecError("damaged gzip data: no progress")
            else:
                pending = b""

    def finish(self) -> None:
        if self._member is not None or not self._seen:
            raise CodecError("gzip data ends too soon")


class _Zstd:
    """zstd frames one after another (zstd:chunked writes many, with skippable ones between)."""

    def __init__(self) -> None:
        self._module = zstd()
        self._frame: _Frame | None = None

    def feed(self, data: bytes, /) -> "Iterator[bytes]":
        pending = data
        while True:
            if self._frame is None:
                if not pending:
                    return
                self._frame = self._module.ZstdDecompressor()
            frame = self._frame
            try:
                plain = frame.decompress(pending, _PIECE)
            except self._module.ZstdError as error:
                raise CodecError(f"damaged zstd data: {error}") from error
            if plain:
                yield plain
            if frame.eof:
                pending = frame.unused_data
                self._frame = None
            elif frame.needs_input:
                return
            else:
                pending = b""

    def finish(self) -> None:
        if self._frame is not None:
            raise CodecError("zstd data ends too soon")


def _isal() -> "ModuleType | None":
    try:
        from isal import isal_zlib
    except ImportError:
        return None
    return isal_zlib


def _igzip() -> "ModuleType | None":
    try:
        from isal import igzip_lib
    except ImportError:
        return None
    return igzip_lib


def zstd() -> "ModuleType":
    """Load the zstd module, Python's own or its backport. Raises: Unsupported (not installed)."""
    try:
        if sys.version_info >= (3, 14):
            from compression import zstd as module
        else:
            from backports import zstd as module
    except ImportError as error:
        raise Unsupported(
            "this layer is zstd-compressed and no zstd library is installed",
            hint="pip install backports.zstd",
        ) from error
    return module
