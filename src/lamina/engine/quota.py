"""A quota for the root: how much may lie below it, and who is told when it is used up.

Counted is what `system df` counts. Whatever brings images in asks before it writes; what containers
write while they run is counted, and not held up: the kernel writes that.
"""

from _thread import allocate_lock

from lamina.stream.files import DiskFull

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lamina.engine.engine import Engine

__all__ = ["Budget", "QuotaFull", "left", "over", "shown", "used"]

_STEP = 1000
_MEASURED_EACH = 64 * 1024 * 1024
_SIXTEENTH = 16


class QuotaFull(DiskFull):
    """The root's own quota leaves no room for this; the disk may well have some."""


class Budget:
    """What one process may still write. Safe for many threads.

    Measures when it is first asked, and again each 64 MiB or each sixteenth of the quota: others
    write, too. Where it would not do, `make_room()` is called before it refuses.
    """

    def __init__(
        self, quota: int, measure: "Callable[[], int]", make_room: "Callable[[], object]"
    ) -> None:
        self._quota = quota
        self._measure = measure
        self._make_room = make_room
        self._mutex = allocate_lock()
        self._left = 0

    def spend(self, size: int) -> None:
        """Take note that `size` bytes are about to be written. Raises: QuotaFull."""
        with self._mutex:
            if self._left < size:
                self._left = self._allowance(size)
            self._left -= size

    def _allowance(self, size: int) -> int:
        free = self._quota - self._measure()
        if free < size:
            self._make_room()
            free = self._quota - self._measure()
        if free < size:
            raise over(self._quota, free, f"{shown(size)} more would be written")
        return max(size, min(free, max(_MEASURED_EACH, self._quota // _SIXTEENTH)))


def over(quota: int, free: int, what: str) -> QuotaFull:
    """Give the error that says what does not fit, and into what."""
    rest = f"{shown(free)} of it are free" if free > 0 else "all of it is used"
    return QuotaFull(
        f"the quota of {shown(quota)} (LAMINA_QUOTA) does not allow that: {what}, and {rest}",
        hint="`lamina system df` shows what takes room, `lamina system prune` frees some; "
        "the disk itself is not full: `lamina --quota SIZE` allows more",
    )


def used(engine: "Engine") -> int:
    """Give the bytes that lie below the root. Costs a `stat` of every file."""
    from lamina.engine.census import census

    return census(engine.store.root, strict=False).total


def left(engine: "Engine") -> int | None:
    """Give the bytes that the quota leaves, below 0 for what is too much; None without a quota."""
    quota = engine.settings.quota
    return quota - used(engine) if quota else None


def shown(size: int) -> str:
    """Write a size as other messages do, in powers of 1000."""
    value, units = float(size), ["B", "kB", "MB", "GB", "TB"]
    while value >= _STEP and len(units) > 1:
        value /= _STEP
        units.pop(0)
    return f"{value:.3g}{units[0]}"
