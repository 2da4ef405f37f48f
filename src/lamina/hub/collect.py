"""Garbage collection while everything goes on: small sweeps, each inside one write.

What nobody names any more is kept for a grace period, because clients push blobs before the
manifest that names them. Rows go first, and leave a note of where their bytes lie: a place that no
row will ever name again, so the bytes may go at any time after, by whichever process comes by. Cost
follows the garbage, not the hub's size.

What is in flight stands in the database, so that any process may sweep: an upload that is received
is touched again and again, a link says when a push last counted on it, and a repository when it was last
pushed to. While that goes on, what was awaited stays for as long as an upload may rest: a push of twenty
layers may take hours.
"""

import contextlib
from collections.abc import Callable, Collection
from dataclasses import dataclass

from lamina.hub.database import Connection, Database
from lamina.hub.storage.protocol import Storage
from lamina.hub.tables import accounts, audit, blobs, manifests, turns, webhooks
from lamina.spec.digest import Digest

__all__ = ["Collected", "Collector", "Removed"]

_BATCH = 256
_AUDIT_S = 400 * 86400
"""How long the audit log goes back: a year, and a while to look at it."""

_TOLD_S = 30 * 86400
"""How long it is known how webhooks were told."""


@dataclass(frozen=True, slots=True)
class Removed:
    """One thing a sweep removes: a manifest, a blob or an upload; `size` is 0 but for blobs."""

    kind: str
    name: str
    size: int = 0


@dataclass(frozen=True, slots=True)
class Collected:
    """What a sweep removed; `size` is the bytes of the blobs."""

    manifests: int = 0
    blobs: int = 0
    size: int = 0
    uploads: int = 0

    @classmethod
    def of(cls, removed: Collection[Removed]) -> "Collected":
        """Count."""
        kinds = [each.kind for each in removed]
        return cls(
            manifests=kinds.count("manifest"),
            blobs=kinds.count("blob"),
            size=sum(each.size for each in removed),
            uploads=kinds.count("upload"),
        )

    def __add__(self, other: "Collected") -> "Collected":
        return Collected(
            self.manifests + other.manifests,
            self.blobs + other.blobs,
            self.size + other.size,
            self.uploads + other.uploads,
        )


@dataclass(frozen=True, slots=True)
class _Cut:
    """Moments before which things are garbage: what was deleted, what is awaited, what rests."""

    deleted: float
    awaited: float
    uploads: float


class _Rehearsed(Exception):
    """All that would go is known; nothing of it is to be written."""


