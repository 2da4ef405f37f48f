"""Garbage collection while everything goes on: small sweeps, each inside one write.

What nobody names any more is kept for a grace period, because clients push blobs before the
manifest that names them. Leases keep the sweep away from content in flight: a loose link's age,
renewed when a pusher asks for the blob, and the digest noted on an upload that is being closed.
A file goes on the writer thread right after its row is gone for good, so that no push can bring
the row back in between. Cost follows the garbage, not the hub's size.
"""

import contextlib
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from lamina.hub.database import Connection, Database
from lamina.hub.storage.disk import DiskStorage
from lamina.hub.tables import accounts, blobs, manifests
from lamina.spec.digest import Digest

__all__ = ["Collected", "Collector"]

_BATCH = 256


@dataclass(frozen=True, slots=True)
class Collected:
    """What a sweep removed; `size` is the bytes of the blobs."""

    manifests: int = 0
    blobs: int = 0
    size: int = 0
    uploads: int = 0

    def __add__(self, other: "Collected") -> "Collected":
        return Collected(
            self.manifests + other.manifests,
            self.blobs + other.blobs,
            self.size + other.size,
            self.uploads + other.uploads,
        )


class Collector:
    """Sweeps one hub. `sweep` may run at any time, from any thread."""

    def __init__(
        self,
        database: Database,
        storage: DiskStorage,
        *,
        clock: Callable[[], float],
        active: Callable[[], Collection[str]],
    ) -> None:
        self._database = database
        self._storage = storage
        self._clock = clock
        self._active = active

    def sweep(self, *, grace_s: float, upload_grace_s: float) -> Collected:
        """Remove what has been garbage for `grace_s`, and uploads that rested `upload_grace_s`."""
        now = self._clock()
        total = self._sweep_uploads(now - upload_grace_s)
        for step in (self._sweep_manifests, self._sweep_blobs):
            while (found := step(now - grace_s)) != Collected():
                total += found
        self._database.write(lambda connection: accounts.expire(connection, now=now))
        return total

    def _sweep_manifests(self, before: float) -> Collected:
        def work(connection: Connection) -> int:
            rows = manifests.doomed(connection, before=before, limit=_BATCH)
            for manifest, since in rows:
                manifests.drop(connection, manifest, now=since)
            return len(rows)

        return Collected(manifests=self._database.write(work))

    def _sweep_blobs(self, before: float) -> Collected:
        def work(connection: Connection) -> list[tuple[str, int]]:
            loose = connection.execute(
                "SELECT repository_id, digest, loose_at FROM links WHERE loose_at <= ? LIMIT ?",
                (before, _BATCH),
            ).fetchall()
            for row in loose:
                connection.execute(
                    "DELETE FROM links WHERE repository_id = ? AND digest = ?", (row[0], row[1])
                )
                blobs.release(connection, row[1], now=row[2])
            free = connection.execute(
                "SELECT digest, size FROM blobs WHERE released_at <= ?"
                " AND NOT EXISTS (SELECT 1 FROM uploads WHERE uploads.digest = blobs.digest)"
                " LIMIT ?",
                (before, _BATCH),
            ).fetchall()
            connection.executemany(
                "DELETE FROM blobs WHERE digest = ?", [(row[0],) for row in free]
            )
            return [(row[0], row[1]) for row in free]

        def after(gone: list[tuple[str, int]]) -> None:
            back = self._database.read(lambda connection: _known(connection, gone))
            for digest, _ in gone:
                if digest not in back:
                    self._storage.delete(Digest(digest))

        gone = self._database.write(work, after=after)
        return Collected(blobs=len(gone), size=sum(size for _, size in gone))

    def _sweep_uploads(self, before: float) -> Collected:
        active = self._active()

        def work(connection: Connection) -> list[str]:
            rows = connection.execute("SELECT id FROM uploads WHERE touched_at <= ?", (before,))
            stale = [row[0] for row in rows if row[0] not in active]
            for upload in stale:
                blobs.remove_upload(connection, upload)
            return stale

        stale = self._database.write(work)
        for upload in stale:
            self._storage.discard(upload)
        known = self._database.read(
            lambda connection: {row[0] for row in connection.execute("SELECT id FROM uploads")}
        )
        # files whose row went with its repository, or whose process died before the row came
        wall = time.time()
        for upload in self._storage.uploads():
            if upload not in known and upload not in active:
                with contextlib.suppress(FileNotFoundError):
                    if self._storage.touched_at(upload) <= wall - (self._clock() - before):
                        self._storage.discard(upload)
        return Collected(uploads=len(stale))


def _known(connection: Connection, gone: list[tuple[str, int]]) -> set[str]:
    """Find what a push has brought back in the same commit: its row is there again."""
    query = "SELECT 1 FROM blobs WHERE digest = ?"
    return {digest for digest, _ in gone if connection.execute(query, (digest,)).fetchone()}
