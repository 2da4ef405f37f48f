"""Use cases of quotas: set them, and say what is left. Every call may block."""

from collections.abc import Callable
from dataclasses import dataclass

from lamina.errors import Invalid
from lamina.hub.database import Connection, Database
from lamina.hub.errors import QuotaExceeded, RuleUnknown, UploadUnknown
from lamina.hub.names import HUB
from lamina.hub.storage.protocol import Storage
from lamina.hub.tables import quotas, turns
from lamina.hub.tables.quotas import Quota
from lamina.hub.targets import check_target

__all__ = ["Quotas", "Standing", "Usage", "check_room"]

Standing = tuple[tuple[Quota, tuple[str, ...]], ...]
"""Quotas, each with the uploads on their way into what it is for."""
_MOST = 2**62
_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Usage:
    """What a target has, what it may have (None: no limit), and the largest of its repositories."""

    target: str
    used: int
    size: int | None
    is_own: bool
    repositories: tuple[tuple[str, int], ...] = ()


class Quotas:
    """The quotas of one hub."""

    def __init__(self, database: Database, *, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    def all(self) -> tuple[Quota, ...]:
        """Give every quota by target."""
        return self._database.read(quotas.rows)

    def of_repository(self, name: str) -> tuple[Quota, ...]:
        """Give the quotas that hold in a repository: its own and its namespace's."""
        return self._database.read(lambda connection: quotas.of_repository(connection, name))

    def usage(self, target: str) -> Usage:
        """Count what a target has; costs time with its blobs. Raises: Invalid."""
        check_target(target)

        def work(connection: Connection) -> Usage:
            quota = quotas.find(connection, target)
            return Usage(
                target,
                quotas.measure(connection, target),
                None if quota is None else quota.size,
                quota is not None and quota.is_own,
                quotas.sizes(connection, target, limit=_SHOWN),
            )

        return self._database.read(work)

    def set(self, target: str, size: int) -> None:
        """Let a target have `size` bytes: `hub` says what each namespace without its own may have.

        What is there already stays, even if it is more. Raises: Invalid.
        """
        check_target(target)
        if not 0 <= size <= _MOST:
            raise Invalid(f"a quota has 0 bytes or more, not {size}")
        self._database.write(lambda connection: quotas.set_quota(connection, target, size))

    def remove(self, target: str) -> None:
        """Drop a quota. Raises: RuleUnknown."""
        if not self._database.write(lambda connection: quotas.remove_quota(connection, target)):
            raise RuleUnknown(f"{target} has no quota of its own")

    def recount_in_turn(self, *, every_s: float) -> None:
        """Count every quota anew, unless another process did so less than about `every_s` ago."""
        now = self._clock()
        until = now + 0.9 * every_s
        if self._database.write(
            lambda connection: turns.take_turn(connection, "recount", now=now, until=until)
        ):
            for target in self._targets():
                self._recount(target)

    def _targets(self) -> list[str]:
        return [each.target for each in self.all() if each.target != HUB]

    def _recount(self, target: str) -> None:
        self._database.write(lambda connection: quotas.recount(connection, target))


def check_room(
    standing: Standing,
    storage: Storage,
    *,
    besides: str = "",
    wanted: int = 0,
    is_open: bool = False,
) -> int | None:
    """Give how many bytes may still come; None: any number.

    What other uploads have received counts, but for the upload `besides`: it costs a look at each.
    `is_open`: `wanted` is what came so far of a body that goes on.
    Raises: QuotaExceeded (there is no room for `wanted` bytes, or for any).
    """
    room: int | None = None
    for quota, uploads in standing:
        used = quota.used + sum(_received(storage, each) for each in uploads if each != besides)
        left = quota.size - used
        if wanted > left or left <= 0:
            raise QuotaExceeded(
                quota.target, size=quota.size, used=used, wanted=wanted, is_open=is_open
            )
        room = left if room is None else min(room, left)
    return room


def _received(storage: Storage, upload: str) -> int:
    """Give what an upload has received; 0 where it has just ended."""
    try:
        return storage.received(upload)
    except UploadUnknown:
        return 0
