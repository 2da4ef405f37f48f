"""Remove images: names first, then what nothing needs any more."""

from contextlib import suppress

from lamina.engine import undo
from lamina.engine.journal import note_image, note_prune
from lamina.engine.local import ImageInUse, ImageUnknown, LocalImage, Removed
from lamina.engine.naming import IMAGE_ID
from lamina.engine.room import collect
from lamina.errors import LaminaError, NotFound
from lamina.spec.config import CONFIG_LIMIT, ImageConfig
from lamina.spec.digest import Digest, chain_id
from lamina.spec.reference import Reference
from lamina.store.blobs import BlobUnknown
from lamina.values import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from lamina.engine.containers import ContainerRecord
    from lamina.engine.engine import Engine
    from lamina.engine.local import ImageSummary
    from lamina.store.names import Named
    from lamina.store.undo import Occasion

__all__ = ["prune", "remove"]


def remove(
    engine: "Engine",
    name_or_id: str,
    *,
    force: bool = False,
    now: bool = False,
    occasion: "Occasion | None" = None,
) -> tuple[Removed, ...]:
    """Take a name away; delete the image when it was the last, as docker does.

    What went is kept for `undo`, as one with all else of the same `occasion`; with `now` it is not.
    Raises: ImageUnknown, ImageInUse (a container stands on it, or an ID has names in several
    repositories and `force` is not set).
    """
    try:
        image = engine.images.resolve(name_or_id)
    except ImageUnknown:
        raise
    except LaminaError as error:
        return _remove_unread(engine, name_or_id, error, force=force, now=now, occasion=occasion)
    removed = _remove(engine, image, name_or_id, force=force, now=now, occasion=occasion)
    _tell(engine, removed, str(image.id))
    return removed


def _tell(engine: "Engine", removed: "Sequence[Removed]", image_id: str) -> None:
    """Note in the journal what was taken away of one image."""
    for row in removed:
        if row.untagged:
            note_image(engine, image_id, "untag", name=row.untagged)
        elif row.deleted == image_id:  # the others are layers
            note_image(engine, image_id, "delete")


def _remove(
    engine: "Engine",
    image: LocalImage,
    name_or_id: str,
    *,
    force: bool,
    now: bool,
    occasion: "Occasion | None",
) -> tuple[Removed, ...]:
    rows = engine.images.find(name_or_id)
    by_name = bool(rows[0].name) and _is_name_of(name_or_id, rows[0].name)
    users = [c for c in engine.containers.records() if image.id in c.images]
    if by_name:
        leaving = _with_digests(rows[0].name, [*image.names, *image.digests])
        is_last = len(leaving) == len(image.names) + len(image.digests)
        if is_last:
            _refuse_used(engine, image, users, Reference.parse(rows[0].name).familiar, force=force)
    else:
        _refuse_ambiguous(image, name_or_id, force=force)
        _refuse_used(engine, image, users, name_or_id, force=force, by_id=True)
        leaving = [*image.names, *image.digests]
        is_last = True
    removed = tuple(Removed(untagged=Reference.parse(name).familiar) for name in leaving)
    why = None if now else occasion or undo.occasion(f"rmi {name_or_id}")
    take = engine.store.names.take
    if not is_last:
        take(leaving, occasion=why)
        return removed
    if users:  # forced: the containers keep what they stand on
        take(leaving, kept=replace(rows[0], target=image.manifest.descriptor), occasion=why)
        return removed
    take(leaving, _targets(rows), occasion=why)
    if _keep_used(engine, [replace(rows[0], target=image.manifest.descriptor)], {image.id}):
        return removed
    if now:
        engine.store.names.forget(_targets(rows))
    return (*removed, *_deleted(engine, image))


def _remove_unread(
    engine: "Engine",
    name_or_id: str,
    error: LaminaError,
    *,
    force: bool,
    now: bool,
    occasion: "Occasion | None",
) -> tuple[Removed, ...]:
    """Take a name away whose documents cannot be read (`error`): damaged, or for other machines.

    Raises: `error`, where a container stands on it and `force` is not set, or there is no such name.
    """
    rows = engine.images.find(name_or_id)
    ids = {row.facts.get(IMAGE_ID) for row in rows}
    if not force and not ids.isdisjoint(map(str, _used(engine))):
        raise error
    names = [row.name for row in rows if row.name]
    if names and _is_name_of(name_or_id, rows[0].name):
        names = _with_digests(rows[0].name, names)
    why = None if now else occasion or undo.occasion(f"rmi {name_or_id}")
    engine.store.names.take(names, _targets(rows), occasion=why)
    _keep_used(engine, rows)
    if now:
        engine.store.names.forget(_targets(rows))
    collect(engine)
    removed = tuple(Removed(untagged=Reference.parse(name).familiar) for name in names)
    _tell(engine, removed, next((str(known) for known in ids if known), name_or_id))
    return removed


