"""What the whole takes on disk, and what each removal would free."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping

from lamina.engine import undo
from lamina.engine.census import Census, census
from lamina.values import dataclass, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.engine.engine import Engine
    from lamina.engine.undo import Kept
    from lamina.spec.digest import Digest
    from lamina.store.garbage import Reach

__all__ = [
    "ContainerUse",
    "DiskUse",
    "ImageUse",
    "Share",
    "VolumeUse",
    "container_size",
    "content_size",
    "measure",
    "reaches",
    "removed_needs",
]


@dataclass(frozen=True, slots=True)
class ImageUse:
    """One image's share of the disk, in bytes. `size` = `shared` + `unique`.

    `unique` is what `rmi --now` frees: blobs and layers that nothing else needs or keeps.
    """

    id: str
    names: tuple[str, ...]
    created: str
    size: int
    shared: int
    unique: int
    containers: int


@dataclass(frozen=True, slots=True)
class ContainerUse:
    """One container's bytes: in listings those it wrote, in disk use all that `rm` frees."""

    id: str
    name: str
    image: str
    command: str
    created: str
    status: str
    size: int
    running: bool


@dataclass(frozen=True, slots=True)
class VolumeUse:
    """One named volume, in bytes; `containers` use it."""

    name: str
    size: int
    containers: int


@dataclass(frozen=True, slots=True)
class Share:
    """One line of the sum: things of a kind, how many are in use, their bytes, what could go."""

    kind: str
    total: int
    active: int
    size: int
    reclaimable: int


@dataclass(frozen=True, slots=True)
class DiskUse:
    """What is below the root. The sizes of `shares` add up to what `du` says of it.

    Of images `image prune -a --now` frees what is reclaimable, of the kept every `--now` of a
    prune, of downloads `system prune`. `quota` is what all may take together, 0 where there is none.
    """

    images: tuple[ImageUse, ...]
    containers: tuple[ContainerUse, ...]
    volumes: tuple[VolumeUse, ...]
    kept: "tuple[Kept, ...]"
    shares: tuple[Share, ...]
    quota: int = 0

    @property
    def size(self) -> int:
        """All bytes on the disk."""
        return sum(share.size for share in self.shares)


def measure(engine: "Engine") -> DiskUse:
    """Add up the disk. Files are counted once however many images hold them.

    Costs a `stat` of every file below the root. Raises: ManifestDamaged.
    """
    containers = tuple(engine.containers.disk_use())  # a plain user becomes root of a namespace
    found = census(engine.store.root)
    live = undo.live(engine)
    kept = undo.kept(engine, live)
    needed = reaches(engine)
    images = tuple(_images(engine, found, needed, removed_needs(engine, kept)))
    states = engine.snapshotter.frozen.users() if found.frozen else {}
    containers = tuple(
        replace(use, size=container_size(found, states, use.id)) for use in containers
    )
    volumes = tuple(_volumes(engine, found))
    shares = (
        _image_share(found, live, needed, images),
        Share(
            "Containers",
            len(containers),
            sum(1 for container in containers if container.running),
            sum(found.containers.values()) + sum(found.frozen.values()),
            sum(container.size for container in containers if not container.running)
            + _idle_states(found, states, containers),
        ),
        Share(
            "Local Volumes",
            len(volumes),
            sum(1 for volume in volumes if volume.containers),
            sum(found.volumes.values()),
            sum(volume.size for volume in volumes if not volume.containers),
        ),
        Share("Build Cache", 0, 0, 0, 0),
        _download_share(engine, found, live, kept),
        _kept_share(found, kept),
        Share("Other", 0, 0, found.rest, 0),
    )
    return DiskUse(images, containers, volumes, kept, shares, engine.settings.quota)


def container_size(found: Census, states: "Mapping[str, set[str]]", container: str) -> int:
    """Give the bytes that go with a container: frozen states only where nobody shares them."""
    own = (state for state, users in states.items() if users == {container})
    return found.containers.get(container, 0) + sum(found.frozen.get(state, 0) for state in own)


def _idle_states(
    found: Census, states: "Mapping[str, set[str]]", containers: "tuple[ContainerUse, ...]"
) -> int:
    """Give the bytes of frozen states that go when every container goes that does not run."""
    running = {use.id for use in containers if use.running}
    return sum(
        size
        for state, size in found.frozen.items()
        if len(states.get(state, ())) != 1 and not states.get(state, set()) & running
    )


def content_size(found: Census, blobs: "Iterable[Digest]", diff_ids: "Iterable[Digest]") -> int:
    """Give what blobs and layers take on the disk, with all that was made of the layers."""
    return sum(found.blobs.get(digest, 0) for digest in blobs) + sum(
        found.layers.get(digest, 0) for digest in diff_ids
    )


