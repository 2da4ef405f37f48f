"""Push: an image here becomes a name at a registry, byte for byte unless other packing is asked for."""

from lamina.engine.repacking import PACKED, PUSHED, Known, Packer, note_of
from lamina.engine.sending import Parcel, Sender
from lamina.errors import NotFound
from lamina.events import Listener, Notice, silent
from lamina.spec.manifest import Manifest, parse_manifest
from lamina.spec.reference import Reference
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.engine.engine import Engine
    from lamina.engine.local import LocalImage
    from lamina.spec.descriptor import Descriptor
    from lamina.spec.digest import Digest
    from lamina.stream.codec import Compression
    from lamina.study.regrets import Regret

__all__ = ["NotTagged", "PushOutcome", "find_tagged", "local_tags", "parcels_of", "push", "regrets"]


class NotTagged(NotFound):
    """No local image has the name that should be pushed."""


@dataclass(frozen=True, slots=True)
class PushOutcome:
    """One pushed tag: the digest the registry now knows, and the manifest's bytes."""

    reference: Reference
    digest: "Digest"
    size: int


def push(
    engine: "Engine",
    name: str,
    *,
    all_tags: bool = False,
    platform: str = "",
    compression: "Compression | None" = None,
    force: bool = False,
    listener: Listener = silent,
) -> tuple[PushOutcome, ...]:
    """Send every blob the registry lacks, then the manifest, then the next tag.

    Layers go in parallel; one that another repository of the registry has is mounted, not sent.
    Of an index the image for `platform` goes, else for this machine. With `compression` layers that were made here are packed so on their way, with `force` all are.
    The manifest comes last, so a push that fails leaves no half image.
    Raises: NotTagged, Unauthorized, Denied, Unavailable, Corrupt (our blob is damaged).
    """
    from lamina.remote.repository import Repository

    wanted = Reference.parse(name)
    references = local_tags(engine, wanted) if all_tags else [wanted]
    listener(Notice(f"The push refers to repository [{wanted.name}]"))
    repository = Repository.of(engine.client, wanted)
    sender = Sender(engine, repository, listener)
    outcomes: list[PushOutcome] = []
    with engine.store.lease():
        for reference in references:
            try:
                image = find_tagged(engine, reference, platform)
            except NotFound:
                if not all_tags or (reference is references[-1] and not outcomes):
                    raise
                continue  # removed since the tags were listed
            known = Known.of(engine, reference)
            packer = Packer(engine, compression, known, force) if compression else None
            parcels = parcels_of(image, known, packer)
            manifest, packed = _as_sent(image, sender.send(parcels)[1:])
            target = reference.tag or manifest.digest
            digest = repository.put_manifest(target, manifest.raw, manifest.media_type)
            _note(engine, reference.with_digest(digest), image, packed)
            listener(Notice(f"{target}: digest: {digest} size: {len(manifest.raw)}"))
            outcomes.append(PushOutcome(reference, digest, len(manifest.raw)))
    return tuple(outcomes)


def regrets(engine: "Engine", name: str) -> "tuple[Regret, ...]":
    """Tell what is likely not meant to leave this machine, of the image's layers that were made here.

    An image that is not here has none: pushing it says so.
    """
    from lamina.image.intake import COMPRESSION

    reference = Reference.parse(name)
    if engine.store.names.get(str(reference)) is None:
        return ()
    image = engine.images.resolve(str(reference))
    made = [n for n, layer in enumerate(image.manifest.layers) if COMPRESSION in layer.annotations]
    found: list[Regret] = []
    for number in made:
        from lamina.study.regrets import of_layer

        with engine.layers.open(image.config.diff_ids[: number + 1]) as layer:
            found += of_layer(layer)
    return tuple(found)


def local_tags(engine: "Engine", wanted: Reference) -> list[Reference]:
    """Give every tag that a repository has here, sorted. Raises: NotTagged."""
    rows = [Reference.parse(row.name) for row in engine.store.names.all() if row.name]
    found = [row for row in rows if row.name == wanted.name and row.tag]
    if not found:
        raise NotTagged(f"An image does not exist locally with the tag: {wanted.familiar_name}")
    return sorted(found, key=lambda row: row.tag)


def find_tagged(engine: "Engine", reference: Reference, platform: str = "") -> "LocalImage":
    """Give the image of that very name. Raises: NotTagged, ImageUnknown (none for `platform`)."""
    if engine.store.names.get(str(reference)) is None:
        raise NotTagged(
            f"An image does not exist locally with the tag: {reference.familiar_name}",
            hint=f"give it the name first: lamina tag IMAGE {reference.familiar}",
        )
    if platform:
        return engine.images.resolve(reference.familiar, platform=platform)
    return engine.images.resolve(str(reference))


def parcels_of(image: "LocalImage", known: Known, packer: Packer | None) -> list[Parcel]:
    """List the configuration, which no one watches, and the layers, topmost first."""
    config = image.manifest.config
    parcels = [Parcel(config, "", config.size, known.homes.get(config.digest, ()))]
    diff_ids = image.config.diff_ids
    for number in reversed(range(len(diff_ids))):
        layer, pile = image.manifest.layers[number], diff_ids[: number + 1]
        shown = pile[-1].short
        if packer is None or not packer.wants(layer):
            homes = known.homes.get(layer.digest, ())
            parcels.append(Parcel(layer, shown, layer.size, homes))
            continue
        wanted = packer.expected(layer)
        homes = known.homes.get(wanted.digest, ()) if wanted else ()
        recipe = f"{pile[-1]} as {packer.compression}"
        maker = packer.maker(pile)
        parcels.append(Parcel(wanted, shown, packer.size(pile), homes, maker, recipe))
    return parcels


def _as_sent(
    image: "LocalImage", sent: "list[Descriptor]"
) -> "tuple[Manifest, dict[Digest, Descriptor]]":
    """Give the manifest of what was sent, topmost layer first, and what became another blob."""
    pairs = zip(image.manifest.layers[::-1], sent, strict=True)
    packed = {layer.digest: new for layer, new in pairs if new.digest != layer.digest}
    if not packed:
        return image.manifest, packed
    from lamina.image.packing import repacked_manifest

    manifest = parse_manifest(repacked_manifest(image.manifest.raw, packed))
    assert isinstance(manifest, Manifest)  # noqa: S101 - what an image has is no index
    return manifest, packed


def _note(
    engine: "Engine",
    digested: Reference,
    image: "LocalImage",
    packed: "dict[Digest, Descriptor]",
) -> None:
    """Give the image the digested name, and note how it was packed for it, unless that is known.

    An image that another command removed meanwhile stays removed.
    """
    names = engine.store.names
    row = names.get(str(digested))
    is_ours = row is not None and row.target.digest == image.manifest.digest
    if row is not None and is_ours:
        facts = dict(row.facts)
    else:
        known = (each for each in names.all() if each.target.digest == image.manifest.digest)
        entry = next(known, None)
        if entry is None:
            return  # removed while it was sent: what goes to a registry does not bring it back
        facts = {**entry.facts, PUSHED: "yes"}
        facts.pop(PACKED, "")
    if packed:
        facts[PACKED] = note_of(packed)
    if row is None or not is_ours or facts != dict(row.facts):
        names.set(str(digested), image.manifest.descriptor, facts)
