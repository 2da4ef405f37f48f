"""Write the seek index of a sealed layer, beside which its blob is decoded once."""

from hashlib import sha256
from struct import Struct

from lamina.layer.entry import Kind
from lamina.layer.seek_index import (
    DIGEST_ROWS,
    FRAME,
    DigestRows,
    Frame,
    SeekIndex,
    head_of,
    packed,
)
from lamina.spec.digest import Digest
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

    from lamina.layer.node import Node
    from lamina.layer.sealed import SealedLayer
    from lamina.layer.spans import Span

__all__ = ["SeekIndexWriter", "Written"]

_HOLES_LIMIT = 256 * 1024 * 1024
"""A file with holes has no digest beyond: it may be larger than anybody can read."""


@dataclass(frozen=True, slots=True)
class Written:
    """An index that was written: all of it, and its head, which a reader begins with."""

    digest: Digest
    size: int
    head_digest: Digest
    head_size: int


class SeekIndexWriter:
    """Write one index to `sink`, front to back: windows as they are found, the rest with `finish`."""

    def __init__(self, sink: "BinaryIO") -> None:
        self._sink = sink
        self._sum = sha256()
        self._at = 0

    def keep(self, window: bytes) -> tuple[int, int]:
        """Write a window; give its place and size."""
        frame = self._frame(window)
        return frame.at, frame.size

    def finish(
        self,
        layer: "SealedLayer",
        spans: "tuple[Span, ...]",
        *,
        blob: Digest,
        blob_size: int,
        codec: str,
    ) -> Written:
        """Write what `layer` has beside its tar, and the digest of each file, which is read for it.

        Same layer, same blob, same bytes, as long as the zstd library is the same.
        Raises: SealedLayerCorrupt, OSError.
        """
        metadata = tuple(self._frame(piece) for piece in layer.metadata(FRAME))
        digests = self._digests(layer)
        block, sums = layer.header()
        index = SeekIndex(
            blob, blob_size, codec, block, sums, metadata, digests, spans, layer.needs_parents
        )
        head = head_of(index)
        self._write(head)
        whole = Digest(f"sha256:{self._sum.hexdigest()}")
        return Written(whole, self._at, Digest.of(head), len(head))

    def _digests(self, layer: "SealedLayer") -> tuple[DigestRows, ...]:
        files = {node.nid: node for _, node in layer.walk() if _has_digest(node)}
        known: dict[int, bytes] = {}
        for node in sorted(files.values(), key=lambda node: (node.data_at, node.nid)):
            total = sha256()
            for piece in layer.pieces(node):
                total.update(piece)
            known[node.nid] = total.digest()
        nids = sorted(known)
        rows = []
        for start in range(0, len(nids), DIGEST_ROWS):
            part = nids[start : start + DIGEST_ROWS]
            column = Struct(f"<{len(part)}Q").pack(*part)
            frame = self._frame(column + b"".join(known[nid] for nid in part))
            rows.append(DigestRows(part[0], len(part), frame))
        return tuple(rows)

    def _frame(self, plain: bytes) -> Frame:
        raw = packed(plain)
        at = self._at
        self._write(raw)
        return Frame(at, len(raw), sha256(raw).digest())

    def _write(self, data: bytes) -> None:
        self._sink.write(data)
        self._sum.update(data)
        self._at += len(data)


def _has_digest(node: "Node") -> bool:
    if node.kind is not Kind.FILE:
        return False
    return not node.is_sparse or node.size <= _HOLES_LIMIT