def reaches(engine: "Engine") -> "dict[str, Reach]":
    """Tell what each image needs, by its ID; other entries of the index count as images, too."""
    from lamina.engine.naming import IMAGE_ID
    from lamina.store.garbage import reach

    known = {(row.name, row.target.digest): facts[IMAGE_ID] for row, facts in engine.images.rows()}
    targets: dict[str, list[Digest]] = {}
    for row in engine.store.names.all():
        image_id = known.get((row.name, row.target.digest), f"entry {row.target.digest}")
        targets.setdefault(image_id, []).append(row.target.digest)
    for record in engine.containers.records():
        for image in record.images:
            targets.setdefault(str(image), []).append(image)
    return {image_id: reach(engine.store.unpinned, rows) for image_id, rows in targets.items()}


def removed_needs(engine: "Engine", kept: "Iterable[Kept]") -> "list[Reach]":
    """Tell what images need that are kept for undo and not listed any more, for each change.

    One that only lost its name to another is still listed, dangling, and goes with `rmi --now`.
    """
    from lamina.store.garbage import reach

    numbers = {row.number for row in kept}
    listed = {row.target.digest for row in engine.store.names.all()}
    found = []
    for change in engine.store.names.history().changes if numbers else ():
        if change.number in numbers:
            lost = {row.target.digest for row in engine.store.names.lost(change)}
            found.append(reach(engine.store.unpinned, lost - listed - set(change.forgotten)))
    return found


def _images(
    engine: "Engine", found: Census, needed: "Mapping[str, Reach]", removed: "Iterable[Reach]"
) -> Iterator[ImageUse]:
    holders = [*needed.values(), *removed]
    blobs = Counter(digest for each in holders for digest in each.blobs)
    layers = Counter(digest for each in holders for digest in each.diff_ids)
    users = Counter(str(image) for record in engine.containers.records() for image in record.images)
    for image in engine.images.list():
        needs = needed.get(str(image.id))
        if needs is None:  # it came since the disk was looked at
            continue
        size = content_size(found, needs.blobs, needs.diff_ids)
        unique = content_size(
            found,
            (digest for digest in needs.blobs if blobs[digest] == 1),
            (digest for digest in needs.diff_ids if layers[digest] == 1),
        )
        yield ImageUse(
            str(image.id),
            image.names,
            image.created,
            size,
            size - unique,
            unique,
            users[str(image.id)],
        )


def _image_share(
    found: Census, live: "Reach", needed: "Mapping[str, Reach]", images: "Collection[ImageUse]"
) -> Share:
    """Count the images; what no container needs could go."""
    idle = {image.id for image in images if not image.containers}
    busy = [reach for image_id, reach in needed.items() if image_id not in idle]
    blobs = {digest for reach in busy for digest in reach.blobs}
    layers = {digest for reach in busy for digest in reach.diff_ids}
    size = content_size(found, live.blobs, live.diff_ids)
    return Share(
        "Images",
        len(images),
        len(images) - len(idle),
        size,
        size - content_size(found, blobs, layers),
    )


def _volumes(engine: "Engine", found: Census) -> Iterator[VolumeUse]:
    used = Counter(
        str(mount["Folder"])
        for record in engine.containers.records()
        for mount in record.mounts
        if mount.get("Folder")
    )
    for name, size in sorted(found.volumes.items()):
        if not name.startswith("."):  # one in the making
            yield VolumeUse(name, size, used[f"{engine.store.disk.volumes}/{name}"])


def _download_share(
    engine: "Engine", found: Census, live: "Reach", kept: "Iterable[Kept]"
) -> Share:
    """Count what is on its way in, and what an interrupted pull left behind."""
    stay_blobs = live.blobs.union(*(row.blobs for row in kept))
    stay_layers = live.diff_ids.union(*(row.diff_ids for row in kept))
    lost_blobs, lost_layers = found.blobs.keys() - stay_blobs, found.layers.keys() - stay_layers
    partials = engine.store.blobs.partials()
    running = sum(1 for row in partials if row.busy)
    size = found.partials + content_size(found, lost_blobs, lost_layers)
    count = len(partials) + len(lost_blobs) + len(lost_layers)
    return Share("Downloads", count, running, size, 0 if running else size)


def _kept_share(found: Census, kept: "Collection[Kept]") -> Share:
    size = sum(content_size(found, row.blobs, row.diff_ids) for row in kept)
    return Share("Kept for Undo", len(kept), 0, size, size)
