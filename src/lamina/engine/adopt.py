"""Images that another tool wrote into the store: read as they are, sealed when first needed."""

from contextlib import contextmanager

from lamina.engine import naming
from lamina.events import silent
from lamina.image.source import choose_manifest, refuse_artifact
from lamina.spec.config import CONFIG_LIMIT, ImageConfig
from lamina.spec.descriptor import Descriptor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lamina.engine.engine import Engine
    from lamina.spec.digest import Digest
    from lamina.spec.manifest import Manifest
    from lamina.store.blobs import BlobStore
    from lamina.store.names import Named
    from lamina.stream.verify import Readable

__all__ = ["StoreSource", "adopt", "describe", "manifest_of"]


class StoreSource:
    """One entry of our own store, as an `ImageSource`."""

    def __init__(self, blobs: "BlobStore", target: Descriptor) -> None:
        self._blobs = blobs
        self._target = target

    def manifest(self, digest: "Digest | None") -> tuple[Descriptor, bytes]:
        """Read the entry's manifest or a child of it, verified."""
        wanted = digest or self._target.digest
        raw = self._blobs.read(wanted)
        return Descriptor("" if digest else self._target.media_type, wanted, len(raw)), raw

    @contextmanager
    def blob(self, descriptor: Descriptor, offset: int = 0) -> "Iterator[Readable]":
        """Open a blob at `offset`."""
        with self._blobs.open(descriptor.digest) as file:
            file.seek(offset)
            yield file

    def referrers(self, digest: "Digest") -> tuple[Descriptor, ...]:  # noqa: ARG002 - the Protocol's
        """Give nothing: what this machine keeps are images."""
        return ()

    def stop(self) -> None:
        """Do nothing: reads of files end by themselves."""


def manifest_of(engine: "Engine", row: "Named") -> "Manifest":
    """Read what an entry stands for on this machine's platform; an index is resolved."""
    source = StoreSource(engine.store.blobs, row.target)
    return choose_manifest(source, engine.platform, name=row.name or str(row.target.digest))[1]


def describe(engine: "Engine", row: "Named") -> dict[str, str]:
    """Give an entry's facts; for another tool's entry what its documents tell, without sealing.

    Its size is that of the compressed layers until the image is used.
    """
    if naming.IMAGE_ID in row.facts:
        return dict(row.facts)
    manifest = manifest_of(engine, row)
    refuse_artifact(manifest, name=row.name or str(row.target.digest))
    config = ImageConfig.read_anyway(
        engine.store.blobs.read(manifest.config.digest, limit=CONFIG_LIMIT)
    )
    return {
        naming.IMAGE_ID: str(config.digest),
        naming.CREATED: config.created,
        naming.SIZE: str(sum(layer.size for layer in manifest.layers)),
    }


def adopt(engine: "Engine", rows: "Sequence[Named]") -> dict[str, str]:
    """Seal the layers of an image that is only blobs so far, and note its facts for good.

    Costs one pass over its layers, once. Raises: Corrupt, Unavailable (disk).
    """
    from lamina.image.receive import Place, receive

    first = rows[0]
    place = Place(engine.store.blobs, engine.layers, engine.settings.layer_workers)
    source = StoreSource(engine.store.blobs, first.target)
    with engine.store.lease():
        shown = first.name or str(first.target.digest)
        received = receive(source, place, engine.platform, name=shown, listener=silent)
        facts = naming.facts_of(engine, received.config)
        for target in {row.target.digest: row.target for row in rows if row.name}.values():
            engine.store.names.note(target, facts)
    return facts
