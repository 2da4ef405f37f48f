"""The seek index of a layer, as a file: all of its sealed layer but the tar, and how to get at that.

Frames of zstd, each for itself, then the head, which says where each frame is and what its sum is:
a reader fetches the head, and then only the frames it needs. docs/seek-index.md has the form.
"""

from bisect import bisect_right
from hashlib import sha256
from struct import Struct
from struct import error as StructError  # noqa: N812 - an error like others

from lamina.errors import Invalid
from lamina.layer.erofs import BLOCK, HEADER, HEADER_AT, SUPER_AT
from lamina.layer.spans import ROW, WINDOW_LIMIT, SeekIndexInvalid, Span, read_spans
from lamina.spec.digest import Digest
from lamina.spec.wire import decode, encode
from lamina.stream.codec import zstd
from lamina.values import NamedTuple, dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lamina.layer.span_reader import Ranges
    from lamina.stream.verify import Readable

__all__ = [
    "DIGEST_ROWS",
    "FRAME",
    "MAGIC",
    "DigestRows",
    "Frame",
    "SeekIndex",
    "fetch",
    "head_in",
    "head_of",
    "packed",
    "read_exactly",
    "trailer_of",
    "unpacked",
]

MAGIC = b"LAMSEEK\1"
FRAME = 256 * 1024
"""Bytes of metadata in a frame: four of the pieces that a sealed layer has a sum of."""

DIGEST_ROWS = 1024
_TRAILER = Struct("<8sII")
_FRAME_ROW = Struct("<QI32s")
_DIGESTS_ROW = Struct("<QIQI32s")
_LENGTH = Struct("<I")
_HEAD_LIMIT = 64 * 1024 * 1024
_FRAME_LIMIT = 2 * FRAME
"""Packed bytes of a frame at most: it is fetched whole, and what does not pack hardly grows."""

_COUNT_LIMIT = 1 << 62
_LEVEL = 9
_SCHEMA = 1
_DIGEST = 32
_NID = Struct("<Q")


class Frame(NamedTuple):
    """Where a frame lies in the index, how large it is there, and its SHA-256."""

    at: int
    size: int
    digest: bytes


class DigestRows(NamedTuple):
    """A frame with the digests of so many `files`, whose first has the inode `first`."""

    first: int
    files: int
    frame: Frame


