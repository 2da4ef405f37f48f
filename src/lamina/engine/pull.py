"""Pull: a name at a registry becomes an image here."""

import gc
from contextlib import contextmanager
from functools import partial

from lamina.engine.naming import name_image
from lamina.errors import NotFound
from lamina.events import Listener, Notice, silent
from lamina.image.receive import Received, receive
from lamina.spec.descriptor import MediaType
from lamina.spec.manifest import Index, parse_manifest
from lamina.spec.platform import Platform
from lamina.spec.reference import Reference
from lamina.stream.verify import DigestMismatch, SizeMismatch
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from lamina.engine.engine import Engine
    from lamina.image.place import Place
    from lamina.remote.repository import Repository
    from lamina.spec.descriptor import Descriptor
    from lamina.spec.digest import Digest

__all__ = ["PullOutcome", "pull", "pull_all", "pull_platforms"]

_DEEPEST = 4


@dataclass(frozen=True, slots=True)
class PullOutcome:
    """What a pull did. `digest` is what the name stood for at the registry (maybe an index)."""

    reference: Reference
    digest: "Digest"
    image_id: "Digest"
    downloaded: bool


def pull(
    engine: "Engine",
    name: str,
    *,
    platform: str = "",
    unpack: bool = True,
    listener: Listener = silent,
) -> PullOutcome:
    """Bring `name` here and give it its names; layers already here are not sent again.

    Nothing is visible before every byte is verified; after a failure a repeat continues. Where the
    driver unpacks layers they are unpacked now, each while others come, unless `unpack` is off.
    Raises: ReferenceInvalid, NotFound, Unauthorized, Denied, Unavailable, Corrupt.
    """
    reference = Reference.parse(name)
    wanted = Platform.parse(platform) if platform else engine.platform
    shown = str(reference.digest) if reference.digest else reference.tag
    place = engine.place(unpack=unpack)
    with engine.store.lease(), _uncollected():
        first = True

        def tell(event: object) -> None:
            nonlocal first
            if first:
                first = False
                listener(Notice(f"Pulling from {_path(reference)}", id=shown))
            listener(event)  # type: ignore[arg-type]

        received = _receive(engine, reference, place, wanted, tell)
        if first:
            listener(Notice(f"Pulling from {_path(reference)}", id=shown))
        changed = _give_names(engine, reference, received)
    listener(Notice(f"Digest: {received.top.digest}"))
    downloaded = changed or not received.already_here
    words = "Downloaded newer image for" if downloaded else "Image is up to date for"
    listener(Notice(f"Status: {words} {reference.familiar}"))
    return PullOutcome(reference, received.top.digest, received.config.digest, downloaded)


def pull_all(
    engine: "Engine",
    name: str,
    *,
    platform: str = "",
    unpack: bool = True,
    listener: Listener = silent,
) -> tuple[PullOutcome, ...]:
    """Pull every tag of a repository, in the registry's order. Raises: as `pull`."""
    from lamina.remote.repository import Repository

    reference = Reference.parse(name)
    tags = Repository.of(engine.client, reference).tags()
    if not tags:
        raise NotFound(f"repository {reference.familiar_name} has no tags")
    return tuple(
        pull(
            engine,
            str(reference.with_tag(tag)),
            platform=platform,
            unpack=unpack,
            listener=listener,
        )
        for tag in tags
    )


def pull_platforms(
    engine: "Engine", name: str, *, unpack: bool = True, listener: Listener = silent
) -> tuple[PullOutcome, ...]:
    """Pull the image of every platform of an index.

    This machine's gets the name and comes last; the others are named by their digests and are not
    unpacked. Attestations are left out. Raises: as `pull`.
    """
    from lamina.remote.repository import Repository

    reference = Reference.parse(name)
    repository = Repository.of(engine.client, reference)
    rows = _platforms(repository, reference.digest or reference.tag, depth=0)
    mine = engine.platform.choose(row.platform for row in rows if row.platform)
    outcomes = [
        pull(
            engine,
            str(reference.with_digest(row.digest)),
            platform=str(row.platform),
            unpack=False,
            listener=listener,
        )
        for row in rows
        if row.platform != mine
    ]
    if mine is not None or not rows:
        outcomes.append(pull(engine, name, unpack=unpack, listener=listener))
    return tuple(outcomes)


def _platforms(
    repository: "Repository", target: "str | Digest", *, depth: int
) -> "list[Descriptor]":
    """List what an index offers to run, those in indexes below it too; nothing for one image."""
    top, raw = repository.manifest(target)
    document = parse_manifest(raw, top.media_type)
    rows: list[Descriptor] = []
    if isinstance(document, Index):
        for row in document.manifests:
            if row.media_type in MediaType.INDEXES and depth < _DEEPEST:
                rows += _platforms(repository, row.digest, depth=depth + 1)
            elif row.platform and row.platform.os != "unknown":
                rows.append(row)
    return rows


def _receive(
    engine: "Engine", reference: Reference, place: "Place", platform: Platform, listener: Listener
) -> Received:
    """Fetch from the mirrors and the origin; from the origin alone when a mirror's bytes are others."""
    from lamina.image.transports.registry import RegistrySource

    source = RegistrySource(engine.client, reference, engine.abort, blobs=place.blobs)
    bring = partial(
        receive,
        place=place,
        platform=platform,
        name=reference.familiar,
        listener=listener,
        witness=engine.witness,
    )
    try:
        return bring(source)
    except (DigestMismatch, SizeMismatch) as error:
        mirrors = source.mirrors
        if not mirrors:
            raise
        engine.client.lost_mirrors.update(mirrors)
        listener(Notice(f"Passing over mirrors {', '.join(mirrors)}: {error}"))
    source = RegistrySource(engine.client, reference, engine.abort, blobs=place.blobs)
    return bring(source)


@contextmanager
def _uncollected() -> "Iterator[None]":
    """Keep Python from looking for cycles in the hundred thousand objects of an index: none are made."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _path(reference: Reference) -> str:
    """Name the repository as docker does here: with `library/`, without the registry."""
    return reference.repository


def _give_names(engine: "Engine", reference: Reference, received: Received) -> bool:
    """Name the image by tag and by digest; tell whether the tag is new or has moved."""
    digested = str(reference.with_digest(received.top.digest))
    command = f"pull {reference.familiar}"
    tagged = bool(reference.tag and not reference.digest)
    return name_image(
        engine,
        str(reference) if tagged else digested,
        received.manifest,
        received.config,
        command=command,
        also=(digested,) if tagged else (),
    )
