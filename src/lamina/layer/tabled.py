"""A layer that is not here, by the table of contents in its own blob: eStargz and zstd:chunked.

Such blobs are packed in chunks, each by itself, and end in a table: JSON that says of each path what it
is, and where the chunks of its content are. Spec: stargz-snapshotter, docs/estargz.md; zstd:chunked has
the same table in a zstd frame.
"""

from base64 import b64decode
from bisect import bisect_right
from datetime import UTC, datetime
from hashlib import sha256
from itertools import chain, islice
from tempfile import TemporaryDirectory

from lamina.errors import Invalid
from lamina.layer.entry import Entry, EntryInvalid, Kind, normal_path
from lamina.layer.erofs import AREA
from lamina.layer.pax import OWNER_LIMIT
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
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Self

    from lamina.layer.node import CountedLayer
    from lamina.layer.span_reader import Ranges
    from lamina.spec.wire import Document
    from lamina.stream.verify import Readable

__all__ = ["Chunk", "Table", "TabledLayer"]

_KINDS = {
    "dir": Kind.DIRECTORY, "reg": Kind.FILE, "symlink": Kind.SYMLINK, "hardlink": Kind.HARDLINK,
    "char": Kind.CHARACTER, "block": Kind.BLOCK, "fifo": Kind.FIFO,
}  # fmt: skip
_CHUNK_LIMIT = 256 * 1024 * 1024  # of memory: some packers make one chunk of each file
_LINKED = 64 * 1024 * 1024  # of lower layers' files that hard links copy into one here
_LEAST, _FEW = 16, 64  # letters for each object or list of a table, but for the first of them
_AT_ONCE = 4 * 1024 * 1024  # packed bytes that one request brings at most
_MOST_AT_ONCE = 4096  # chunks: those of a few bytes are many
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
            _check_brackets(raw)
            rows = decode(raw, what="table of contents")["entries"]
            return _Reading(rows, blob_size).run()
        except (
            EntryInvalid,
            Invalid,
            LookupError,
            TypeError,
            ValueError,
            AttributeError,
            OverflowError,
        ) as error:
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
        uid, gid = int(row.get("uid") or 0), int(row.get("gid") or 0)
        path = normal_path(str(row["name"]).encode("utf-8", "surrogateescape").strip(b"/"))
        if not (0 <= uid < OWNER_LIMIT and 0 <= gid < OWNER_LIMIT):
            raise ValueError(f"an owner {uid}:{gid}")
        if not path and kind is not Kind.DIRECTORY:
            raise ValueError(f"a root directory that is a {kind}")
        if b"\0" in link:
            raise ValueError(f"a link of {path!r} to a name with a NUL byte")
        return Entry(
            path=path,
            kind=kind,
            mode=int(row.get("mode") or 0) & 0o7777,
            uid=uid,
            gid=gid,
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


def _check_brackets(raw: bytes) -> None:
    """See that a table says something: Python takes 64 bytes for each of `{},{},`. Raises: ValueError."""
    if raw.count(b"{") + raw.count(b"[") > _FEW + len(raw) // _LEAST:
        raise ValueError("it is brackets for the most part")


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
                # A table's word is enough for a petabyte of zeros that no blob has.
                sealer.finish(diff_id, lambda: below, most=_LINKED)  # type: ignore[arg-type, return-value]  # a tree of any layers
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
        groups = self._groups(number, end)
        parts: Sequence[Iterable[bytes]]
        first = groups[0][0]
        stop = max(group[-1].packed_end for group in groups)
        with self._blob.open(first.packed_at, stop) as source:
            packed = _up_to(source, stop - first.packed_at)
            if len(groups) > 1:
                raw = b"".join(packed)
                spans = [(group[0].packed_at, group[0].packed_end) for group in groups]
                parts = [
                    [raw[start - first.packed_at : stop - first.packed_at]] for start, stop in spans
                ]
            else:  # one may be said to reach to the blob's end: no more is fetched than decodes
                parts = [packed]
            flat: list[bytes] = []
            for group, part in zip(groups, parts, strict=True):
                try:
                    found_here = _decoded(self._codec, group, part)
                except SeekIndexInvalid:
                    if not flat:
                        raise
                    break  # what is wrong with those behind is told to whoever wants them
                flat += found_here
                if len(found_here) < len(group):
                    break
        for each, data in enumerate(flat, number):
            self._cache.put((id(self), each), data)
        return flat[0]

    def _groups(self, number: int, end: int) -> list[list[Chunk]]:
        """Give a chunk and those to fetch with it, put together that are packed as one."""
        first = self._chunks[number]
        groups, room = [[first]], _CHUNK_LIMIT // 16
        for chunk in islice(self._chunks, number + 1, number + _MOST_AT_ONCE):
            before = groups[-1][-1]
            room -= chunk.size + (chunk.inner if chunk.packed_at != before.packed_at else 0)
            if room < 0 or chunk.packed_at < before.packed_at or not chunk.packed_end:
                break
            if chunk.packed_at == before.packed_at:
                groups[-1].append(chunk)
                continue
            packed = _AT_ONCE if chunk.at < end else _AHEAD
            if chunk.packed_end - first.packed_at > packed:
                break
            groups.append([chunk])
        return groups


def _up_to(source: "Readable", size: int) -> "Iterator[bytes]":
    while size > 0 and (piece := source.read(min(_PIECE, size))):
        yield piece
        size -= len(piece)


def _decoded(codec: str, group: "Sequence[Chunk]", packed: "Iterable[bytes]") -> list[bytes]:
    """Decode chunks that are packed as one, and check each; give those before the first that is wrong.

    Raises: SeekIndexInvalid (that is the first of all).
    """
    plain = bytearray()
    why = "it has other bytes than the table of contents says"
    wanted = max(chunk.inner + chunk.size for chunk in group)
    machine = decompressor(codec)
    try:
        for piece in chain.from_iterable(map(machine.feed, packed)):
            plain += piece
            if len(plain) >= wanted:
                break
    except CodecError as error:
        why = f"it does not decode: {error}"
    found: list[bytes] = []
    for chunk in group:
        data = bytes(memoryview(plain)[chunk.inner : chunk.inner + chunk.size])
        if len(data) != chunk.size or sha256(data).digest() != chunk.digest:
            if found:
                break
            raise SeekIndexInvalid(
                f"the blob is wrong where the content at {chunk.at} begins: {why}"
            )
        found.append(data)
    return found