@dataclass(frozen=True, slots=True)
class SeekIndex:
    """The head of a layer's index: what was sealed, where its frames are, and the spans of the tar.

    `block` is the sealed layer's header, `sums` the sums of its metadata.
    """

    blob: Digest
    blob_size: int
    codec: str
    block: bytes
    sums: bytes
    metadata: tuple[Frame, ...]
    digests: tuple[DigestRows, ...]
    spans: tuple[Span, ...]
    needs_parents: bool

    @classmethod
    def parse(cls, plain: bytes, *, room: int) -> "SeekIndex":
        """Read a head; `room` is where in the file the frames end. Raises: SeekIndexInvalid."""
        try:
            (size,) = _LENGTH.unpack_from(plain)
            document = decode(plain[_LENGTH.size : _LENGTH.size + size], what="seek index")
            schema, codec = document["schemaVersion"], document["codec"]
            blob, blob_size = Digest.parse(document["blob"]["digest"]), document["blob"]["size"]
            counts = [document[key] for key in ("sums", "metadata", "digests", "spans")]
        except (Invalid, KeyError, TypeError, StructError) as error:
            raise SeekIndexInvalid(f"its head is none: {error}") from error
        if schema != _SCHEMA or codec not in ("gzip", "zstd", ""):
            raise SeekIndexInvalid(f"it has the form {schema!r}, of a blob in {codec!r}")
        if not all(type(one) is int and 0 <= one < _COUNT_LIMIT for one in (*counts, blob_size)):
            raise SeekIndexInvalid("its head has impossible counts")
        widths = (4, _FRAME_ROW.size, _DIGESTS_ROW.size, ROW.size)
        at = _LENGTH.size + size + BLOCK
        parts = [plain[at - BLOCK : at]]
        for count, width in zip(counts, widths, strict=True):
            parts.append(plain[at : at + count * width])
            at += count * width
        if at != len(plain):
            raise SeekIndexInvalid(f"its head has {len(plain)} bytes instead of {at}")
        block, sums, frames, rows, table = parts
        metadata = tuple(map(Frame._make, _FRAME_ROW.iter_unpack(frames)))
        digests = tuple(
            DigestRows(first, count, Frame(*frame))
            for first, count, *frame in _DIGESTS_ROW.iter_unpack(rows)
        )
        for frame in (*metadata, *(row.frame for row in digests)):
            if frame.at + frame.size > room:
                raise SeekIndexInvalid("a frame lies behind its end")
            if frame.size > _FRAME_LIMIT:
                raise SeekIndexInvalid(f"a frame of {frame.size} bytes")
        if any(not 0 < row.files <= DIGEST_ROWS for row in digests):
            raise SeekIndexInvalid("a frame of digests without any, or too many")
        tar_size, flags = _header(block)
        spans = read_spans(table, tar_size=tar_size, blob_size=blob_size, room=room)
        return cls(blob, blob_size, codec, block, sums, metadata, digests, spans, bool(flags & 1))

    def pack(self) -> bytes:
        """Write the head: same parts, same bytes."""
        document = encode(
            {
                "schemaVersion": _SCHEMA,
                "blob": {"digest": str(self.blob), "size": self.blob_size},
                "codec": self.codec,
                "sums": len(self.sums) // 4,
                "metadata": len(self.metadata),
                "digests": len(self.digests),
                "spans": len(self.spans),
            }
        )
        frames = [_FRAME_ROW.pack(*frame) for frame in self.metadata]
        rows = [_DIGESTS_ROW.pack(row.first, row.files, *row.frame) for row in self.digests]
        table = [span.pack() for span in self.spans]
        return b"".join(
            (_LENGTH.pack(len(document)), document, self.block, self.sums, *frames, *rows, *table)
        )

    @classmethod
    def read(cls, file: "Ranges", size: int, head: tuple[int, bytes] | None = None) -> "SeekIndex":
        """Read the head of an index of `size` bytes.

        `head` is how large its end is and the SHA-256 of that, from whoever is trusted to know;
        without it one more request asks the file itself. Raises: SeekIndexInvalid, and what the
        ranges raise.
        """
        if head is None:
            with file.open(max(0, size - _TRAILER.size), size) as source:
                raw = read_exactly(source, min(size, _TRAILER.size))
            length = trailer_of(raw)[0] + _TRAILER.size
        else:
            length = head[0]
        if not _TRAILER.size <= length <= min(size, _HEAD_LIMIT):
            raise SeekIndexInvalid(f"a head of {length} bytes")
        with file.open(size - length, size) as source:
            raw = read_exactly(source, length)
        if head is not None and sha256(raw).digest() != head[1]:
            raise SeekIndexInvalid("its head is not the one that was promised")
        length, plain_size = trailer_of(raw)
        if length != len(raw) - _TRAILER.size or plain_size > _HEAD_LIMIT:
            raise SeekIndexInvalid(f"a head of {length} bytes")
        plain = unpacked(raw[:length], plain_size)
        return cls.parse(plain, room=size - len(raw))

    def window(self, file: "Ranges", span: Span) -> bytes:
        """Fetch what lies before a span that begins within a gzip member. Raises: as `read`."""
        if not span.window_size:
            return b""
        with file.open(span.window_at, span.window_at + span.window_size) as source:
            raw = read_exactly(source, span.window_size)
        return unpacked(raw, WINDOW_LIMIT, exactly=False)

    def file_digest(self, file: "Ranges", nid: int, known: dict[int, bytes]) -> bytes | None:
        """Find the SHA-256 of the file `nid`; `known` keeps frames that were fetched.

        Raises: as `read`.
        """
        number = bisect_right(self.digests, nid, key=lambda row: row.first) - 1
        if number < 0:
            return None
        _, count, frame = self.digests[number]
        if number not in known:
            known[number] = fetch(file, [frame], [count * (_NID.size + _DIGEST)])[0]
        data = known[number]
        nids = Struct(f"<{count}Q").unpack_from(data)
        place = bisect_right(nids, nid) - 1
        if place < 0 or nids[place] != nid:
            return None
        start = count * _NID.size + place * _DIGEST
        return data[start : start + _DIGEST]


