"""A new layer from plain tar bytes, in one pass: diff ID, sealed layer, compressed blob.

Commit, import and legacy archives all make their layers here.
"""

import uuid
from queue import Queue
from threading import Thread
from typing import TYPE_CHECKING, Self

from lamina.spec.descriptor import Descriptor, MediaType
from lamina.stream.codec import compressor
from lamina.stream.verify import DigestMismatch

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from lamina.image.receive import Place
    from lamina.spec.digest import Digest

__all__ = ["Intake", "NewLayer"]

_MEDIA_TYPES = {
    "gzip": MediaType.OCI_LAYER_GZIP,
    "zstd": MediaType.OCI_LAYER_ZSTD,
    "": MediaType.OCI_LAYER,
}
_BATCH = 1024 * 1024
_QUEUE = 8


class NewLayer:
    """A layer that is now in the store: its blob's descriptor, its diff ID, its content bytes."""

    __slots__ = ("blob", "content_size", "diff_id", "entries")

    def __init__(
        self, blob: Descriptor, diff_id: "Digest", content_size: int, entries: int
    ) -> None:
        self.blob = blob
        self.diff_id = diff_id
        self.content_size = content_size
        self.entries = entries


class Intake:
    """Takes one layer's tar bytes. Use as a context manager; without `commit` nothing stays.

    Compression runs in a thread of its own, beside sealing: both release the GIL.
    """

    def __init__(self, place: "Place", parents: "Sequence[Digest]", *, codec: str = "gzip") -> None:
        self._codec = codec
        self._sealing = place.layers.writer_new(tuple(parents))
        self._blob = place.blobs.writer(f"new-{uuid.uuid4().hex}")
        self._pieces: Queue[bytes | None] = Queue(_QUEUE)
        self._pending: list[bytes] = []
        self._pending_size = 0
        self._failure: BaseException | None = None
        self._thread = Thread(target=self._compress, name="compress", daemon=True)

    def __enter__(self) -> Self:
        self._sealing.__enter__()
        self._blob.__enter__()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: "TracebackType | None",
    ) -> None:
        self._stop()
        if kind is not None or self._blob.offset:
            self._blob.discard()
        self._blob.__exit__(kind, error, trace)
        self._sealing.__exit__(kind, error, trace)

    def write(self, data: bytes) -> None:
        """Take the next plain tar bytes. Raises: Corrupt (no tar), Unavailable (disk)."""
        self._pending.append(data)
        self._pending_size += len(data)
        if self._pending_size >= _BATCH:
            self._pass_on()

    def _pass_on(self) -> None:
        batch = self._pending[0] if len(self._pending) == 1 else b"".join(self._pending)
        self._pending, self._pending_size = [], 0
        if self._failure is not None:
            raise self._failure
        self._pieces.put(batch)
        self._sealing.write(batch)

    def commit(self, *, expected: "Digest | None" = None) -> NewLayer:
        """Make blob and sealed layer visible; check the diff ID where one is expected.

        Raises: DigestMismatch, Corrupt (no tar), Unavailable (disk).
        """
        if self._pending:
            self._pass_on()
        self._stop()
        if self._failure is not None:
            raise self._failure
        if expected is not None and self._sealing.diff_id != expected:
            raise DigestMismatch(
                f"the layer is {self._sealing.diff_id}, not {expected} as promised"
            )
        sealed = self._sealing.commit()
        digest = self._blob.digest
        size = self._blob.offset
        self._blob.commit(digest, size)
        blob = Descriptor(_MEDIA_TYPES[self._codec], digest, size)
        return NewLayer(blob, self._sealing.diff_id, sealed.content_size, sealed.entries)

    def _stop(self) -> None:
        if self._thread.is_alive():
            self._pieces.put(None)
            self._thread.join()

    def _compress(self) -> None:
        machine = compressor(self._codec)
        while (piece := self._pieces.get()) is not None:
            if self._failure is not None:
                continue  # drain, so that the other side never waits for ever
            try:
                if packed := machine.compress(piece):
                    self._blob.write(packed)
            except BaseException as error:  # noqa: BLE001 - handed to the caller's thread
                self._failure = error
        try:
            self._blob.write(machine.flush())
        except BaseException as error:  # noqa: BLE001 - handed to the caller's thread
            self._failure = self._failure or error
