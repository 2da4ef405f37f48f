"""A layer that is not here: its seek index says what is in it, and its blob is read by ranges."""

import os
from hashlib import sha256
from threading import RLock

from lamina.layer import erofs
from lamina.layer.entry import Kind
from lamina.layer.erofs import AREA, BLOCK
from lamina.layer.sealed import SealedLayer
from lamina.layer.seek_index import FRAME, SeekIndex, fetch
from lamina.layer.span_reader import SpanCache, SpanReader
from lamina.layer.spans import SeekIndexInvalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from lamina.layer.node import Node
    from lamina.layer.span_reader import Ranges

__all__ = ["IndexedLayer"]

_AHEAD = 256 * 1024  # packed bytes of metadata of a request that goes on from what is here
_FILLED_LIMIT = 1024 * 1024 * 1024  # of memory, for what a hostile index has behind the tar
_ZEROS = bytes(64 * 1024)


class IndexedLayer(SealedLayer):
    """A sealed layer without its tar, for `Tree` and `study`; a context manager.

    `name` is unique among the layers that are read together. `file` has the index and `blob` the
    blob that it is about. What is read of the index is checked against its sums, what is read of
    the blob against those of the index, and a file that is read whole against its digest.
    Costs a request for each 256 KiB of packed metadata that is touched, and one for each run of
    spans. Methods raise SeekIndexInvalid too, and what the ranges raise.
    """

    def __init__(
        self,
        name: str,
        index: SeekIndex,
        *,
        file: "Ranges",
        blob: "Ranges",
        cache: SpanCache | None = None,
    ) -> None:
        fields = erofs.SUPER.unpack_from(index.block)
        header = erofs.HEADER.unpack_from(index.block, erofs.SUPER.size)
        length, meta_end = fields[9] * BLOCK, header[3]
        if meta_end + len(index.sums) > length:
            raise SeekIndexInvalid(f"{name}: its header does not fit its length")
        self.index = index
        self._file = file
        self._filling = RLock()
        self._filled = 0
        self._digests: dict[int, bytes] = {}
        self._place = os.memfd_create("lamina-index", os.MFD_CLOEXEC)
        try:
            os.ftruncate(self._place, length)
            os.pwrite(self._place, index.block, erofs.SUPER_AT)
            os.pwrite(self._place, index.sums, meta_end)
            self._take(name, os.dup(self._place))
            self._check_tables()
        except BaseException:
            os.close(self._place)
            raise
        self._here = bytearray(len(index.metadata))
        self._reader = SpanReader(
            index.spans,
            codec=index.codec,
            blob=blob,
            blob_size=index.blob_size,
            window=lambda span: index.window(file, span),
            cache=cache,
        )

    def __enter__(self) -> "Self":
        return self

    def close(self) -> None:
        """Let go of connections and memory; nodes and files are dead afterwards."""
        self._reader.close()
        super().close()
        if self._place >= 0:
            os.close(self._place)
            self._place = -1

    def _check_tables(self) -> None:
        size, index = self._meta_end - self._tail, self.index
        if len(index.metadata) != -(-size // FRAME) or len(index.sums) != 4 * len(self._sums):
            raise SeekIndexInvalid(f"{self.path}: it lacks some of the metadata")

    def _check(self, start: int, end: int) -> None:
        if self._tail <= start < end <= self._meta_end:
            self._fill((start - self._tail) // FRAME, (end - 1 - self._tail) // FRAME)
        super()._check(start, end)

    def _fill(self, first: int, last: int) -> None:
        """Have the frames `first` to `last` of the metadata here."""
        here, frames = self._here, self.index.metadata
        with self._filling:
            number = here.find(0, first, last + 1)
            while number >= 0:
                # Whoever walks goes from frame to frame, whoever looks for a name jumps.
                ahead = _AHEAD if number and here[number - 1] else 0
                stop, size = number, 0
                while stop < len(frames) and not here[stop] and (stop <= last or size < ahead):
                    size += frames[stop].size
                    stop += 1
                    if (stop - number) * FRAME > _FILLED_LIMIT:
                        break
                self._bring(number, stop)
                number = here.find(0, stop, last + 1)

    def _bring(self, number: int, stop: int) -> None:
        self._filled += (stop - number) * FRAME
        if self._filled > _FILLED_LIMIT:
            raise SeekIndexInvalid(f"{self.path}: more than 1 GiB of it is asked for")
        starts = [self._tail + each * FRAME for each in range(number, stop)]
        sizes = [min(FRAME, self._meta_end - start) for start in starts]
        frames = self.index.metadata[number:stop]
        for start, plain in zip(starts, fetch(self._file, frames, sizes), strict=True):
            os.pwrite(self._place, plain, start)
        self._here[number:stop] = b"\1" * (stop - number)

    def _mapped(self, start: int, end: int) -> "Iterator[bytes]":
        """Give bytes of the file in pieces: those of the tar from the blob."""
        tar_end = AREA + self.tar_size
        if AREA <= start < min(end, tar_end):
            yield from self._reader.pieces(start - AREA, min(end, tar_end) - AREA)
            if end > tar_end:  # the tar's last block is not whole
                yield _ZEROS[: end - tar_end]
            return
        yield from super()._mapped(start, end)

    def pieces(self, node: "Node", offset: int = 0, size: int = -1) -> "Iterator[bytes]":
        """Give a file's content, or a part; all of it is checked against its digest on the way."""
        found = super().pieces(node, offset, size)
        whole = node.kind is Kind.FILE and offset == 0 and not 0 <= size < node.size
        digest = self.digest(node) if whole else None
        if digest is None:
            yield from found
            return
        total = sha256()
        for piece in found:
            total.update(piece)
            yield piece
        if total.digest() != digest:
            raise SeekIndexInvalid(f"{self.path}: a file is not what the index says it is")

    def digest(self, node: "Node") -> bytes | None:
        """Give the SHA-256 of a regular file without reading it; None where the index has none."""
        with self._filling:
            return self.index.file_digest(self._file, node.nid, self._digests)
