"""Copy between any two places: registries, layouts, folders, archives, and this machine's store."""

from contextlib import ExitStack, contextmanager, suppress

from lamina.engine.adopt import StoreSource
from lamina.engine.archives import opened_archive
from lamina.engine.undo import occasion
from lamina.errors import Invalid, NotFound, Unsupported
from lamina.events import Listener, Notice, Phase, silent
from lamina.image.archive import Archive, ArchiveSource
from lamina.image.copy import copy as copy_image
from lamina.image.sink import Arrival, ImageSink, OpenBlob, Progress
from lamina.image.transports.names import PlaceName
from lamina.spec.manifest import Index, parse_manifest
from lamina.spec.platform import Platform
from lamina.spec.reference import Reference
from lamina.stream.verify import chunks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from lamina.engine.engine import Engine
    from lamina.image.archive import ArchiveImage
    from lamina.image.source import ImageSource
    from lamina.spec.descriptor import Descriptor
    from lamina.spec.digest import Digest

__all__ = ["StoreSink", "copy", "mounts", "open_source", "wanted_platform"]


def copy(
    engine: "Engine",
    source: str,
    target: str,
    *,
    everything: bool = False,
    platform: str = "",
    referrers: bool = False,
    listener: Listener = silent,
) -> "Digest":
    """Copy the image `source` to `target`, each a `transport:details`; give its digest.

    Of an index the image for `platform` (else this machine's) is taken, or with `everything` the
    whole index as it is; with `referrers` also what is attached to it (signatures, lists of
    contents). Documents and blobs keep their bytes.
    Raises: Invalid (a name), NotFound, Unauthorized, Denied, Unavailable, Corrupt, Unsupported.
    """
    here, there = PlaceName.parse(source), PlaceName.parse(target)
    wanted = wanted_platform(engine, platform, everything=everything)
    with ExitStack() as stack:
        stack.enter_context(engine.store.lease())
        opened = stack.enter_context(open_source(engine, here))
        if everything and there.transport == "docker-archive":
            _refuse_index(opened)
        top = copy_image(
            opened,
            _sink(engine, there, here),
            name=source,
            platform=wanted,
            listener=listener,
            workers=engine.settings.layer_workers,
            referrers=referrers,
        )
    listener(Notice(f"Digest: {top.digest}"))
    return top.digest


def wanted_platform(engine: "Engine", platform: str, *, everything: bool) -> Platform | None:
    """Give the platform to take out of an index, None for all of it. Raises: Invalid."""
    if everything and platform:
        raise Invalid("all of an index and one platform of it cannot both be copied")
    if everything:
        return None
    return Platform.parse(platform) if platform else engine.platform


def _refuse_index(source: "ImageSource") -> None:
    """Say before anything is fetched that an archive of docker's holds no index. Raises: Unsupported."""
    top, raw = source.manifest(None)
    if isinstance(parse_manifest(raw, top.media_type), Index):
        raise Unsupported(
            "a docker-archive holds images, not indexes of them",
            hint="leave out --all, or copy to oci-archive:",
        )


@contextmanager
def open_source(engine: "Engine", place: PlaceName) -> "Iterator[ImageSource]":
    """Open the place that an image is read from. Raises: NotFound, Invalid."""
    from lamina.image.transports import folder, registry

    if place.transport == "docker":
        yield registry.RegistrySource(engine.client, Reference.parse(place.name), engine.abort)
    elif place.transport == "oci":
        yield folder.LayoutSource(place.path, place.name)
    elif place.transport == "dir":
        yield folder.DirSource(place.path)
    elif place.transport == "lamina":
        yield StoreSource(engine.store.blobs, _target(engine, place.name))
    else:
        try:
            file = open(place.path, "rb")  # noqa: SIM115 - closed below
        except (FileNotFoundError, IsADirectoryError) as error:
            raise NotFound(f"no such archive: {place.path}") from error
        with file, opened_archive(engine, file) as archive:
            yield _of_archive(archive, place)


def _target(engine: "Engine", name: str) -> "Descriptor":
    """Give what an image of this machine stands for; under a lease it stays. Raises: ImageUnknown."""
    target = engine.images.find(name)[0].target
    while not engine.store.blobs.has(target.digest):
        before, target = target, engine.images.find(name)[0].target
        if target == before:  # not removed just now: damaged, as its reader will say
            break
    return target


