"""What a push, copy or pull would move, without moving it: every blob is asked for, nothing is sent.

Nothing is written, here or there. Of a blob that has to be packed first only the plain size is known.
"""

from contextlib import suppress
from functools import partial

from lamina.errors import Denied, NotFound, Unauthorized
from lamina.image.jobs import Cancelled, Jobs, gather
from lamina.remote.repository import Repository
from lamina.spec.reference import Reference
from lamina.values import StrEnum, dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lamina.engine.engine import Engine
    from lamina.image.copy import Contents
    from lamina.image.source import ImageSource
    from lamina.image.transports.names import PlaceName
    from lamina.spec.descriptor import Descriptor
    from lamina.spec.digest import Digest
    from lamina.spec.platform import Platform
    from lamina.stream.codec import Compression

    Look = Callable[["Descriptor"], "Step"]

__all__ = ["Plan", "Step", "Way", "plan_copy", "plan_pull", "plan_push"]

_AT_ONCE = 16


class Way(StrEnum):
    """How a blob would come to be there."""

    SENT = "sent"
    PACKED = "packed and sent"
    MOUNTED = "mounted"
    THERE = "there"


@dataclass(frozen=True, slots=True)
class Step:
    """One blob or manifest: its size is that of the plain tar where it would be packed first.

    `home` is the repository that it would be mounted from.
    """

    id: str
    size: int
    way: Way
    home: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What would happen for one name: its blobs, then its manifests, the named one last."""

    name: str
    digest: "Digest"
    blobs: tuple[Step, ...]
    manifests: tuple[Step, ...]

    @property
    def moving(self) -> tuple[Step, ...]:
        """The steps that would take bytes along."""
        steps = (*self.blobs, *self.manifests)
        return tuple(step for step in steps if step.way in (Way.SENT, Way.PACKED))

    @property
    def size(self) -> int:
        """The bytes of these, before packing."""
        return sum(step.size for step in self.moving)


def plan_push(
    engine: "Engine",
    name: str,
    *,
    all_tags: bool = False,
    platform: str = "",
    compression: "Compression | None" = None,
    force: bool = False,
) -> tuple[Plan, ...]:
    """Tell what `push` would send. Raises: as `push` does before it sends."""
    from lamina.engine.push import find_tagged, local_tags, parcels_of
    from lamina.engine.repacking import Known, Packer

    wanted = Reference.parse(name)
    repository = Repository.of(engine.client, wanted)
    plans = []
    coming: set[str] = set()
    with engine.store.lease():
        for reference in local_tags(engine, wanted) if all_tags else [wanted]:
            image = find_tagged(engine, reference, platform)
            known = Known.of(engine, reference)
            packer = Packer(engine, compression, known, force) if compression else None
            parcels = parcels_of(image, known, packer)
            whole = [row.wanted for row in parcels if row.wanted is not None]
            homes = {row.wanted.digest: row.homes for row in parcels if row.wanted is not None}
            looks = partial(_look, engine, repository, homes)
            found = iter(_side_by_side(looks, whole))
            steps = [
                next(found) if row.wanted else Step(row.shown, row.size, Way.PACKED)
                for row in parcels
            ]
            blobs = tuple(_once(step, coming) for step in steps)
            manifest = image.manifest.descriptor
            if any(step.way is Way.PACKED for step in steps):  # its digest is known afterwards
                last = Step(manifest.digest.short, manifest.size, Way.PACKED)
            else:
                last = _named(repository, reference, manifest)
            plans.append(Plan(reference.familiar, manifest.digest, blobs, (last,)))
    return tuple(plans)


def plan_pull(engine: "Engine", name: str, *, platform: str = "") -> Plan:
    """Tell what `pull` would fetch for this machine's platform, or another. Raises: as `pull`."""
    from lamina.image.transports.registry import RegistrySource
    from lamina.spec.platform import Platform

    reference = Reference.parse(name)
    source = RegistrySource(engine.client, reference, engine.abort)
    wanted = Platform.parse(platform) if platform else engine.platform
    return _plan(source, reference.familiar, wanted, _looks_here(engine))


