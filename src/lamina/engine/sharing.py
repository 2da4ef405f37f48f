"""What images share: the disk's bytes by who needs them, and what removing each, or several, frees."""

from collections import Counter

from lamina.engine import undo
from lamina.engine.census import census
from lamina.engine.disk_use import container_size, content_size, reaches, removed_needs
from lamina.errors import LaminaError
from lamina.spec.reference import Reference
from lamina.values import dataclass, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from lamina.engine.census import Census
    from lamina.engine.engine import Engine
    from lamina.engine.local import ImageSummary
    from lamina.spec.digest import Digest
    from lamina.store.garbage import Reach

    _Item = tuple[bool, Digest]

__all__ = ["Part", "SharedImage", "Sharing", "Standing", "sharing"]


@dataclass(frozen=True, slots=True)
class SharedImage:
    """One image: the bytes it needs on this disk, and what `rmi --now` of it alone frees.

    `names` are familiar; without any the image is dangling. Where `containers` stand on it, they
    have to go first.
    """

    id: str
    names: tuple[str, ...]
    created: str
    layers: int
    size: int
    frees: int
    containers: int


@dataclass(frozen=True, slots=True)
class Part:
    """What exactly these `images` (places in `Sharing.images`) need, on the disk once.

    `diff_ids` are its layers, `size` their bytes and those of the blobs they came in. It would stay
    where it is `held`, as what is not among the images needs it (an image not asked for, a
    container whose image was removed), and where it is `kept` for `undo` of another image.
    `together` is what `rmi --now` of all of `images` frees.
    """

    images: tuple[int, ...]
    diff_ids: tuple[str, ...]
    size: int
    held: bool
    kept: bool
    together: int

    @property
    def stays(self) -> bool:
        """Whether it is here still when the images are gone."""
        return self.held or self.kept


@dataclass(frozen=True, slots=True)
class Standing:
    """A container, the image it stands on (empty: none that was asked for) and what it wrote."""

    id: str
    name: str
    image: str
    size: int
    running: bool


@dataclass(frozen=True, slots=True)
class Sharing:
    """Images beside those they share with, the parts they are made of, and who stands on them.

    Parts of more images come first, then the larger; those of one image alone are among them.
    `alone` is what the images would take without sharing, `size` what they do, `held` what of it
    `rmi --now` of all of them would leave.
    """

    images: tuple[SharedImage, ...]
    parts: tuple[Part, ...]
    containers: tuple[Standing, ...]
    alone: int
    size: int
    held: int

    def frees(self, images: "Iterable[int]", *, kept: bool = False) -> int:
        """Tell what removing all of `images` (places) frees, their containers gone.

        With `kept` also what then is only kept for undo, as `image prune --now` does.
        """
        gone = _bits(images)
        return sum(
            part.size
            for part in self.parts
            if not (part.held if kept else part.stays) and not _bits(part.images) & ~gone
        )


def sharing(engine: "Engine", names: "Sequence[str]" = ()) -> Sharing:
    """Lay the images `names` (all that are here, if none) beside each other.

    Costs a `stat` of every file below the root, as `disk_use.measure`. Raises: ImageUnknown,
    ManifestDamaged.
    """
    containers = tuple(engine.containers.disk_use())  # a plain user becomes root of a namespace
    found = census(engine.store.root)
    kept = undo.kept(engine, undo.live(engine))
    needed = reaches(engine)
    wanted = {str(engine.images.documents(name).id) for name in names}
    images = [
        image
        for image in engine.images.list()
        if str(image.id) in needed and (not wanted or str(image.id) in wanted)
    ]
    ids = [str(image.id) for image in images]
    others = [reach for key, reach in needed.items() if key not in set(ids)]
    parts = _parts(found, [needed[key] for key in ids], others, removed_needs(engine, kept))
    order = _order(parts, images)
    parts = _moved(parts, {old: new for new, old in enumerate(order)})
    images = [images[at] for at in order]
    users = Counter(str(image) for record in engine.containers.records() for image in record.images)
    rows = tuple(
        _shared_image(engine, image, place, parts, users) for place, image in enumerate(images)
    )
    states = engine.snapshotter.frozen.users() if found.frozen else {}
    bases = {record.id: str(record.image_id) for record in engine.containers.records()}
    standing = tuple(
        Standing(use.id, use.name, base, container_size(found, states, use.id), use.running)
        for use in containers
        if (base := bases.get(use.id, "")) in ids or not wanted
    )
    return Sharing(
        rows,
        parts,
        standing,
        alone=sum(row.size for row in rows),
        size=sum(part.size for part in parts),
        held=sum(part.size for part in parts if part.stays),
    )