def prune(
    engine: "Engine",
    *,
    all_unused: bool,
    accepts: "Callable[[ImageSummary], bool]" = lambda _: True,
    now: bool = False,
    occasion: "Occasion | None" = None,
) -> tuple[tuple[Removed, ...], int]:
    """Remove every dangling image (every unused one with `all_unused`) that `accepts` takes.

    Also give the bytes freed. What went is kept for `undo` as in `remove`; with `now` nothing is,
    whatever removed it.
    """
    used = _used(engine)
    gone: list[Named] = []
    removed: list[Removed] = []
    going: list[tuple[list[Removed], str]] = []
    names: list[str] = []
    untagged: set[Digest] = set()
    for summary in engine.images.list():
        if summary.id in used or (summary.names and not all_unused) or not accepts(summary):
            continue
        try:
            rows = engine.images.find(str(summary.id))
        except ImageUnknown:  # another command was quicker
            continue
        untagged |= _targets(rows)
        gone += rows
        leaving = (*summary.names, *summary.digests)
        names += leaving
        lost = [Removed(untagged=Reference.parse(name).familiar) for name in leaving]
        lost.append(Removed(deleted=str(summary.id)))
        going.append((lost, str(summary.id)))
        removed += lost
    why = None if now else occasion or undo.occasion("image prune")
    if removed:
        engine.store.names.take(names, untagged, occasion=why)
        _keep_used(engine, gone)
    for lost, image_id in going:
        _tell(engine, lost, image_id)
    freed = collect(engine, now=now)
    note_prune(engine, "image", freed)
    return tuple(removed), freed


def _keep_used(engine: "Engine", gone: "Sequence[Named]", ids: "Collection[Digest]" = ()) -> bool:
    """List again, without a name, what a container was made from meanwhile; tell whether any was.

    Whoever makes a container looks after that for the image's entry: one of both sees the other.
    """
    used = _used(engine)
    kept = False
    for row in gone:
        image_id = row.facts.get(IMAGE_ID)
        if image_id in used or used.intersection(ids):
            with suppress(NotFound):
                engine.store.names.keep(row.target, row.facts)
                kept = True
    return kept


def _used(engine: "Engine") -> set[Digest]:
    """Give the ID of every image that a container needs."""
    return {image for record in engine.containers.records() for image in record.images}


def _targets(rows: "Sequence[Named]") -> set[Digest]:
    """Give the entries of an image that may have no name: one image may have several manifests."""
    return {row.target.digest for row in rows}


def _is_name_of(text: str, name: str) -> bool:
    try:
        reference = Reference.parse(text)
    except LaminaError:
        return False
    if reference.tag and reference.digest:
        reference = reference.with_digest(reference.digest)
    return str(reference) == name


def _with_digests(name: str, names: "Sequence[str]") -> list[str]:
    """List what goes with `name`, which is one of an image's `names`.

    A repository's digested names leave with its last tag.
    """
    if "@" in name:
        return [name]
    repository = Reference.parse(name).name
    same = [n for n in names if n != name and Reference.parse(n).name == repository]
    digests = [n for n in same if "@" in n]
    return [name, *(digests if len(digests) == len(same) else ())]


def _refuse_ambiguous(image: LocalImage, shown: str, *, force: bool) -> None:
    repositories = {Reference.parse(name).name for name in image.names}
    if len(repositories) > 1 and not force:
        raise ImageInUse(
            f"conflict: unable to delete {shown} (must be forced) - image is referenced in multiple repositories",
            hint="remove it by name, or use --force",
        )


def _refuse_used(
    engine: "Engine",
    image: LocalImage,
    users: "Sequence[ContainerRecord]",
    shown: str,
    *,
    force: bool,
    by_id: bool = False,
) -> None:
    running = next((c for c in users if engine.containers.is_running(c.id)), None)
    if running is not None and (by_id or not force):
        short = image.id.short
        what = f"delete {short}" if by_id else f'remove repository reference "{shown}"'
        how = "cannot be forced" if by_id else "must force"
        raise ImageInUse(
            f"conflict: unable to {what} ({how}) - "
            + (
                f"image is being used by running container {running.id[:12]}"
                if by_id
                else f"container {running.id[:12]} is using its referenced image {short}"
            ),
            hint=f"stop and remove the container first: lamina rm -f {running.id[:12]}",
        )
    if users and not force:
        first = users[0].id[:12]
        short = image.id.short
        text = (
            f"conflict: unable to delete {short} (must be forced) - image is being used by stopped container {first}"
            if by_id
            else f'conflict: unable to remove repository reference "{shown}" (must force) - '
            f"container {first} is using its referenced image {short}"
        )
        raise ImageInUse(
            text, hint=f"remove the container first (lamina rm {first}), or use --force"
        )


def _deleted(engine: "Engine", image: LocalImage) -> list[Removed]:
    """Free what only this image held; name the image and each layer pile that went."""
    before = _piles_in_use(engine)
    removed = [Removed(deleted=str(image.id))]
    pile = image.config.diff_ids
    while pile:
        if str(chain_id(pile)) not in before:
            removed.append(Removed(deleted=str(chain_id(pile))))
        pile = pile[:-1]
    collect(engine)
    return removed


def _piles_in_use(engine: "Engine") -> set[str]:
    used: set[str] = set()
    for diff_ids in _stacks(engine):
        used.update(str(chain_id(diff_ids[: i + 1])) for i in range(len(diff_ids)))
    return used


def _stacks(engine: "Engine") -> list[tuple[Digest, ...]]:
    """Give the pile of every image and container that is left.

    An image whose documents are gone, as another command just removed it, holds no layer.
    """
    from lamina.engine.adopt import manifest_of

    stacks = [pile for record in engine.containers.records() for pile in record.piles]
    blobs = engine.store.blobs
    for row in {row.target.digest: row for row, _ in engine.images.rows()}.values():
        with suppress(BlobUnknown):
            manifest = manifest_of(engine, row)
            raw = blobs.read(manifest.config.digest, limit=CONFIG_LIMIT)
            stacks.append(ImageConfig.from_json(raw).diff_ids)
    return [tuple(stack) for stack in stacks]
