"""What one name holds for several platforms: another tool, or `copy --all`, may keep a whole index."""

from lamina.engine.adopt import StoreSource
from lamina.engine.local import ImageUnknown, LocalImage
from lamina.engine.naming import IMAGE_ID, SIZE
from lamina.errors import NotFound, Unsupported
from lamina.image.source import choose_manifest
from lamina.spec.config import CONFIG_LIMIT, ImageConfig
from lamina.spec.manifest import Manifest, parse_manifest
from lamina.spec.platform import Platform
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lamina.engine.engine import Engine
    from lamina.spec.descriptor import Descriptor
    from lamina.spec.digest import Digest

__all__ = ["Variant", "check_removal", "lacking", "seal_variant", "variant", "variants"]

_DEEPEST = 4


@dataclass(frozen=True, slots=True)
class Variant:
    """One platform of a name. `id` is empty and the sizes 0 where its documents are not here.

    `content_size` are the bytes of its blobs that are here, `size` those of its files, once unpacked.
    """

    platform: Platform
    digest: "Digest"
    id: str = ""
    size: int = 0
    content_size: int = 0


def lacking(name: str, platform: str) -> ImageUnknown:
    """Say that what is here under `name` is for other platforms, in Docker's words."""
    return ImageUnknown(
        f"image with reference {name} was found but does not provide the specified platform ({platform})",
        hint=f"`lamina pull --platform {platform} {name}`",
    )


def variant(engine: "Engine", name: str, platform: str) -> LocalImage:
    """Give the image that `name` has for `platform`.

    One for another machine has no size per layer: it is blobs alone.
    Raises: ImageUnknown (also: none for it), PlatformInvalid, Invalid, Corrupt.
    """
    wanted = Platform.parse(platform)
    rows = engine.images.find(name)
    blobs = engine.store.blobs
    try:
        source = StoreSource(blobs, rows[0].target)
        manifest = choose_manifest(source, wanted, name=name)[1]
        config = ImageConfig.read_anyway(blobs.read(manifest.config.digest, limit=CONFIG_LIMIT))
    except NotFound as error:
        raise lacking(name, platform) from error
    if wanted.choose([config.platform]) is None:
        raise lacking(name, platform)
    if str(config.digest) == rows[0].facts.get(IMAGE_ID):
        return engine.images.resolve(name)
    return LocalImage(
        id=config.digest,
        manifest=manifest,
        config=config,
        names=tuple(sorted(row.name for row in rows if row.name and "@" not in row.name)),
        digests=tuple(sorted(row.name for row in rows if "@" in row.name)),
        size=sum(layer.size for layer in manifest.layers),
        layer_sizes=(),
        parent="",
        tagged="",
    )


def seal_variant(engine: "Engine", name: str, platform: str) -> None:
    """Seal the layers of what `name` has for another machine, of which only blobs are kept.

    Costs one pass over them; those that are sealed are left as they are. The next collection takes
    them away again. Raises: as `variant`, Corrupt, DiskFull.
    """
    from lamina.events import silent
    from lamina.image.receive import Place, receive

    target = engine.images.find(name)[0].target
    place = Place(engine.store.blobs, engine.layers, engine.settings.layer_workers)
    with engine.store.lease():
        source = StoreSource(engine.store.blobs, target)
        receive(source, place, Platform.parse(platform), name=name, listener=silent)


def variants(engine: "Engine", name: str) -> tuple[Variant, ...]:
    """List what `name` has, or names, for each platform, in the index's order. Raises: ImageUnknown."""
    row = engine.images.find(name)[0]
    found = []
    for descriptor, manifest in _manifests(engine, row.target, depth=0):
        if manifest is None:
            found.append(Variant(descriptor.platform or engine.platform, descriptor.digest))
            continue
        blobs = engine.store.blobs
        parts = [descriptor, manifest.config, *manifest.layers]
        here = sum(part.size for part in parts if blobs.has(part.digest))
        try:
            config = ImageConfig.read_anyway(blobs.read(manifest.config.digest, limit=CONFIG_LIMIT))
        except NotFound:
            platform = descriptor.platform or engine.platform
            found.append(Variant(platform, descriptor.digest, content_size=here))
            continue
        known = row.facts.get(IMAGE_ID) == str(config.digest)
        size = int(row.facts.get(SIZE) or 0) if known else 0
        found.append(Variant(config.platform, descriptor.digest, str(config.digest), size, here))
    return tuple(found)


def _manifests(
    engine: "Engine", target: "Descriptor", *, depth: int
) -> "Iterator[tuple[Descriptor, Manifest | None]]":
    """Give every image below `target`, None for one that is not here; attestations are none."""
    blobs = engine.store.blobs
    if not blobs.has(target.digest):
        yield target, None
        return
    document = parse_manifest(blobs.read(target.digest), target.media_type)
    if isinstance(document, Manifest):
        yield target, document
    elif depth < _DEEPEST:
        for row in document.manifests:
            if row.platform is None or row.platform.os != "unknown":
                yield from _manifests(engine, row, depth=depth + 1)


def check_removal(engine: "Engine", name: str, platforms: "Sequence[str]") -> None:
    """See that taking `platforms` away leaves nothing of `name`: an index is kept whole.

    Raises: ImageUnknown (none for one of them), Unsupported.
    """
    going = {variant(engine, name, platform).manifest.digest for platform in platforms}
    staying = [row for row in variants(engine, name) if row.id and row.digest not in going]
    if staying:
        shown = ", ".join(str(row.platform) for row in staying)
        raise Unsupported(
            f"{name} is kept as one index, and it has {shown} as well",
            hint=f"`lamina rmi {name}` removes all of it; "
            f"`lamina pull --platform {staying[0].platform} {name}` keeps that alone",
        )