def _shared_image(
    engine: "Engine",
    image: "ImageSummary",
    place: int,
    parts: tuple[Part, ...],
    users: Counter[str],
) -> SharedImage:
    own = [part for part in parts if place in part.images]
    try:
        layers = len(engine.images.documents(str(image.id)).config.diff_ids)
    except LaminaError:  # removed meanwhile, or damaged
        layers = sum(len(part.diff_ids) for part in own)
    return SharedImage(
        id=str(image.id),
        names=tuple(sorted(Reference.parse(name).familiar for name in image.names)),
        created=image.created,
        layers=layers,
        size=sum(part.size for part in own),
        frees=sum(part.size for part in own if part.images == (place,) and not part.stays),
        containers=users[str(image.id)],
    )


def _parts(
    found: "Census",
    needed: "Sequence[Reach]",
    others: "Iterable[Reach]",
    kept: "Iterable[Reach]",
) -> tuple[Part, ...]:
    """Put together what the same images need; nothing that is not on the disk."""
    users: dict[_Item, int] = {}
    for place, reach in enumerate(needed):
        for item in _items(reach):
            users[item] = users.get(item, 0) | 1 << place
    held = {item for reach in others for item in _items(reach)}
    undoable = {item for reach in kept for item in _items(reach)} - held
    groups: dict[tuple[int, bool, bool], list[_Item]] = {}
    for item, bits in users.items():
        groups.setdefault((bits, item in held, item in undoable), []).append(item)
    sizes = {
        key: content_size(
            found,
            (digest for is_layer, digest in items if not is_layer),
            (digest for is_layer, digest in items if is_layer),
        )
        for key, items in groups.items()
    }
    free = [(key[0], size) for key, size in sizes.items() if key[1:] == (False, False)]
    parts = [
        Part(
            images=tuple(place for place in range(len(needed)) if key[0] >> place & 1),
            diff_ids=tuple(sorted(str(digest) for is_layer, digest in items if is_layer)),
            size=sizes[key],
            held=key[1],
            kept=key[2],
            together=sum(size for other, size in free if not other & ~key[0]),
        )
        for key, items in groups.items()
    ]
    shown = (part for part in parts if part.size or part.diff_ids)
    return tuple(
        sorted(shown, key=lambda part: (-len(part.images), -part.size, part.images, part.diff_ids))
    )


def _items(reach: "Reach") -> "Iterator[_Item]":
    """Give what a removal may free: blobs, and (marked) layers."""
    yield from ((False, digest) for digest in reach.blobs)
    yield from ((True, digest) for digest in reach.diff_ids)


def _order(parts: tuple[Part, ...], images: "Sequence[ImageSummary]") -> list[int]:
    """Put images beside those they share most with: by their parts, the most shared first."""
    marks: list[list[int]] = [[] for _ in images]
    for number, part in enumerate(parts):
        if len(part.images) > 1:
            for place in part.images:
                marks[place].append(number)
    last = len(parts)
    return sorted(
        range(len(images)), key=lambda at: (marks[at] or [last], images[at].names or ("~",), at)
    )


def _moved(parts: tuple[Part, ...], places: dict[int, int]) -> tuple[Part, ...]:
    return tuple(
        replace(part, images=tuple(sorted(places[place] for place in part.images)))
        for part in parts
    )


def _bits(images: "Iterable[int]") -> int:
    bits = 0
    for place in images:
        bits |= 1 << place
    return bits
