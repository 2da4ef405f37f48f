"""Push: an image here becomes a name at a registry, byte for byte."""

from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lamina.engine.naming import name_image
from lamina.errors import NotFound
from lamina.events import LayerProgress, Listener, Notice, Phase, silent
from lamina.spec.manifest import parse_manifest
from lamina.spec.reference import Reference

if TYPE_CHECKING:
    from lamina.engine.engine import Engine
    from lamina.engine.local import LocalImage
    from lamina.remote.repository import Repository
    from lamina.spec.descriptor import Descriptor
    from lamina.spec.digest import Digest

__all__ = ["NotTagged", "PushOutcome", "push"]

_REPORT_EVERY = 512 * 1024


class NotTagged(NotFound):
    """No local image has the name that should be pushed."""


@dataclass(frozen=True, slots=True)
class PushOutcome:
    """One pushed tag: the digest the registry now knows, and the manifest's bytes."""

    reference: Reference
    digest: "Digest"
    size: int


def push(
    engine: "Engine", name: str, *, all_tags: bool = False, listener: Listener = silent
) -> tuple[PushOutcome, ...]:
    """Send every blob the registry lacks, then the manifest, then the next tag.

    Layers go in parallel; one that another repository of the registry has is mounted, not sent.
    The manifest comes last, so a push that fails leaves no half image.
    Raises: NotTagged, Unauthorized, Denied, Unavailable, Corrupt (our blob is damaged).
    """
    from lamina.remote.repository import Repository

    wanted = Reference.parse(name)
    references = _local_tags(engine, wanted) if all_tags else [wanted]
    listener(Notice(f"The push refers to repository [{wanted.name}]"))
    repository = Repository.of(engine.client, wanted)
    outcomes = []
    for reference in references:
        with engine.store.lease():
            image = _find(engine, reference)
            sender = _Sender(engine, repository, reference, listener)
            sender.send_layers(image)
            sender.send_config(image)
            target = reference.tag or image.manifest.digest
            digest = repository.put_manifest(target, image.manifest.raw, image.manifest.media_type)
        size = len(image.manifest.raw)
        name_image(engine, str(reference.with_digest(digest)), image.manifest, image.config)
        listener(Notice(f"{target}: digest: {digest} size: {size}"))
        outcomes.append(PushOutcome(reference, digest, size))
    return tuple(outcomes)


def _local_tags(engine: "Engine", wanted: Reference) -> list[Reference]:
    rows = [Reference.parse(row.name) for row in engine.store.names.all() if row.name]
    found = [row for row in rows if row.name == wanted.name and row.tag]
    if not found:
        raise NotTagged(f"An image does not exist locally with the tag: {wanted.familiar_name}")
    return sorted(found, key=lambda row: row.tag)


def _find(engine: "Engine", reference: Reference) -> "LocalImage":
    if engine.store.names.get(str(reference)) is None:
        raise NotTagged(
            f"An image does not exist locally with the tag: {reference.familiar_name}",
            hint=f"give it the name first: lamina tag IMAGE {reference.familiar}",
        )
    return engine.images.resolve(str(reference))


@dataclass(frozen=True, slots=True)
class _Sender:
    """One image on its way to one repository."""

    engine: "Engine"
    repository: "Repository"
    reference: Reference
    listener: Listener

    def send_layers(self, image: "LocalImage") -> None:
        """Send what the repository lacks, topmost layer first, several at once."""
        rows = list(zip(image.manifest.layers, image.config.diff_ids, strict=True))[::-1]
        for _, diff_id in rows:
            self.listener(LayerProgress(diff_id.short, Phase.PREPARING))
        mounts = _mount_sources(self.engine, self.reference)
        pool = ThreadPoolExecutor(self.engine.settings.layer_workers, thread_name_prefix="push")
        sent: set[Digest] = set()
        futures = []
        for layer, diff_id in rows:
            if layer.digest in sent:  # the same layer twice in one image
                self.listener(LayerProgress(diff_id.short, Phase.PRESENT))
                continue
            sent.add(layer.digest)
            sources = tuple(mounts.get(layer.digest, ()))
            futures.append(pool.submit(self._send_layer, layer, diff_id, sources))
        try:
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            for future in done:
                future.result()
        except BaseException:
            self.engine.abort()  # or a thread that waits for a silent server would hold us up
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _send_layer(self, layer: "Descriptor", diff_id: "Digest", mounts: tuple[str, ...]) -> None:
        told = 0

        def progress(count: int) -> None:
            nonlocal told
            if count - told >= _REPORT_EVERY or count in (0, layer.size):
                told = count
                self.listener(LayerProgress(diff_id.short, Phase.PUSHING, count, layer.size))

        from lamina.remote.uploads import UploadResult

        outcome = self.repository.upload(
            layer,
            lambda: self.engine.store.blobs.open(layer.digest),
            mount_from=mounts,
            progress=progress,
        )
        if outcome.mounted_from:
            self.listener(LayerProgress(diff_id.short, Phase.MOUNTED, detail=outcome.mounted_from))
        else:
            existed = outcome.result is UploadResult.EXISTS
            phase = Phase.PRESENT if existed else Phase.PUSHED
            self.listener(LayerProgress(diff_id.short, phase))

    def send_config(self, image: "LocalImage") -> None:
        """Send the configuration, which no one watches."""
        wanted = image.manifest.config
        self.repository.upload(wanted, lambda: self.engine.store.blobs.open(wanted.digest))


def _mount_sources(engine: "Engine", reference: Reference) -> "dict[Digest, list[str]]":
    """Tell which other repositories of this registry are known to hold each layer.

    A digested name proves that the repository had the image: we pulled or pushed it there.
    """
    found: dict[Digest, list[str]] = {}
    for row in engine.store.names.all():
        if "@" not in row.name:
            continue
        other = Reference.parse(row.name)
        if other.registry != reference.registry or other.repository == reference.repository:
            continue
        manifest = parse_manifest(engine.store.blobs.read(row.target.digest))
        for layer in getattr(manifest, "layers", ()):
            found.setdefault(layer.digest, []).append(other.repository)
    return found
