"""Reading every blob again, slowly, and comparing its digest.

What is damaged or missing is set aside: it is not here any more for who asks, so the next push of it
brings it anew, to another place. A blob that a push or a sweep touches meanwhile is left to them.
"""

import hashlib
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from lamina.errors import LaminaError
from lamina.hub.bringing import Bringer
from lamina.hub.database import Connection, Database
from lamina.hub.errors import BlobUnknown
from lamina.hub.storage.protocol import Storage
from lamina.hub.tables import scrub, turns
from lamina.hub.tables.scrub import Damaged, Due
from lamina.spec.digest import Digest
from lamina.stream.verify import Readable

__all__ = ["Finding", "Scrubbed", "Scrubber"]

_PIECE = 1024 * 1024
_PAGE = 100
_SHOWN = 10
_CYCLE_S = 7 * 86400.0
"""How long a blob that was found well is left alone by the hub itself."""
Fetch = Callable[[str, Digest, int], AbstractContextManager[Readable]]
"""Opens a blob of the repository of that name, of that size, elsewhere."""


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """What was read, and how many blobs were not well; `damaged` is how many there are in all."""

    blobs: int = 0
    size: int = 0
    found: int = 0
    damaged: int = 0


@dataclass(frozen=True, slots=True)
class Finding:
    """A blob that is not well, and some of the repositories it is in."""

    blob: Damaged
    repositories: tuple[str, ...]


class Scrubber:
    """Reads one hub's blobs. Safe for many threads; `stop` ends what runs soon."""

    def __init__(
        self,
        database: Database,
        storage: Storage,
        *,
        clock: Callable[[], float],
        pause: Callable[[float], None] | None = None,
    ) -> None:
        self._database = database
        self._storage = storage
        self._clock = clock
        self._stopped = threading.Event()
        self._reached = ""  # by whoever reads in turn
        self._pause = pause or self._wait

    def stop(self) -> None:
        """End a run that is under way, after the piece it is at."""
        self._stopped.set()

    def run(
        self,
        *,
        rate: float,
        before: float | None = None,
        after: str = "",
        life_s: float | None = None,
        tell: Callable[[Due, str], None] = lambda _, __: None,
    ) -> Scrubbed:
        """Read what was last read `before` a moment (now, unless said), at `rate` bytes a second.

        It begins with the digest after `after`. `rate` 0 is as quick as it goes; after `life_s` it
        stops at the next blob. `tell` gets each blob that is not well.
        Raises: Unavailable (the storage does not answer: nothing is noted).
        """
        began = time.monotonic()
        limit = self._clock() if before is None else before
        blobs = size = found = 0
        reached = after
        while not self._stopped.is_set():
            page = self._page(reached, limit)
            if not page:
                self._reached = ""
                break
            for blob in page:
                if self._stopped.is_set() or (
                    life_s is not None and time.monotonic() - began > life_s
                ):
                    return self._sum(blobs, size, found)
                reached = self._reached = blob.digest
                damage = self._look(blob, rate)
                if damage is None:  # stopped in the middle
                    break
                if self._note(blob, damage) and damage:
                    found += 1
                    tell(blob, damage)
                blobs, size = blobs + 1, size + blob.size
        return self._sum(blobs, size, found)

    def run_in_turn(self, *, rate: float, every_s: float) -> Scrubbed | None:
        """Read for about `every_s` what nobody has read for a week; None: it is another's turn."""
        now = self._clock()
        until = now + 0.9 * every_s
        if not self._database.write(
            lambda connection: turns.take_turn(connection, "scrub", now=now, until=until)
        ):
            return None
        return self.run(rate=rate, before=now - _CYCLE_S, after=self._reached, life_s=0.8 * every_s)

    def findings(self) -> tuple[Finding, ...]:
        """Give every blob that is not well."""

        def work(connection: Connection) -> tuple[Finding, ...]:
            return tuple(
                Finding(
                    each,
                    tuple(
                        name
                        for _, name in scrub.repositories_of(connection, each.digest, limit=_SHOWN)
                    ),
                )
                for each in scrub.damaged(connection)
            )

        return self._database.read(work)

    def repair(self, fetch: Fetch) -> tuple[str, ...]:
        """Bring blobs that are not well from elsewhere; give those that came whole."""
        bringer = Bringer(self._database, self._storage, clock=self._clock)
        mended = []
        for finding in self.findings():
            blob = finding.blob
            places = self._places(blob)
            for repository_id, name in places:
                try:
                    with fetch(name, Digest(blob.digest), blob.size) as file:
                        bringer.receive(repository_id, Digest(blob.digest), file)
                except LaminaError:
                    continue
                mended.append(blob.digest)
                break
        return tuple(mended)

    def _page(self, after: str, before: float) -> tuple[Due, ...]:
        return self._database.read(
            lambda connection: scrub.due(connection, before=before, after=after, limit=_PAGE)
        )

    def _places(self, blob: Damaged) -> tuple[tuple[int, str], ...]:
        return self._database.read(
            lambda connection: scrub.repositories_of(connection, blob.digest, limit=_SHOWN)
        )

    def _look(self, blob: Due, rate: float) -> str | None:
        """Say what is wrong with a blob, empty for nothing; None: it was not read to its end."""
        digest = Digest(blob.digest)
        value, began, read = hashlib.new(digest.algorithm), time.monotonic(), 0
        try:
            with self._storage.open(digest, blob.place) as file:
                while piece := file.read(_PIECE):
                    value.update(piece)
                    read += len(piece)
                    if rate:
                        self._pause(began + read / rate - time.monotonic())
                    if self._stopped.is_set():
                        return None
        except BlobUnknown:
            return "missing"
        except OSError:  # the disk cannot read it
            return "damaged"
        return "" if value.hexdigest() == digest.hex else "damaged"

    def _note(self, blob: Due, damage: str) -> bool:
        now = self._clock()
        return self._database.write(
            lambda connection: scrub.note(connection, blob, damage, now=now), alone=False
        )

    def _sum(self, blobs: int, size: int, found: int) -> Scrubbed:
        return Scrubbed(blobs, size, found, len(self._database.read(scrub.damaged)))

    def _wait(self, seconds: float) -> None:
        if seconds > 0:
            self._stopped.wait(seconds)