def _of_archive(archive: Archive, place: PlaceName) -> "ImageSource":
    """Choose one image of an archive: the only one, or the one of that name."""
    from lamina.image.transports.legacy import LegacySource

    images = archive.images()
    named: list[tuple[tuple[str, ...], ImageSource]] = [
        (_names_of(image), ArchiveSource(archive, image.descriptor)) for image in images
    ]
    if not images:
        named = [(row.names, LegacySource(archive, row)) for row in archive.legacy_images()]
    if not place.name and len(named) == 1:
        return named[0][1]
    for names, source in named:
        if place.name and any(_same(name, place.name) for name in names):
            return source
    offered = ", ".join(name for names, _ in named for name in names) or "nothing"
    if not place.name and named:
        raise Invalid(f"{place.path} has {len(named)} images; say which", hint=f"it has {offered}")
    raise NotFound(f"{place.path} has no image {place.name!r}", hint=f"it has {offered}")


def _names_of(image: "ArchiveImage") -> tuple[str, ...]:
    """Give all that an entry may be asked by; a bare `v1` is a name in a layout."""
    bare = image.descriptor.annotations.get("org.opencontainers.image.ref.name", "")
    own = (bare,) if bare and bare not in image.names else ()
    return (*image.names, *own, str(image.descriptor.digest))


def _same(name: str, wanted: str) -> bool:
    """Tell whether two spellings are one name: `debian` and `docker.io/library/debian:latest`."""
    if name == wanted or name.rpartition(":")[2] == wanted:
        return True
    with suppress(Invalid):
        return Reference.parse(name) == Reference.parse(wanted)
    return False


def _sink(engine: "Engine", place: PlaceName, source: PlaceName) -> ImageSink:
    from lamina.image.transports import archive, folder, registry

    if place.transport == "docker":
        return registry.RegistrySink(
            engine.client,
            Reference.parse(place.name),
            mount_from=mounts(Reference.parse(place.name), source),
            spool=engine.store.disk.uploads,
        )
    if place.transport == "oci":
        return folder.LayoutSink(place.path, place.name)
    if place.transport == "dir":
        return folder.DirSink(place.path)
    if place.transport == "lamina":
        return StoreSink(engine, Reference.parse(place.name))
    docker = place.transport == "docker-archive"
    return archive.ArchiveSink(place.path, place.name, docker=docker)


def mounts(target: Reference, source: PlaceName) -> tuple[str, ...]:
    """Within one registry blobs are mounted from the source, not sent."""
    if source.transport != "docker":
        return ()
    reference = Reference.parse(source.name)
    return (reference.repository,) if reference.registry == target.registry else ()


class StoreSink:
    """A name in this machine's store. What it stands for may be a whole index."""

    def __init__(self, engine: "Engine", reference: Reference) -> None:
        self._engine = engine
        self._reference = reference
        self._top: Descriptor | None = None

    def take(self, wanted: "Descriptor", opened: OpenBlob, progress: Progress) -> Arrival:
        """Keep a blob. An earlier attempt's bytes are written over: the stream starts at 0."""
        blobs = self._engine.store.blobs
        if blobs.has(wanted.digest):
            return Arrival(Phase.PRESENT)
        key = str(wanted.digest).replace(":", "-")
        with blobs.writer(key) as writer, opened() as stream:
            writer.truncate(0)
            for piece in chunks(stream):
                writer.write(piece)
                progress(writer.offset)
            writer.commit(wanted.digest, wanted.size)
        return Arrival()

    def manifest(self, descriptor: "Descriptor", raw: bytes, *, top: bool) -> None:
        """Keep a manifest."""
        self._engine.store.blobs.put(raw)
        if top:
            self._top = descriptor

    def finish(self) -> None:
        """Give the name, and seal the layers of what this machine can run."""
        if self._top is None:
            raise Invalid("nothing was copied")
        why = occasion(f"copy {self._reference.familiar}")
        self._engine.store.names.set(str(self._reference), self._top, {}, occasion=why)
        with suppress(NotFound, Unsupported, Invalid):  # another platform's, or an artifact
            self._engine.images.resolve(str(self._reference))

    def abandon(self) -> None:
        """Do nothing: what has no name is garbage."""
