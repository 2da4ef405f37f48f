"""Room on the disk: collect what nothing needs, now and when something was kept long enough."""

import os
import time
from contextlib import suppress

from lamina.engine import quota, undo
from lamina.engine.quota import shown
from lamina.stream.files import DiskFull

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    from lamina.engine.engine import Engine
    from lamina.spec.digest import Digest

    _T = TypeVar("_T")

__all__ = ["collect", "make_room", "need", "tidy", "unmount_unused", "with_room"]


def collect(engine: "Engine", *, now: bool = False) -> int:
    """Delete blobs and layers that no name, no container and no running pull needs.

    What is kept for `undo` stays, but with `now`. Give the bytes freed. Safe at any time: everyone
    else is held still meanwhile.
    """
    layers = engine.layers
    unmount_unused(engine)
    with engine.store.sweep(_container_images(engine)) as sweep:
        kept = undo.spare(engine, sweep, now=now)
        if sweep.garbage:
            layers.settle(_only_sealed(engine))
        freed = sweep.blobs().size
        return freed + layers.sweep(sweep.live.diff_ids, sweep.since_ns, kept).size


def unmount_unused(engine: "Engine") -> None:
    """Unmount the layers whose last shim was killed: a mounted file keeps its room when it is removed.

    Cheap where no layer is mounted: a look into one folder.
    """
    run_root = engine.settings.run_root
    if any(_has_mounts(f"{run_root}/{name}") for name in ("layers", "volumes")):
        from lamina.runtime.mounts import SharedLayers

        with suppress(OSError):  # what is left the next one sweeps
            SharedLayers(run_root).release()


def _has_mounts(folder: str) -> bool:
    try:
        return len(os.listdir(folder)) > 1  # one is the folder's lock
    except OSError:  # nothing was ever mounted, or by somebody else
        return False


def _only_sealed(engine: "Engine") -> "Iterator[Digest]":
    """Give the layers of containers whose image is gone: nothing else may hold their bytes."""
    known = {fact for row in engine.store.names.all() for fact in row.facts.values()}
    for record in engine.containers.records():
        for image, pile in zip(record.images, record.piles, strict=True):
            if str(image) not in known:
                yield from pile


def _container_images(engine: "Engine") -> "Iterator[Digest]":
    """Give what containers stand on; asked only when everyone is held still, so nothing is new."""
    for record in engine.containers.records():
        yield from record.images


def tidy(engine: "Engine") -> None:
    """Free what was kept long enough. Cheap where there is nothing: a look for one file."""
    if not os.path.exists(engine.store.disk.undo):
        return
    history = engine.store.names.history()
    past = time.time() - engine.settings.undo_s
    if any(row.number > history.floor and row.time_s <= past for row in history.changes):
        collect(engine)


def make_room(engine: "Engine") -> int:
    """Free at once all that is kept to be put back; give its bytes. For a disk that is full."""
    if not os.path.exists(engine.store.disk.undo):
        return 0
    return collect(engine, now=True)


def need(engine: "Engine", size: int) -> None:
    """Make sure that `size` bytes more fit on the disk and into the quota; what is kept gives way.

    Raises: DiskFull, QuotaFull.
    """
    free = undo.free(engine)
    if free < size:
        make_room(engine)
        free = undo.free(engine)
    if free >= size:
        return
    left = quota.left(engine)
    if left is not None and left < size:
        raise quota.over(engine.settings.quota, left, f"the image needs {shown(size)} at least")
    raise DiskFull(
        f"the image needs {shown(size)} at least, and {shown(free)} are free below "
        f"{engine.store.root}",
        hint="`lamina system df` shows what takes room, `lamina system prune` frees some",
    )


def with_room(engine: "Engine", attempt: "Callable[[], _T]", *, again: bool = True) -> "_T":
    """Make one attempt; if the disk is full, free what is kept and (if `again`) make another."""
    try:
        return attempt()
    except DiskFull:
        if not make_room(engine) or not again:
            raise
    return attempt()
