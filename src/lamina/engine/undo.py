"""Take back what names lost, and keep what was removed for a while so that this is possible.

Kept is what the changes of the last `Settings.undo_s` took away, the newest first, as long as it
takes no more than a tenth of the room that would be free without it: where room is short, removing
frees at once. See decision 10.
"""

import os
import time
from collections.abc import Iterable, Mapping, Sequence

from lamina.errors import Corrupt, InUse, Invalid, LaminaError, NotFound
from lamina.spec.config import CONFIG_LIMIT, ImageConfig
from lamina.spec.descriptor import MediaType
from lamina.spec.manifest import Index, parse_manifest
from lamina.store.undo import Change, Occasion
from lamina.stream.files import fresh_name
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.engine.engine import Engine
    from lamina.spec.descriptor import Descriptor
    from lamina.spec.digest import Digest
    from lamina.store.garbage import Reach
    from lamina.store.names import Named
    from lamina.store.store import Sweep

__all__ = [
    "ChangeGone",
    "ChangeOvertaken",
    "ChangeUnknown",
    "Kept",
    "Undoable",
    "Undone",
    "free",
    "held_for",
    "kept",
    "listing",
    "live",
    "occasion",
    "on_disk",
    "spare",
    "undo",
]

SHARE = 10
"""What is kept takes at most this part (a tenth) of the room that would be free without it."""


class ChangeUnknown(NotFound):
    """There is no such change, or none at all."""


class ChangeOvertaken(InUse):
    """A name of the change was given to something else since."""


class ChangeGone(NotFound):
    """The bytes are not here any more."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What stays because of one change: all it `needs`, and of that what nothing else does.

    `size` is the bytes of `blobs` and `diff_ids` on the disk.
    """

    number: int
    needs: "Reach"
    blobs: "frozenset[Digest]"
    diff_ids: "frozenset[Digest]"
    size: int


@dataclass(frozen=True, slots=True)
class Undoable:
    """One change of the list. `state` is `kept`, `back` (taken back already) or `gone`.

    `size` is what is kept for it alone, `left_s` how long still. The names in `moved` were not
    taken away: they were given to another image.
    """

    number: int
    command: str
    time_s: float
    lost: "tuple[Named, ...]"
    state: str
    size: int
    left_s: float
    moved: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Undone:
    """What taking back a change did: rows that are listed again, and rows whose bytes are gone."""

    number: int
    command: str
    back: "tuple[Named, ...]"
    gone: "tuple[Named, ...]"


def occasion(command: str, *, undoes: int = 0) -> Occasion:
    """Give the occasion of one command, with which all its changes are taken back as one."""
    return Occasion(command, time.time(), fresh_name(), undoes)


def listing(engine: "Engine") -> tuple[Undoable, ...]:
    """Give the changes that took something away, newest first, and what became of each."""
    names = engine.store.names
    history = names.history()
    taken_back = _taken_back(history.changes)
    held = {row.number: row for row in kept(engine, live(engine))}
    now = time.time()
    rows = []
    for change in reversed(history.changes):
        lost = names.lost(change)
        if not lost:  # put back without displacing anything
            continue
        state = "kept" if any(_is_whole(engine, row) for row in lost) else "gone"
        size = held[change.number].size if change.number in held else 0
        left_s = change.time_s + engine.settings.undo_s - now if change.number in held else 0
        if change.number in taken_back:
            state = "back"
        moved = frozenset(row.name for row in names.came(change) if row.name)
        moved &= {row.name for row in lost}
        facts = change.number, change.command, change.time_s, lost, state, size, left_s, moved
        rows.append(Undoable(*facts))
    return tuple(rows)


def undo(engine: "Engine", number: int = 0, *, force: bool = False) -> Undone:
    """Take back change `number`, or the last one that was not taken back yet.

    Rows whose bytes are gone are left out. With `force` names move that were given to something
    else since; what they stood for stays listed.
    Raises: ChangeUnknown, ChangeGone (nothing of it is here), ChangeOvertaken.
    """
    names = engine.store.names
    change = _chosen(engine, number)
    with engine.store.lease():
        lost = names.lost(change)
        gone = tuple(row for row in lost if not _is_whole(engine, row))
        absent = {row.target.digest for row in gone}
        if len(gone) == len(lost):
            raise ChangeGone(
                f"what `{change.command}` took away is not here any more", hint=_remedy(gone)
            )
        stolen = () if force else names.stolen(change, absent=absent)
        if stolen:
            raise ChangeOvertaken(
                f"{_familiar(stolen[0])} was given to another image after `{change.command}`",
                hint=f"`lamina undo --force {change.number}` moves it back",
            )
        why = occasion(f"undo {change.number}", undoes=change.number)
        back = names.put_back(change, absent=absent, occasion=why)
    return Undone(change.number, change.command, back, gone)


def _chosen(engine: "Engine", number: int) -> Change:
    changes = engine.store.names.history().changes
    if number:
        found = next((change for change in changes if change.number == number), None)
        if found is None or not found.gone:
            raise ChangeUnknown(
                f"there is no change {number}", hint="`lamina undo --list` lists them"
            )
        return found
    over = _taken_back(changes)
    for change in reversed(changes):
        if not change.undoes and change.number not in over:
            return change
    raise ChangeUnknown("nothing to undo", hint="`lamina undo --list` shows what was done before")