def plan_copy(
    engine: "Engine",
    source: str,
    target: str,
    *,
    everything: bool = False,
    platform: str = "",
    referrers: bool = False,
) -> Plan:
    """Tell what `copy` would move. Raises: as `copy` does before it moves anything."""
    from lamina.engine.copying import open_source, wanted_platform
    from lamina.image.transports.names import PlaceName

    here, there = PlaceName.parse(source), PlaceName.parse(target)
    wanted = wanted_platform(engine, platform, everything=everything)
    with engine.store.lease(), open_source(engine, here) as opened:
        look = _looks_at(engine, there, here)
        return _plan(opened, target, wanted, look, referrers=referrers)


def _plan(
    source: "ImageSource",
    name: str,
    platform: "Platform | None",
    look: "Look",
    *,
    referrers: bool = False,
) -> Plan:
    from lamina.image.copy import contents

    found: Contents = contents(source, platform, name=name, referrers=referrers)
    blobs = _side_by_side(look, list(found.blobs.values()))
    manifests = _side_by_side(look, [descriptor for descriptor, _ in found.manifests])
    return Plan(name, found.top.digest, tuple(blobs), tuple(manifests))


def _side_by_side(look: "Look", rows: "Sequence[Descriptor]") -> list[Step]:
    """Ask for each; the first alone, so that one login serves all that follow."""
    jobs = Jobs(_AT_ONCE, name="look")
    try:
        first = [look(row) for row in rows[:1]]
        return [*first, *gather([(jobs, partial(look, row)) for row in rows[1:]])]
    finally:
        jobs.close(Cancelled("it was stopped"))


def _once(step: Step, coming: set[str]) -> Step:
    """Count a blob of several tags once: after the first it is there."""
    if step.way is Way.PACKED or step.id not in coming:
        coming.add(step.id)
        return step
    return Step(step.id, step.size, Way.THERE)


def _look(
    engine: "Engine",
    repository: Repository,
    homes: "dict[Digest, Sequence[str]]",
    wanted: "Descriptor",
) -> Step:
    """Ask a registry for a blob, and the repositories beside it that may have it."""
    short = wanted.digest.short
    if repository.holds(wanted.digest):
        return Step(short, wanted.size, Way.THERE)
    for home in homes.get(wanted.digest, ()):
        beside = Repository(engine.client, repository.registry, home)
        with suppress(NotFound, Denied, Unauthorized):
            if beside.has_blob(wanted.digest):
                return Step(short, wanted.size, Way.MOUNTED, home)
    return Step(short, wanted.size, Way.SENT)


def _named(repository: Repository, reference: Reference, wanted: "Descriptor") -> Step:
    """Ask what the name stands for there."""
    way = Way.SENT
    with suppress(NotFound):
        if repository.resolve(reference).digest == wanted.digest:
            way = Way.THERE
    return Step(wanted.digest.short, wanted.size, way)


def _looks_here(engine: "Engine") -> "Look":
    blobs = engine.store.unpinned
    return partial(_local, lambda row: blobs.has(row.digest))


def _local(has: "Callable[[Descriptor], bool]", wanted: "Descriptor") -> Step:
    way = Way.THERE if has(wanted) else Way.SENT
    return Step(wanted.digest.short, wanted.size, way)


def _looks_at(engine: "Engine", there: "PlaceName", here: "PlaceName") -> "Look":
    """Give what asks a place for a blob or a manifest, and makes nothing there."""
    from lamina.engine.copying import mounts
    from lamina.image.transports.folder import DirSource, Files
    from lamina.spec.descriptor import MediaType

    if there.transport == "lamina":
        return _looks_here(engine)
    if there.transport == "oci":
        return partial(_local, Files(there.path).has)
    if there.transport == "dir":
        return partial(_local, DirSource(there.path).has)
    if there.transport != "docker":  # an archive is written anew
        return partial(_local, lambda _: False)
    target = Reference.parse(there.name)
    repository = Repository.of(engine.client, target)
    homes = mounts(target, here)

    def look(wanted: "Descriptor") -> Step:
        if wanted.media_type in (*MediaType.MANIFESTS, *MediaType.INDEXES):
            return _named(repository, target.with_digest(wanted.digest), wanted)
        return _look(engine, repository, {wanted.digest: homes}, wanted)

    return look
