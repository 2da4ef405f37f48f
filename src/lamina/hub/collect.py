"""Garbage collection while everything goes on: small sweeps, each inside one write.

What nobody names any more is kept for a grace period, because clients push blobs before the
manifest that names them. A loose link's age, renewed when a pusher asks for the blob, keeps the
sweep away from content in flight. Rows go first, and leave a note of where their bytes lie: a
place that no row will ever name again, so the bytes may go at any time after, by whichever process
comes by. Cost follows the garbage, not the hub's size.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from lamina.hub.database import Connection, Database
from lamina.hub.storage.protocol import Storage
from lamina.hub.tables import accounts, audit, blobs, manifests, turns
from lamina.spec.digest import Digest

__all__ = ["Collected", "Collector"]

_BATCH = 256
_AUDIT_S = 400 * 86400
"""How long the audit log goes back: a year, and a while to look at it."""


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
        storage: Storage,
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
        while self._sweep_leftovers(now - grace_s):
            pass
        self._database.write(lambda connection: accounts.expire(connection, now=now))
        self._database.write(
            lambda connection: audit.expire(connection, before=now - _AUDIT_S), alone=False
        )
        return total

    def sweep_in_turn(self, *, every_s: float, grace_s: float, upload_grace_s: float) -> Collected:
        """Sweep, unless another process did so less than about `every_s` ago; say what went."""
        now = self._clock()
        # a little less: everyone's next look comes `every_s` after this one
        until = now + 0.9 * every_s
        if self._database.write(
            lambda connection: turns.take_turn(connection, "sweep", now=now, until=until)
        ):
            return self.sweep(grace_s=grace_s, upload_grace_s=upload_grace_s)
        return Collected()

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
                "SELECT digest, size, place, released_at FROM blobs WHERE released_at <= ? LIMIT ?",
                (before, _BATCH),
            ).fetchall()
            for digest, _, place, since in free:
                connection.execute("DELETE FROM blobs WHERE digest = ?", (digest,))
                blobs.keep_leftover(connection, digest, place, now=since)
            return [(row[0], row[1]) for row in free]

        gone = self._database.write(work)
        return Collected(blobs=len(gone), size=sum(size for _, size in gone))

    def _sweep_leftovers(self, before: float) -> bool:
        """Drop bytes whose rows went; tell whether there were any."""
        rows = self._database.write(
            lambda connection: blobs.claim_leftovers(connection, before=before, limit=_BATCH),
            alone=False,
        )
        self._storage.drop([(Digest(digest), place) for digest, place in rows if digest])
        for digest, place in rows:
            if not digest:
                self._storage.drop_upload(place)
        if rows:
            self._database.write(
                lambda connection: connection.executemany(
                    "DELETE FROM leftovers WHERE digest = ? AND place = ?", rows
                ),
                alone=False,
            )
        return bool(rows)

    def _sweep_uploads(self, before: float) -> Collected:
        active = self._active()

        def work(connection: Connection) -> int:
            rows = connection.execute(
                "SELECT id, touched_at FROM uploads WHERE touched_at <= ?", (before,)
            ).fetchall()
            stale = [(row[0], row[1]) for row in rows if row[0] not in active]
            for upload, since in stale:
                blobs.remove_upload(connection, upload)
                blobs.keep_leftover(connection, "", upload, now=since)
            return len(stale)

        stale = self._database.write(work)
        # files whose row went with its repository, or whose process died before the row came
        for upload in self._storage.strays(age_s=self._clock() - before):
            if upload not in active:
                self._settle(upload)
        return Collected(uploads=stale)

    def _settle(self, upload: str) -> None:
        """Put a stray where its row says it belongs; drop it where there is none."""

        def work(connection: Connection) -> tuple[bool, str]:
            row = connection.execute(
                "SELECT digest FROM blobs WHERE place = ?", (upload,)
            ).fetchone()
            known = connection.execute("SELECT 1 FROM uploads WHERE id = ?", (upload,)).fetchone()
            return known is not None, row[0] if row else ""

        is_upload, digest = self._database.read(work)
        if digest:
            self._storage.shelve(Digest(digest), upload)
        elif not is_upload:
            self._storage.drop_upload(upload)
