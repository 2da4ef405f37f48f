"""What can still be read of a layer that is cut short, damaged, or not the one its image names."""

from contextlib import suppress
from tempfile import TemporaryDirectory

from lamina.errors import Corrupt, Invalid, LaminaError, NotFound, Unsupported
from lamina.layer.parser import TarParser
from lamina.layer.seal import Sealer
from lamina.layer.sealed import SealedLayer
from lamina.stream.codec import decompressor, sniff
from lamina.stream.files import disk_errors
from lamina.stream.verify import DigestMismatch, Hasher, chunks
from lamina.values import StrEnum, dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from lamina.layer.entry import Entry
    from lamina.layer.node import CountedLayer
    from lamina.spec.descriptor import Descriptor
    from lamina.spec.digest import Digest
    from lamina.store.blobs import BlobStore

__all__ = ["Damage", "Extent", "salvage"]

_STEP = 1024  # bytes of a blob decoded at once: what a decoder has of a step that fails is lost
_BLOCK = 512  # of a tar; fed one by one, since a parser that fails gives nothing of its last piece
_BATCH = 1000
_KNOWN = 4


class Extent(StrEnum):
    """How much of a layer is shown."""

    NOTHING = "nothing"
    PART = "part"
    ALL = "all"


_WORDS = {
    Extent.NOTHING: "cannot be read",
    Extent.PART: "cut short",
    Extent.ALL: "damaged",
}


@dataclass(frozen=True, slots=True)
class Damage:
    """What is wrong with a layer, and how much of it is shown all the same."""

    extent: Extent
    error: LaminaError
    entries: int = 0

    @property
    def word(self) -> str:
        """Say it where there is little room."""
        return _WORDS[self.extent]

    @property
    def said(self) -> str:
        """Say it after the layer's name: `cannot be read, and is left out: …`."""
        why = self.error.message
        if self.extent is Extent.NOTHING:
            return f"cannot be read, and is left out: {why}"
        if self.extent is Extent.ALL:
            return f"is shown, but is not as it should be: {why}"
        shown = "entry is" if self.entries == 1 else f"{self.entries} entries are"
        return f"cannot be read to its end, and only its first {shown} shown: {why}"


def salvage(
    blobs: "BlobStore",
    blob: "Descriptor",
    diff_id: "Digest",
    below: "Sequence[CountedLayer]",
) -> tuple[SealedLayer | None, Damage | None]:
    """Read a layer's blob as far as it goes; give what came of it, open, and what is wrong.

    The layer is a file that has no name any more, and holds each entry whose body is all there. One
    that could not be begun is None. Where nothing is wrong there is no damage to tell. `below`, the
    layers under it, say what hard links stand for. Costs the layer's size in temporary files.
    """
    with TemporaryDirectory(prefix="lamina-rest-") as folder:
        path = f"{folder}/layer"
        try:
            with disk_errors("reading a damaged layer"), Sealer(path, early=False) as sealer:
                reading = _Reading(sealer, blob, diff_id)
                why = reading.run(blobs)
                if why is not None and not reading.entries:
                    return None, Damage(Extent.NOTHING, why)
                sealer.finish(diff_id, lambda: below)  # type: ignore[arg-type, return-value]  # a tree of any layers
            layer = SealedLayer.open(path)
        except LaminaError as error:  # a hard link to what was lost, a full disk
            return None, Damage(Extent.NOTHING, error)
    if why is None:
        return layer, None
    extent = Extent.ALL if reading.is_whole else Extent.PART
    return layer, Damage(extent, why, reading.entries)


class _Reading:
    """One layer's blob on its way into a sealed file, until something is wrong with it."""

    def __init__(self, sealer: Sealer, blob: "Descriptor", diff_id: "Digest") -> None:
        self._sealer = sealer
        self._blob = blob
        self._diff_id = diff_id
        self._packed = Hasher(blob.digest.algorithm)
        self._plain = Hasher(diff_id.algorithm)
        self._parser = TarParser()
        self._waiting: list[Entry] = []
        self.entries = 0
        self.is_whole = False

    def run(self, blobs: "BlobStore") -> LaminaError | None:
        """Take all that can be taken; give what is wrong, if anything is."""
        codec = "?"
        try:
            with blobs.open(self._blob.digest) as file:
                codec = sniff(file.read(_KNOWN))
                file.seek(0)
                machine = decompressor(codec)
                for packed in chunks(file, _STEP):
                    self._packed.update(packed)
                    for piece in machine.feed(packed):
                        self._take(piece)
            machine.finish()
            self._parser.finish()
        except (Corrupt, Invalid, NotFound, Unsupported) as error:
            with suppress(LaminaError):  # the first of what is wrong is told
                self._add(whole=False)
            return self._strange(error) if not codec and not self.entries else error
        try:
            self._add(whole=True)
        except LaminaError as error:
            return error
        self.is_whole = True
        return self._mismatch()

    def _strange(self, error: LaminaError) -> LaminaError:
        """Give what to say of bytes that are neither packed as is known here, nor a tar."""
        if self._blob.media_type.endswith(".tar"):
            return error
        return Unsupported(f"it is packed as {self._blob.media_type}: {error.message}")

    def _mismatch(self) -> LaminaError | None:
        if self._packed.digest != self._blob.digest:
            return DigestMismatch(
                f"its blob is {self._packed.digest}, and should be {self._blob.digest}"
            )
        if self._plain.digest != self._diff_id != self._blob.digest:  # that stands in for none
            return DigestMismatch(
                f"its tar has diff ID {self._plain.digest}, its image says {self._diff_id}"
            )
        return None

    def _take(self, piece: bytes) -> None:
        self._plain.update(piece)
        self._sealer.append(piece)
        feed = self._parser.feed
        with memoryview(piece) as view:
            at = 0
            while at < len(view):
                # Of a body nothing can be wrong: a gigabyte of zeros is not two million pieces.
                body = _end(self._waiting[-1]) - self._parser.size if self._waiting else 0
                step = max(_BLOCK, body & -_BLOCK)
                found = feed(view[at : at + step])
                at += step
                if found:
                    self._waiting += found
                    if len(self._waiting) > _BATCH:
                        self._add(whole=False)

    def _add(self, *, whole: bool) -> None:
        """Put entries in their places; unless `whole` the last waits, or goes, while its body is not here.

        Raises: as `Sealer.add`, having put in what came before.
        """
        ready, self._waiting = self._waiting, []
        if ready and not whole and _end(ready[-1]) > self._parser.size:
            self._waiting = [ready.pop()]
        for entry in ready:  # one by one: what follows a bad one is not in the layer
            self._sealer.add((entry,))
            self.entries += 1


def _end(entry: "Entry") -> int:
    """Tell where in the tar the body of `entry` ends."""
    if entry.segments:
        return max(offset + size for _, offset, size in entry.segments)
    return entry.offset + entry.size if entry.kind == "file" else entry.offset
