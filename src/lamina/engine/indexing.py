"""Put the seek index of an image beside it at its registry."""

from functools import partial

from lamina.events import Listener, Notice, silent
from lamina.spec.platform import Platform
from lamina.spec.reference import Reference
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from lamina.engine.engine import Engine
    from lamina.layer.sealed import SealedLayer
    from lamina.layer.span_reader import Ranges
    from lamina.remote.repository import Repository
    from lamina.spec.config import ImageConfig
    from lamina.spec.descriptor import Descriptor
    from lamina.spec.digest import Digest
    from lamina.spec.manifest import Manifest

__all__ = ["Indexed", "index_image"]


@dataclass(frozen=True, slots=True)
class Indexed:
    """What was done: the artifact that stands beside `image` now, and the bytes of all its parts.

    `made` is how many layers were read for it: none where it was there before.
    """

    reference: Reference
    image: "Digest"
    artifact: "Digest"
    size: int
    made: int


def index_image(
    engine: "Engine",
    name: str,
    *,
    platform: str = "",
    again: bool = False,
    listener: Listener = silent,
) -> Indexed:
    """Make the seek index of `name` and push it to the registry as the image's referrer.

    Layers that are here are read here; of others the blobs are fetched once, in order, and not
    kept. One that is there is left as it is, unless `again`.
    Raises: ReferenceInvalid, NotFound, Unauthorized, Denied, Unavailable, Corrupt, DiskFull.
    """
    from lamina.image.remote_image import find_index, named_image
    from lamina.remote.repository import Repository

    reference = Reference.parse(name)
    wanted = Platform.parse(platform) if platform else engine.platform
    repository = Repository.of(engine.client, reference)
    _, manifest, config = named_image(engine.client, reference, wanted)
    found = None if again else find_index(repository, manifest)
    if found is not None:
        row, layers = found
        size = sum(each.descriptor.size for each in layers)
        return Indexed(reference, manifest.digest, row.digest, size, 0)
    with engine.store.lease():
        return _Work(engine, repository, manifest, config, listener).run(reference)


class _Work:
    """One index on its way to the registry."""

    def __init__(
        self,
        engine: "Engine",
        repository: "Repository",
        manifest: "Manifest",
        config: "ImageConfig",
        listener: Listener,
    ) -> None:
        self._engine = engine
        self._repository = repository
        self._manifest = manifest
        self._config = config
        self._listener = listener
        self._made = 0

    def run(self, reference: Reference) -> Indexed:
        """Make it, send its parts, then its manifest."""
        from tempfile import TemporaryDirectory

        from lamina.image.seek_artifact import EMPTY
        from lamina.image.seek_build import SeekBuilder
        from lamina.stream.files import disk_errors

        here = self._is_here()
        if not here:
            size = sum(layer.size for layer in self._manifest.layers)
            self._listener(
                Notice(
                    f"Reading {len(self._manifest.layers)} layers, {size} bytes, at the registry"
                )
            )
        with TemporaryDirectory(prefix="lamina-index-") as folder, disk_errors("making an index"):
            builder = SeekBuilder(
                self._manifest, self._config, folder, blobs=self._blob,
                sealed=self._sealed if here else None,
            )  # fmt: skip
            artifact = builder.build(self._send)
        from io import BytesIO

        self._repository.upload(artifact.config, partial(BytesIO, EMPTY))
        self._repository.put_manifest(artifact.digest, artifact.raw, artifact.media_type)
        subject = self._manifest.digest
        self._repository.attach(subject, artifact.descriptor, artifact.raw)
        size = sum(row.size for row in artifact.layers)
        return Indexed(reference, subject, artifact.digest, size, self._made)

    def _is_here(self) -> bool:
        piles = [self._config.diff_ids[: n + 1] for n in range(len(self._config.diff_ids))]
        blobs = self._engine.store.blobs
        return all(blobs.has(layer.digest) for layer in self._manifest.layers) and all(
            self._engine.layers.has(pile) for pile in piles
        )

    def _sealed(self, pile: "Sequence[Digest]") -> "SealedLayer":
        return self._engine.layers.open(pile)

    def _blob(self, layer: "Descriptor") -> "Ranges":
        from lamina.image.remote_image import RemoteRanges, Traffic
        from lamina.image.seek_build import StreamRanges

        blobs = self._engine.store.blobs
        if blobs.has(layer.digest):
            return StreamRanges(partial(blobs.open, layer.digest))
        return RemoteRanges(self._repository, layer, Traffic())

    def _send(self, row: "Descriptor", path: str) -> None:
        self._made += 1
        number = f"layer {self._made} of {len(self._manifest.layers)}"
        self._listener(Notice(f"index of {row.size} bytes", id=number))
        self._repository.upload(row, lambda: open(path, "rb"))  # noqa: SIM115 - it closes it