def _taken_back(changes: Sequence[Change]) -> set[int]:
    """Give the numbers of changes that a later one took back, if that was not taken back itself."""
    over: set[int] = set()
    for change in reversed(changes):
        if change.undoes and change.number not in over:
            over.add(change.undoes)
    return over


def _familiar(name: str) -> str:
    from lamina.spec.reference import Reference

    return Reference.parse(name).familiar


def _remedy(gone: "Sequence[Named]") -> str:
    for row in gone:
        if row.name:
            repository = _familiar(row.name.partition("@")[0]).rpartition(":")
            name = repository[0] or repository[2]
            return f"`lamina pull {name}@{row.target.digest}` fetches it where a registry has it"
    return "build or import it again"


def spare(engine: "Engine", sweep: "Sweep", *, now: bool) -> "frozenset[Digest]":
    """Spare in `sweep` what is kept (with `now` nothing); give the diff IDs of its layers."""
    changes = engine.store.names.history().changes
    rows = () if now else kept(engine, sweep.live)
    numbers = {row.number for row in rows}
    past = [change.number for change in changes if change.number not in numbers]
    floor = max((number for number in past if not numbers or number < min(numbers)), default=0)
    if floor > engine.store.names.history().floor:
        engine.store.names.let_go(floor)
    sweep.spare(digest for row in rows for digest in row.blobs)
    return frozenset(digest for row in rows for digest in row.diff_ids)


def kept(engine: "Engine", live: "Reach") -> tuple[Kept, ...]:
    """Tell what is kept beside `live`, newest change first."""
    history = engine.store.names.history()
    now = time.time()
    span = engine.settings.undo_s
    over = _taken_back(history.changes)
    fresh = [
        change
        for change in reversed(history.changes)
        if change.number > history.floor
        and change.number not in over
        and -span <= now - change.time_s < span
    ]
    if not fresh:
        return ()
    layers: dict[Digest, int] = {}
    for digest, path in engine.layers.files():
        layers[digest] = layers.get(digest, 0) + on_disk(path)
    rows = list(_beside(engine, fresh, live, layers))
    room = (free(engine) + sum(row.size for row in rows)) // SHARE
    found = []
    for row in rows:
        room -= row.size
        if room < 0:
            break
        found.append(row)
    return tuple(found)


def _beside(
    engine: "Engine", changes: Iterable[Change], live: "Reach", layers: "Mapping[Digest, int]"
) -> Iterable[Kept]:
    """Give what each change holds that neither `live` nor an earlier one of them does."""
    from lamina.store.garbage import reach

    blobs, diff_ids = set(live.blobs), set(live.diff_ids)
    for change in changes:
        lost = engine.store.names.lost(change)
        targets = [row.target.digest for row in lost if row.target.digest not in change.forgotten]
        try:
            found = reach(engine.store.unpinned, targets)
        except LaminaError:  # damaged: what it refers to cannot be told
            continue
        own_blobs, own_layers = found.blobs - blobs, found.diff_ids - diff_ids
        blobs |= own_blobs
        diff_ids |= own_layers
        size = sum(on_disk(engine.store.blobs.path(digest)) for digest in own_blobs)
        size += sum(layers.get(digest, 0) for digest in own_layers)
        yield Kept(change.number, found, frozenset(own_blobs), frozenset(own_layers), size)


def held_for(engine: "Engine", why: Occasion) -> int:
    """Give the bytes that are kept because of one occasion."""
    numbers = {row.number for row in engine.store.names.history().changes if row.token == why.token}
    return sum(row.size for row in kept(engine, live(engine)) if row.number in numbers)


def live(engine: "Engine") -> "Reach":
    """Give all that names and containers need. Raises: ManifestDamaged."""
    from lamina.store.garbage import reach

    rows = [row.target.digest for row in engine.store.names.all()]
    rows += [image for record in engine.containers.records() for image in record.images]
    return reach(engine.store.unpinned, rows)


def _is_whole(engine: "Engine", row: "Named") -> bool:
    """Tell whether all that a row's image needs is here; under a lease it stays then."""
    return _has_all(engine, row.target, sealed=bool(row.facts))


def _has_all(engine: "Engine", target: "Descriptor", *, sealed: bool) -> bool:
    blobs = engine.store.blobs
    if not blobs.has(target.digest):
        return False
    try:
        manifest = parse_manifest(blobs.read(target.digest), target.media_type)
        if isinstance(manifest, Index):
            rows = manifest.manifests
            return not rows or any(_has_all(engine, row, sealed=False) for row in rows)
        if not all(blobs.has(row.digest) for row in (manifest.config, *manifest.layers)):
            return False
        if not sealed or manifest.config.media_type not in MediaType.CONFIGS:
            return True
        raw = blobs.read(manifest.config.digest, limit=CONFIG_LIMIT)
        pile = ImageConfig.from_json(raw).diff_ids
    except (Corrupt, Invalid, NotFound):  # damaged is as good as gone; a disk that fails is not
        return False
    return all(engine.layers.has(pile[: i + 1]) for i in range(len(pile)))


def on_disk(path: str) -> int:
    """Give the bytes that a file takes on the disk, 0 for one that is not there."""
    try:
        return os.lstat(path).st_blocks * 512
    except OSError:
        return 0


def free(engine: "Engine") -> int:
    """Give the bytes that we may still write below the root: what disk and quota leave."""
    found = os.statvfs(engine.store.root)
    room = found.f_bavail * found.f_frsize
    if engine.settings.quota:
        from lamina.engine import quota

        room = max(0, min(room, quota.left(engine) or 0))
    return room
