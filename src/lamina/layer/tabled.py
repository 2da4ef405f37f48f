"""A layer that is not here, by the table of contents in its own blob: eStargz and zstd:chunked.

Such blobs are packed in chunks, each by itself, and end in a table: JSON that says of each path what it
is, and where the chunks of its content are. Spec: stargz-snapshotter, docs/estargz.md; zstd:chunked has
the same table in a zstd frame.
"""

from base64 import b64decode
from bisect import bisect_right
from datetime import UTC, datetime
from hashlib import sha256
from tempfile import TemporaryDirectory

from lamina.errors import Invalid
from lamina.layer.entry import Entry, EntryInvalid, Kind, normal_path
from lamina.layer.erofs import AREA
from lamina.layer.seal import Sealer
from lamina.layer.sealed import SealedLayer
from lamina.layer.span_reader import SpanCache
from lamina.layer.spans import SeekIndexInvalid
from lamina.spec.digest import Digest
from lamina.spec.wire import decode
from lamina.stream.codec import CodecError, decompressor
from lamina.stream.files import disk_errors
from lamina.values import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Self

    from lamina.layer.node import CountedLayer
    from lamina.layer.span_reader import Ranges
    from lamina.spec.wire import Document

__all__ = ["Chunk", "Table", "TabledLayer"]

_KINDS = {
    "dir": Kind.DIRECTORY, "reg": Kind.FILE, "symlink": Kind.SYMLINK, "hardlink": Kind.HARDLINK,
    "char": Kind.CHARACTER, "block": Kind.BLOCK, "fifo": Kind.FIFO,
}  # fmt: skip
_CHUNK_LIMIT = 256 * 1024 * 1024  # of memory: some packers make one chunk of each file
_AT_ONCE = 4 * 1024 * 1024  # packed bytes that one request brings at most
_AHEAD = 256 * 1024  # of them, what follows on what is wanted: small files lie beside each other
_PIECE = 128 * 1024
_BLOCK = 512
_FAR = 1 << 60
_NANO = 10**9
_ZEROS = bytes(_PIECE)


class Chunk(NamedTuple):
    """Bytes `at` some place of a file's content, where all contents are laid behind each other.

    They are `size` bytes after the first `inner` of what decodes at `packed_at`, of which the blob up to
    `packed_end` is enough; with `digest` their SHA-256. One that is not packed at all is zeros.
    """

    at: int
    size: int
    packed_at: int
    packed_end: int
    inner: int
    digest: bytes


class Table(NamedTuple):
    """What a table says: entries in the tar's order, and the chunks of all contents, which take `size`."""

    entries: tuple[Entry, ...]
    chunks: tuple[Chunk, ...]
    size: int

    @classmethod
    def parse(cls, raw: bytes, *, blob_size: int) -> "Table":
        """Read a table. Raises: SeekIndexInvalid (it is none, or contradicts itself)."""
        try:
            rows = decode(raw, what="table of contents")["entries"]
            return _Reading(rows, blob_size).run()
        except (EntryInvalid, Invalid, KeyError, TypeError, ValueError, AttributeError) as error:
            raise SeekIndexInvalid(f"the table of contents of a layer is none: {error}") from error


