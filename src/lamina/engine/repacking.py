"""Layers packed in another way for a push: which, what is known of them, and how they are made.

What was sent is noted beside the digested name of where it went: `packed` has, for each layer,
`how>old digest>new digest>size`. So a later push of the same asks for the new blobs and makes nothing.
"""

from functools import partial
from types import MappingProxyType

from lamina.image.intake import COMPRESSION, MEDIA_TYPES
from lamina.spec.descriptor import Descriptor
from lamina.spec.digest import Digest
from lamina.spec.manifest import parse_manifest
from lamina.spec.reference import Reference
from lamina.store.blobs import BlobUnknown
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lamina.engine.engine import Engine
    from lamina.stream.codec import Compression

__all__ = ["PACKED", "PUSHED", "Known", "Packer", "note_of"]

PACKED = "packed"
PUSHED = "pushed"
"""Facts of a digested name: how its layers were packed for it; that it came about by a push."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the names of this machine tell about blobs at one registry, and about where they are from.

    `homes` are the other repositories there that are known to hold a blob; `packed` what a layer
    became when it was packed in some way; `foreign` are layers that came from a registry.
    """

    homes: "dict[Digest, list[str]]"
    packed: "dict[tuple[Digest, str], Descriptor]"
    foreign: "frozenset[Digest]"

    @classmethod
    def of(cls, engine: "Engine", target: Reference) -> "Known":
        """Read every digested name: it proves that the repository had the image."""
        homes: dict[Digest, list[str]] = {}
        packed: dict[tuple[Digest, str], Descriptor] = {}
        foreign: set[Digest] = set()
        for row in engine.store.names.all():
            if "@" not in row.name:
                continue
            other = Reference.parse(row.name)
            try:
                manifest = parse_manifest(engine.store.blobs.read(row.target.digest))
            except BlobUnknown:  # another command removed it since the names were read
                continue
            layers = [layer.digest for layer in getattr(manifest, "layers", ())]
            config = getattr(manifest, "config", None)
            if PUSHED not in row.facts:
                foreign.update(layers)
            notes = dict(_read_notes(row.facts.get(PACKED, "")))
            packed.update(notes)
            if other.registry == target.registry and other.repository != target.repository:
                there = [*layers, *(new.digest for new in notes.values())]
                for digest in [*there, *([config.digest] if config else [])]:
                    homes.setdefault(digest, []).append(other.repository)
        return cls(homes, packed, frozenset(foreign))


def _read_notes(text: str) -> "Iterator[tuple[tuple[Digest, str], Descriptor]]":
    for word in text.split():
        how, old, new, size = word.split(">")
        codec = how.partition(";")[0]
        annotations = MappingProxyType({COMPRESSION: how})
        kind = MEDIA_TYPES["" if codec == "none" else codec]
        yield (Digest(old), how), Descriptor(kind, Digest(new), int(size), annotations=annotations)


def note_of(packed: "dict[Digest, Descriptor]") -> str:
    """Write what `Known.of` reads."""
    rows = packed.items()
    return " ".join(
        f"{new.annotations[COMPRESSION]}>{old}>{new.digest}>{new.size}" for old, new in rows
    )


@dataclass(frozen=True, slots=True)
class Packer:
    """Packs layers in one way. With `force` also what came from elsewhere, which else stays as it is."""

    engine: "Engine"
    compression: "Compression"
    known: Known
    force: bool = False

    def wants(self, layer: Descriptor) -> bool:
        """Tell whether a layer is to be packed anew: made here, and packed in another way."""
        how = layer.annotations.get(COMPRESSION, "")
        if how == str(self.compression):
            return False
        return self.force or (bool(how) and layer.digest not in self.known.foreign)

    def expected(self, layer: Descriptor) -> Descriptor | None:
        """Give what the layer became the last time, None when it is not known."""
        return self.known.packed.get((layer.digest, str(self.compression)))

    def size(self, pile: "Sequence[Digest]") -> int:
        """Give the size of the plain tar of the pile's last layer."""
        with self.engine.layers.open(pile) as sealed:
            return sealed.tar_size

    def maker(
        self, pile: "Sequence[Digest]"
    ) -> "Callable[[Callable[[bytes], object]], Descriptor]":
        """Give what packs the pile's last layer into a `write`. Raises: see `packing.pack`."""
        return partial(self._make, tuple(pile))

    def _make(self, pile: "tuple[Digest, ...]", write: "Callable[[bytes], object]") -> Descriptor:
        from lamina.image.packing import pack

        with self.engine.layers.open(pile) as sealed:
            return pack(sealed.tar(), self.compression, write, diff_id=pile[-1])