class Collector:
    """Sweeps one hub. `sweep` may run at any time, from any thread and any process.

    `active` gives the uploads that this process receives; others' are known by their touch.
    """

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

    def sweep(
        self,
        *,
        grace_s: float,
        upload_grace_s: float,
        push_grace_s: float | None = None,
        tell: Callable[[Removed], None] = lambda _: None,
    ) -> Collected:
        """Remove what has been garbage for `grace_s`, and uploads that rested `upload_grace_s`.

        What a push awaits is kept for `push_grace_s` (the same unless given). Where other processes
        receive uploads, `upload_grace_s` must be some minutes at least: they touch them every half one.
        """
        cut = self._cut(grace_s, push_grace_s, upload_grace_s)
        active = self._active()
        total = Collected()
        for step in _steps(cut, active):
            is_more = True
            while is_more:
                removed, is_more = self._database.write(step)
                for each in removed:
                    tell(each)
                total += Collected.of(removed)
        # files whose row went with its repository, or whose process died before the row came
        for upload in self._storage.strays(age_s=upload_grace_s):
            if upload not in active:
                self._settle(upload)
        while self._sweep_leftovers(cut):
            pass
        now = self._clock()
        self._database.write(lambda connection: accounts.expire(connection, now=now))
        self._database.write(
            lambda connection: audit.expire(connection, before=now - _AUDIT_S), alone=False
        )
        self._database.write(
            lambda connection: webhooks.expire(connection, before=now - _TOLD_S), alone=False
        )
        return total

    def rehearse(
        self, *, grace_s: float, upload_grace_s: float, push_grace_s: float | None = None
    ) -> tuple[Removed, ...]:
        """Give what `sweep` would remove now, and remove nothing.

        It is done and taken back, in one write: others' writes wait while the garbage is counted.
        """
        cut = self._cut(grace_s, push_grace_s, upload_grace_s)
        active = self._active()
        found: list[Removed] = []

        def work(connection: Connection) -> None:
            found.clear()  # it may run several times
            for step in _steps(cut, active):
                is_more = True
                while is_more:
                    removed, is_more = step(connection)
                    found.extend(removed)
            raise _Rehearsed

        with contextlib.suppress(_Rehearsed):  # raised so that nothing of it is kept
            self._database.write(work)
        return tuple(found)

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

    def _cut(self, grace_s: float, push_grace_s: float | None, upload_grace_s: float) -> _Cut:
        now = self._clock()
        awaited_s = grace_s if push_grace_s is None else max(grace_s, push_grace_s)
        return _Cut(now - grace_s, now - awaited_s, now - upload_grace_s)

    def _sweep_leftovers(self, cut: _Cut) -> bool:
        """Drop bytes whose rows went; tell whether there were any."""
        rows = self._database.write(
            lambda connection: blobs.claim_leftovers(
                connection,
                before=cut.deleted,
                uploads_before=cut.awaited,
                limit=_BATCH,
                now=self._clock(),
            ),
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

    def _settle(self, upload: str) -> None:
        """Put a stray where its row says it belongs; drop it where there is none."""

        def work(connection: Connection) -> tuple[bool, str]:
            row = connection.execute(
                "SELECT digest FROM blobs WHERE place = ?", (upload,)
            ).fetchone()
            known = connection.execute(
                "SELECT 1 FROM uploads WHERE id = ? UNION ALL"
                " SELECT 1 FROM leftovers WHERE place = ?",
                (upload, upload),
            ).fetchone()
            return known is not None, row[0] if row else ""

        is_known, digest = self._database.read(work)
        if digest:
            self._storage.shelve(Digest(digest), upload)
        elif not is_known:
            self._storage.drop_upload(upload)


_Step = Callable[[Connection], tuple[list[Removed], bool]]


def _steps(cut: _Cut, active: Collection[str]) -> tuple[_Step, ...]:
    """Give the works of a sweep in order; each says what it removed and whether there may be more."""
    return (
        lambda connection: _take_uploads(connection, cut, active),
        lambda connection: _take_manifests(connection, cut),
        lambda connection: _take_blobs(connection, cut),
    )


def _take_uploads(
    connection: Connection, cut: _Cut, active: Collection[str]
) -> tuple[list[Removed], bool]:
    rows = connection.execute(
        "SELECT uploads.id, touched_at, name FROM uploads"
        " JOIN repositories ON repositories.id = repository_id WHERE touched_at <= ?",
        (cut.uploads,),
    ).fetchall()
    stale = [row for row in rows if row[0] not in active]
    for upload, since, _ in stale:
        blobs.remove_upload(connection, upload)
        blobs.keep_leftover(connection, "", upload, now=since)
    return [Removed("upload", f"{name} {upload}") for upload, _, name in stale], False


def _take_manifests(connection: Connection, cut: _Cut) -> tuple[list[Removed], bool]:
    removed = []
    for manifest, since in manifests.doomed(connection, before=cut.deleted, limit=_BATCH):
        row = connection.execute(
            "SELECT name FROM repositories WHERE id = ?", (manifest.repository_id,)
        ).fetchone()
        manifests.drop(connection, manifest, now=since)
        removed.append(Removed("manifest", f"{row[0]}@{manifest.digest}"))
    return removed, bool(removed)


def _take_blobs(connection: Connection, cut: _Cut) -> tuple[list[Removed], bool]:
    loose = connection.execute(
        "SELECT repository_id, digest, loose_at FROM links"
        " JOIN repositories ON repositories.id = repository_id"
        " WHERE loose_at <= ? AND awaited_at <= ? AND (busy_at <= ? OR awaited_at <= ?) LIMIT ?",
        (cut.deleted, cut.awaited, cut.awaited, cut.uploads, _BATCH),
    ).fetchall()
    for row in loose:
        blobs.drop_link(connection, row[0], row[1], now=row[2])
    free = connection.execute(
        "SELECT digest, size, place, released_at FROM blobs WHERE released_at <= ? LIMIT ?",
        (cut.deleted, _BATCH),
    ).fetchall()
    for digest, _, place, since in free:
        connection.execute("DELETE FROM blobs WHERE digest = ?", (digest,))
        blobs.keep_leftover(connection, digest, place, now=since)
    return [Removed("blob", row[0], row[1]) for row in free], bool(loose or free)
