"""docker's old archives as a source: their images have no manifest, so one is written."""

import io
from contextlib import contextmanager

from lamina.errors import Corrupt, NotFound
from lamina.spec.config import ImageConfig
from lamina.spec.descriptor import Descriptor, MediaType
from lamina.spec.digest import Digest
from lamina.spec.manifest import Manifest
from lamina.stream.codec import sniff
from lamina.stream.verify import Hasher, chunks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from lamina.image.archive import Archive, LegacyImage
    from lamina.stream.verify import Readable

__all__ = ["LegacySource"]

_TYPES = {
    "": MediaType.OCI_LAYER,
    "gzip": MediaType.OCI_LAYER_GZIP,
    "zstd": MediaType.OCI_LAYER_ZSTD,
}


class LegacySource:
    """One image of a `manifest.json`. Layers are given as they lie in the archive.

    A plain layer's digest is the diff ID that its configuration says; a compressed one is read
    once to learn its own.
    """

    def __init__(self, archive: "Archive", image: "LegacyImage") -> None:
        self._archive = archive
        raw = archive.read(image.config)
        config = ImageConfig.from_json(raw)
        if len(config.diff_ids) != len(image.layers):
            raise Corrupt(
                f"the archive lists {len(image.layers)} layers, its configuration {len(config.diff_ids)}"
            )
        layers = []
        self._members: dict[Digest, str] = {}
        for member, diff_id in zip(image.layers, config.diff_ids, strict=True):
            layer = self._describe(member, diff_id)
            layers.append(layer)
            self._members[layer.digest] = member
        described = Descriptor(MediaType.OCI_CONFIG, config.digest, len(raw))
        self._config = (config.digest, raw)
        self._manifest = Manifest.build(described, tuple(layers))

    def _describe(self, member: str, diff_id: Digest) -> Descriptor:
        stream = self._archive.open(member)
        codec = sniff(stream.read(4))
        if not codec:
            return Descriptor(_TYPES[codec], diff_id, stream.size)
        hasher = Hasher()
        for piece in chunks(self._archive.open(member)):
            hasher.update(piece)
        return Descriptor(_TYPES[codec], hasher.digest, hasher.size)

    def manifest(self, digest: Digest | None) -> tuple[Descriptor, bytes]:
        """Give the manifest that was written for it."""
        if digest not in (None, self._manifest.digest):
            raise NotFound(f"the archive has no manifest {digest}")
        return self._manifest.descriptor, self._manifest.raw

    @contextmanager
    def blob(self, descriptor: Descriptor, offset: int = 0) -> "Iterator[Readable]":
        """Open the configuration or a layer at `offset`."""
        if descriptor.digest == self._config[0]:
            yield io.BytesIO(self._config[1][offset:])
        elif descriptor.digest in self._members:
            yield self._archive.open(self._members[descriptor.digest], offset)
        else:
            raise NotFound(f"the archive has no blob {descriptor.digest}")

    def referrers(self, digest: Digest) -> tuple[Descriptor, ...]:  # noqa: ARG002 - the Protocol's
        """Give nothing: docker's archives know none."""
        return ()

    def stop(self) -> None:
        """Do nothing: reads of files end by themselves."""
