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
    from lamina.engine.images import LocalImage
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
) -> list[PushOutcome]:
    """Send every blob the registry lacks, then the manifest, then the next tag.

    Layers go in parallel; one that another repository of the registry has is mounted, not sent.
    The manifest comes last, so a push that fails leaves no half image.
    Raises: NotTagged, Unauthorized, Denied, Unavailable, Corrupt (our blob is damaged).
    """
    from lamina.remote.repository import Repository

    wanted = Reference.parse(name)
    references = _local_tags(engine, wanted) if all_tags else [wanted]
    listener(Notice(f"The push refers to repository [{wanted.name}]"))
    repository = Repository(wanted.name, engine.client)
    outcomes = []
    for reference in references:
        with engine.store.lease():
            image = _find(engine, reference)
            _push_layers(engine, repository, image, reference, listener)
            _push_blob(engine, repository, image.manifest.config)
            target = reference.tag or str(image.manifest.digest)
            digest = repository.put_manifest(target, image.manifest.raw, image.manifest.media_type)
        size = len(image.manifest.raw)
        name_image(engine, str(reference.with_digest(digest)), image.manifest, image.config)
        listener(Notice(f"{target}: digest: {digest} size: {size}"))
        outcomes.append(PushOutcome(reference, digest, size))
    return outcomes


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


def _push_layers(
    engine: "Engine",
    repository: "Repository",
    image: "LocalImage",
    reference: Reference,
    listener: Listener,
) -> None:
    rows = list(zip(image.manifest.layers, image.config.diff_ids, strict=True))[::-1]
    for _, diff_id in rows:
        listener(LayerProgress(diff_id.short, Phase.PREPARING))
    mounts = _mount_sources(engine, reference)
    pool = ThreadPoolExecutor(engine.settings.layer_workers, thread_name_prefix="push")
    sent: set[Digest] = set()
    futures = []
    for layer, diff_id in rows:
        if layer.digest in sent:  # the same layer twice in one image
            listener(LayerProgress(diff_id.short, Phase.PRESENT))
            continue
        sent.add(layer.digest)
        sources = tuple(mounts.get(layer.digest, ()))
        futures.append(
            pool.submit(_push_layer, engine, repository, layer, diff_id, sources, listener)
        )
    try:
        done, _ = wait(futures, return_when=FIRST_EXCEPTION)
        for future in done:
            future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _push_layer(
    engine: "Engine",
    repository: "Repository",
    layer: "Descriptor",
    diff_id: "Digest",
    mounts: tuple[str, ...],
    listener: Listener,
) -> None:
    told = 0

    def progress(count: int) -> None:
        nonlocal told
        if count - told >= _REPORT_EVERY or count in (0, layer.size):
            told = count
            listener(LayerProgress(diff_id.short, Phase.PUSHING, count, layer.size))

    outcome = repository.upload(
        layer, lambda: engine.store.blobs.open(layer.digest), mount_from=mounts, progress=progress
    )
    if outcome.mounted_from:
        listener(LayerProgress(diff_id.short, Phase.MOUNTED, detail=outcome.mounted_from))
    elif outcome.existed:
        listener(LayerProgress(diff_id.short, Phase.PRESENT))
    else:
        listener(LayerProgress(diff_id.short, Phase.PUSHED))


def _push_blob(engine: "Engine", repository: "Repository", blob: "Descriptor") -> None:
    repository.upload(blob, lambda: engine.store.blobs.open(blob.digest))


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