class _Reading:
    """One table being read."""

    def __init__(self, rows: "list[Document]", blob_size: int) -> None:
        self._rows = rows
        self._blob_size = blob_size
        # Where a chunk ends is not always said: not behind where the next one begins.
        self._starts = sorted({int(row["offset"]) for row in rows if row.get("offset")})
        self._chunks: list[Chunk] = []
        self._at = 0

    def run(self) -> Table:
        entries = []
        file: Entry | None = None
        for number, row in enumerate(self._rows):
            if row["type"] == "chunk":
                if file is None:
                    raise ValueError("a chunk of no file")
                self._chunk(row, file)
                continue
            self._close(file)
            file = self._entry(row)
            if file.kind is Kind.FILE and file.size:
                alone = number + 1 == len(self._rows) or self._rows[number + 1]["type"] != "chunk"
                self._chunk({"chunkDigest": row.get("digest"), **row} if alone else row, file)
                entries.append(file)
            else:
                entries.append(file)
                file = None
        self._close(file)
        return Table(tuple(entries), tuple(self._chunks), self._at)

    def _close(self, file: Entry | None) -> None:
        """See that a file's chunks are all of it."""
        if file is not None:
            last = self._chunks[-1]
            if last.at + last.size != file.offset + file.size:
                raise ValueError(f"chunks that are not all of {file.path!r}")
            self._at = last.at + last.size + _BLOCK - 1 & -_BLOCK

    def _entry(self, row: "Document") -> Entry:
        kind, size = _KINDS[row["type"]], int(row.get("size") or 0)
        link = str(row.get("linkName") or "").encode("utf-8", "surrogateescape")
        if not 0 <= size < _FAR:
            raise ValueError(f"a size of {size}")
        pairs = (row.get("xattrs") or {}).items()
        xattrs = tuple(
            sorted((str(name), b64decode(value, validate=True)) for name, value in pairs)
        )
        has_device = kind in (Kind.CHARACTER, Kind.BLOCK)
        device = int(row.get("devMajor") or 0), int(row.get("devMinor") or 0)
        return Entry(
            path=normal_path(str(row["name"]).encode("utf-8", "surrogateescape").strip(b"/")),
            kind=kind,
            mode=int(row.get("mode") or 0) & 0o7777,
            uid=int(row.get("uid") or 0),
            gid=int(row.get("gid") or 0),
            size=size if kind is Kind.FILE else 0,
            mtime_ns=_time_ns(str(row.get("modtime") or "")),
            link=normal_path(link)
            if kind is Kind.HARDLINK
            else link
            if kind is Kind.SYMLINK
            else b"",
            device=device if has_device else (0, 0),
            xattrs=xattrs,
            offset=self._at,
        )

    def _chunk(self, row: "Document", file: Entry) -> None:
        within = int(row.get("chunkOffset") or 0)
        size = int(row.get("chunkSize") or 0) or file.size - within
        at = file.offset + within
        before = self._chunks[-1] if self._chunks else None
        follows = before.at + before.size if before and before.at >= file.offset else file.offset
        if at != follows or not 0 < size <= _CHUNK_LIMIT or within + size > file.size:
            raise ValueError(f"an impossible chunk of {file.path!r}")
        if row.get("chunkType") == "zeros":
            self._chunks.append(Chunk(at, size, 0, 0, 0, b""))
            return
        start, inner = int(row["offset"]), int(row.get("innerOffset") or 0)
        place = bisect_right(self._starts, start)
        end = self._starts[place] if place < len(self._starts) else self._blob_size
        if not 0 <= start < end <= self._blob_size or not 0 <= inner <= _CHUNK_LIMIT:
            raise ValueError(f"a chunk of {file.path!r} that lies outside the blob")
        digest = Digest.parse(row.get("chunkDigest") or row.get("digest"))
        if digest.algorithm != "sha256":
            raise ValueError(f"a chunk of {file.path!r} with another digest than SHA-256")
        self._chunks.append(Chunk(at, size, start, end, inner, bytes.fromhex(digest.hex)))


def _time_ns(text: str) -> int:
    """Read RFC 3339 to the nanosecond; what is none is 0, as tables leave it out."""
    head, dot, rest = text.partition(".")
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    try:
        moment = datetime.fromisoformat(head + rest[len(digits) :])
    except ValueError:
        return 0
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    seconds = (moment - datetime.fromtimestamp(0, UTC)).total_seconds()
    return int(seconds) * _NANO + (int(digits[:9].ljust(9, "0")) if dot and digits else 0)


