"""Seek indexes of layers in tests: made in memory's size, and read through ranges that are counted."""

import gzip
import io
import subprocess
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lamina.layer.indexed import IndexedLayer
from lamina.layer.sealed import SealedLayer
from lamina.layer.seek_index import SeekIndex
from lamina.layer.seek_index_writer import SeekIndexWriter, Written
from lamina.layer.spans import SpanCutter
from lamina.spec.digest import Digest
from lamina.stream.codec import compressor, sniff, zstd
from lamina.stream.libz import libz
from lamina.stream.seek_points import finder

__all__ = ["PACKERS", "Bytes", "Indexed", "indexed", "packed_by"]


class Bytes:
    """Ranges of bytes in memory, which counts what is asked for."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.asked: list[tuple[int, int]] = []

    @contextmanager
    def open(self, start: int, end: int) -> Iterator[io.BytesIO]:
        """Open a part."""
        self.asked.append((start, end))
        yield io.BytesIO(self.data[start:end])

    @property
    def total(self) -> int:
        """Bytes that were asked for."""
        return sum(end - start for start, end in self.asked)


def _ours(codec: str, level: int) -> Callable[[bytes], bytes]:
    def pack(data: bytes) -> bytes:
        machine = compressor(codec, level)
        return machine.compress(data) + machine.flush()

    return pack


def _stored(data: bytes) -> bytes:
    return gzip.compress(data, 0, mtime=0)


def _members(data: bytes) -> bytes:
    cuts = range(0, len(data), 50_001)
    return b"".join(gzip.compress(data[at : at + 50_001], 6, mtime=0) for at in cuts) + bytes(3)


def _fixed(data: bytes) -> bytes:
    machine = zlib.compressobj(9, zlib.DEFLATED, 31, 9, zlib.Z_FIXED)
    return machine.compress(data) + machine.flush()


def _pigz(data: bytes) -> bytes:
    words = ["pigz", "-c", "-p", "2", "-b", "128"]
    return subprocess.run(words, input=data, capture_output=True, check=True).stdout


def _frames(data: bytes) -> bytes:
    skippable = b"\x50\x2a\x4d\x18\x04\0\0\0abcd"
    cuts = range(0, len(data), 70_003)
    return skippable + b"".join(zstd().compress(data[at : at + 70_003]) for at in cuts) + skippable


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "igzip": _ours("gzip", 1),
    "zlib": lambda data: gzip.compress(data, 6, mtime=0),
    "stored": _stored,
    "fixed": _fixed,
    "members": _members,
    "pigz": _pigz,
    "zstd": _ours("zstd", 3),
    "frames": _frames,
}
"""How a tar becomes a blob: each way that builders have."""


def packed_by(name: str, data: bytes) -> bytes:
    """Give the blob that `name` of PACKERS makes of `data`."""
    return PACKERS[name](data)


class Indexed:
    """An index that was made: of which blob, its bytes, and what its writer said."""

    def __init__(self, blob: bytes, file: bytes, written: Written, index: SeekIndex) -> None:
        self.blob = Bytes(blob)
        self.file = Bytes(file)
        self.written = written
        self.index = index

    def layer(self, name: str = "layer") -> IndexedLayer:
        """Open the layer by its index."""
        return IndexedLayer(name, self.index, file=self.file, blob=self.blob)


def indexed(
    sealed: SealedLayer, blob: bytes, *, every: int = 64 * 1024, by_libz: bool = True
) -> Indexed:
    """Make the index of `sealed`, whose tar `blob` has."""
    sink = io.BytesIO()
    writer = SeekIndexWriter(sink)
    codec = sniff(blob[:4])
    found = finder(codec, every, libz() if by_libz else None)
    cutter = SpanCutter(found, writer.keep, limit=2 * every)
    tar = b"".join(piece for at in range(0, len(blob), 33_333) for piece in cutter.feed(blob[at : at + 33_333]))  # fmt: skip
    assert tar == b"".join(sealed.tar())
    written = writer.finish(
        sealed, cutter.finish(), blob=Digest.of(blob), blob_size=len(blob), codec=codec
    )
    file = sink.getvalue()
    head = (written.head_size, bytes.fromhex(written.head_digest.hex))
    return Indexed(blob, file, written, SeekIndex.read(Bytes(file), len(file), head))