def head_in(index: bytes) -> tuple[int, bytes]:
    """Give how large the end of an index is that readers begin with, and its SHA-256.

    Raises: SeekIndexInvalid (it is none).
    """
    size = trailer_of(index)[0] + _TRAILER.size
    if size > len(index):
        raise SeekIndexInvalid("it is cut short")
    return size, sha256(index[-size:]).digest()


def _header(block: bytes) -> tuple[int, int]:
    """Give the size of the tar and the flags, of a sealed layer's header."""
    fields = HEADER.unpack_from(block, HEADER_AT - SUPER_AT)
    return fields[1], fields[7]


def fetch(file: "Ranges", frames: "Sequence[Frame]", sizes: "Iterable[int]") -> list[bytes]:
    """Fetch frames that follow each other with one request, and unpack them to `sizes`.

    Raises: SeekIndexInvalid, and what the ranges raise.
    """
    start, end = frames[0].at, frames[-1].at + frames[-1].size
    found = []
    with file.open(start, end) as source:
        for frame, size in zip(frames, sizes, strict=True):
            if frame.at != start:
                raise SeekIndexInvalid("frames that do not follow each other")
            raw = read_exactly(source, frame.size)
            if sha256(raw).digest() != frame.digest:
                raise SeekIndexInvalid(f"its frame at {frame.at} is damaged")
            found.append(unpacked(raw, size))
            start += frame.size
    return found


def packed(plain: bytes) -> bytes:
    """Compress one frame."""
    data: bytes = zstd().compress(plain, level=_LEVEL)
    return data


def unpacked(raw: bytes, size: int, *, exactly: bool = True) -> bytes:
    """Decompress one frame of `size` bytes, or at most so many. Raises: SeekIndexInvalid."""
    module = zstd()
    machine = module.ZstdDecompressor()
    try:
        plain: bytes = machine.decompress(raw, size + 1)
    except module.ZstdError as error:
        raise SeekIndexInvalid(f"a frame is damaged: {error}") from error
    if not machine.eof or machine.unused_data or len(plain) > size:
        raise SeekIndexInvalid("a frame that is not one")
    if exactly and len(plain) != size:
        raise SeekIndexInvalid(f"a frame has {len(plain)} bytes instead of {size}")
    return plain


def head_of(index: SeekIndex) -> bytes:
    """Give the end of an index: its head, packed, and the trailer that says how large that is."""
    plain = index.pack()
    raw = packed(plain)
    return raw + _TRAILER.pack(MAGIC, len(raw), len(plain))


def trailer_of(raw: bytes) -> tuple[int, int]:
    """Read a trailer: how large the head before it is, and how large once unpacked.

    Raises: SeekIndexInvalid (no seek index).
    """
    if len(raw) < _TRAILER.size:
        raise SeekIndexInvalid("it is cut short")
    magic, size, plain = _TRAILER.unpack_from(raw, len(raw) - _TRAILER.size)
    if magic != MAGIC:
        raise SeekIndexInvalid("these bytes are none")
    return size, plain


def read_exactly(source: "Readable", size: int) -> bytes:
    """Read `size` bytes. Raises: SeekIndexInvalid (there are fewer)."""
    pieces = []
    while size:
        piece = source.read(size)
        if not piece:
            raise SeekIndexInvalid("it is cut short")
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)