class TabledLayer(SealedLayer):
    """A sealed layer whose tar is chunks of a blob elsewhere, for `Tree` and `study`; a context manager.

    What a table does not say (how the tar is written, the table itself) is not there, and the diff ID
    is whoever's who made this. Every chunk is checked against its digest. Reading raises
    SeekIndexInvalid, and what the ranges raise.
    """

    @classmethod
    def of(
        cls,
        name: str,
        table: Table,
        *,
        codec: str,
        blob: "Ranges",
        diff_id: Digest,
        below: "Sequence[CountedLayer]" = (),
        cache: SpanCache | None = None,
    ) -> "Self":
        """Make the layer of a table; `below` are the layers under it, which hard links may lead into.

        `name` is unique among the layers that are read together. Raises: EntryInvalid, DiskFull.
        """
        with TemporaryDirectory(prefix="lamina-table-") as folder:
            path = f"{folder}/layer"
            with disk_errors("reading a table of contents"), Sealer(path, early=False) as sealer:
                sealer.add(table.entries)
                sealer.leave_out(table.size)
                sealer.finish(diff_id, lambda: below)  # type: ignore[arg-type, return-value]  # a tree of any layers
            layer = cls(path)
        layer.path = name
        layer._chunks = table.chunks
        layer._starts = [chunk.at for chunk in table.chunks]
        layer._codec, layer._blob = codec, blob
        layer._cache = cache or SpanCache()
        return layer

    _chunks: tuple[Chunk, ...]
    _starts: list[int]
    _codec: str
    _blob: "Ranges"
    _cache: SpanCache

    def _mapped(self, start: int, end: int) -> "Iterator[bytes]":
        """Give bytes of the file in pieces: those of the tar from the blob."""
        if not AREA <= start < AREA + self.tar_size:
            yield from super()._mapped(start, end)
            return
        start, end = start - AREA, end - AREA
        number = bisect_right(self._starts, start) - 1
        while start < end:
            chunk = self._chunks[number] if 0 <= number < len(self._chunks) else None
            if chunk is None or not chunk.at <= start < chunk.at + chunk.size:
                raise SeekIndexInvalid(f"nothing is at byte {start} of {self.path}")
            stop = min(chunk.at + chunk.size, end)
            if chunk.packed_end:
                yield self._chunk(number, end)[start - chunk.at : stop - chunk.at]
            else:
                for done in range(start, stop, _PIECE):
                    yield _ZEROS[: min(_PIECE, stop - done)]
            start, number = stop, number + 1

    def _chunk(self, number: int, end: int) -> bytes:
        """Give a chunk; where it has to be fetched, with it those up to `end` that lie behind it."""
        found = self._cache.get((id(self), number))
        if found is not None:
            return found
        first, last = self._chunks[number], number
        while last + 1 < len(self._chunks):
            after = self._chunks[last + 1]
            room = _AT_ONCE if after.at < end else _AHEAD
            if not first.packed_at <= after.packed_at or after.packed_end - first.packed_at > room:
                break
            last += 1
        stop = max(chunk.packed_end for chunk in self._chunks[number : last + 1])
        with self._blob.open(first.packed_at, stop) as source:
            raw = bytearray()
            while len(raw) < stop - first.packed_at and (
                piece := source.read(stop - first.packed_at - len(raw))
            ):
                raw += piece
        for each in range(number, last + 1):
            chunk = self._chunks[each]
            begin = chunk.packed_at - first.packed_at
            self._cache.put(
                (id(self), each),
                self._decoded(chunk, bytes(raw[begin : chunk.packed_end - first.packed_at])),
            )
        return self._cache.get((id(self), number)) or self._decoded(
            first, bytes(raw[: first.packed_end - first.packed_at])
        )

    def _decoded(self, chunk: Chunk, raw: bytes) -> bytes:
        plain = bytearray()
        wanted = chunk.inner + chunk.size
        try:
            for piece in decompressor(self._codec).feed(raw):
                plain += piece
                if len(plain) >= wanted:
                    break
        except CodecError as error:
            raise SeekIndexInvalid(f"the blob does not decode there: {error}") from error
        data = bytes(plain[chunk.inner : wanted])
        if len(data) != chunk.size or sha256(data).digest() != chunk.digest:
            raise SeekIndexInvalid(f"the blob has other bytes for the content at {chunk.at} and on")
        return data
