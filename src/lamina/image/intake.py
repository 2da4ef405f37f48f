"""A new layer from plain tar bytes, in one pass: diff ID, sealed layer, compressed blob.

Commit, import and legacy archives all make their layers here.
"""

from types import MappingProxyType

from lamina.image.pump import Pump
from lamina.spec.descriptor import Descriptor, MediaType
from lamina.spec.digest import Digest
from lamina.stream.codec import Compression, compressor
from lamina.stream.files import fresh_name, together
from lamina.stream.verify import DigestMismatch
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Self

    from lamina.image.place import Place
    from lamina.layer.entry import Entry

__all__ = ["COMPRESSION", "MEDIA_TYPES", "Intake", "NewLayer"]

COMPRESSION = "io.lamina.compression"
"""The annotation on a layer's descriptor that says how the layer was packed."""

MEDIA_TYPES = {
    "gzip": MediaType.OCI_LAYER_GZIP,
    "zstd": MediaType.OCI_LAYER_ZSTD,
    "": MediaType.OCI_LAYER,
}
"""What a layer's blob is called, by codec."""
_BATCH = 1024 * 1024
_CUT = _BATCH


@dataclass(frozen=True, slots=True)
class NewLayer:
    """A layer that is now in the store: its blob's descriptor, its diff ID, its content bytes."""

    blob: Descriptor
    diff_id: Digest
    content_size: int
    entries: int


class Intake:
    """Takes one layer's tar bytes. Use as a context manager; without `commit` nothing stays.

    Compressing, and hashing and writing the tar, run in a thread each: all of it releases the GIL.
    """

    def __init__(
        self, place: "Place", parents: "Sequence[Digest]", *, compression: Compression | None = None
    ) -> None:
        self._compression = compression or Compression()
        self._machine = compressor(self._compression.codec, self._compression.level)
        self._sealing = place.layers.writer_new(tuple(parents), held=True)
        self._blob = place.blobs.writer(f"new-{fresh_name()}")
        self._pending: list[bytes] = []
        self._pending_size = 0
        self._held: list[bytes] = []
        self._held_size = 0
        self._packing = Pump(self._pack, name="compress")
        self._filing = Pump(self._sealing.append, name="seal")

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *_: object) -> None:
        self._filing.__exit__()
        self._packing.__exit__()
        self._blob.discard()  # its key is ours alone: nobody could continue it
        self._blob.close()
        self._sealing.discard()

    def write(self, data: bytes) -> None:
        """Take the next plain tar bytes. Raises: Corrupt (no tar), Unavailable (disk)."""
        self._pending.append(data)
        self._pending_size += len(data)
        if self._pending_size >= _BATCH:
            self._pass_on()

    def write_known(self, data: bytes, entries: "Sequence[Entry]") -> None:
        """Take the next bytes of a tar of our own writing, and the entries that begin in them.

        Not to be mixed with `write`. Raises: Corrupt (an entry no layer can have), Unavailable.
        """
        self._packing.put(data)
        self._filing.put(data)
        self._sealing.add(entries)

    def _pass_on(self) -> None:
        batch = self._pending[0] if len(self._pending) == 1 else b"".join(self._pending)
        self._pending, self._pending_size = [], 0
        self._packing.put(batch)
        self._sealing.write(batch)

    def finish(self, *, expected: Digest | None = None) -> NewLayer:
        """End the layer; check the diff ID where one is expected. Nothing is visible before `settle`.

        Raises: DigestMismatch, Corrupt (no tar), Unavailable (disk).
        """
        if self._pending:
            self._pass_on()
        self._filing.close()
        self._finish_packing()
        if expected is not None and self._sealing.diff_id != expected:
            raise DigestMismatch(
                f"the layer is {self._sealing.diff_id}, not {expected} as promised"
            )
        sealed = self._sealing.finish()
        how = MappingProxyType({COMPRESSION: str(self._compression)})
        blob = Descriptor(
            MEDIA_TYPES[self._compression.codec], self._blob.digest, self._blob.offset,
            annotations=how,
        )  # fmt: skip
        return NewLayer(blob, self._sealing.diff_id, sealed.content_size, sealed.entries)

    def settle(self, *others: "Callable[[], object]") -> None:
        """Make blob, durably, and sealed layer visible, and run `others` meanwhile.

        Raises: Unavailable (disk), and what `others` raise.
        """
        blob = self._blob
        together(self._sealing.settle, lambda: blob.commit(blob.digest, blob.offset), *others)

    def commit(self, *, expected: Digest | None = None) -> NewLayer:
        """Finish and settle. Raises: as both."""
        layer = self.finish(expected=expected)
        self.settle()
        return layer

    def _pack(self, piece: bytes) -> None:
        """Compress in pieces of one size: isal's output depends on where its input is cut."""
        self._held.append(piece)
        self._held_size += len(piece)
        if self._held_size < _CUT:
            return
        data = self._held[0] if len(self._held) == 1 else b"".join(self._held)
        whole = len(data) - len(data) % _CUT
        view = memoryview(data)
        for at in range(0, whole, _CUT):
            if packed := self._machine.compress(view[at : at + _CUT]):
                self._blob.write(packed)
        self._held, self._held_size = [data[whole:]], len(data) - whole

    def _finish_packing(self) -> None:
        self._packing.close()
        last = b"".join(self._held)
        self._blob.write(self._machine.compress(last) + self._machine.flush())
