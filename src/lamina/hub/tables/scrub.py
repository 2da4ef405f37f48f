"""Rows of how well blobs are."""

from dataclasses import dataclass

from lamina.hub.database import Connection

__all__ = ["Damaged", "Due", "damaged", "due", "note", "repositories_of"]


@dataclass(frozen=True, slots=True)
class Due:
    """A blob to look at."""

    digest: str
    size: int
    place: str


@dataclass(frozen=True, slots=True)
class Damaged:
    """A blob that is not well: `damage` is `damaged` or `missing`; `found_at` is epoch seconds."""

    digest: str
    size: int
    damage: str
    found_at: float


def due(connection: Connection, *, before: float, after: str, limit: int) -> tuple[Due, ...]:
    """Give blobs that were last looked at before a moment, by digest from the one after `after` on.

    No index says which are due: it would be written with each push.
    """
    rows = connection.execute(
        "SELECT digest, size, place FROM blobs WHERE digest > ? AND checked_at < ?"
        " AND released_at IS NULL ORDER BY digest LIMIT ?",
        (after, before, limit),
    )
    return tuple(Due(*row) for row in rows)


def note(connection: Connection, blob: Due, damage: str, *, now: float) -> bool:
    """Note how a blob is; False: it went, or lies elsewhere now."""
    known = connection.execute(
        "UPDATE blobs SET checked_at = ?, damage = ? WHERE digest = ? AND place = ?",
        (now, damage, blob.digest, blob.place),
    )
    return bool(known.rowcount)


def damaged(connection: Connection) -> tuple[Damaged, ...]:
    """Give every blob that is not well, by digest."""
    rows = connection.execute(
        "SELECT digest, size, damage, checked_at FROM blobs WHERE damage <> '' ORDER BY digest"
    )
    return tuple(Damaged(*row) for row in rows)


def repositories_of(
    connection: Connection, digest: str, *, limit: int
) -> tuple[tuple[int, str], ...]:
    """Give (id, name) of the repositories that a blob is in."""
    rows = connection.execute(
        "SELECT repositories.id, name FROM links JOIN repositories"
        " ON repositories.id = repository_id WHERE digest = ? ORDER BY name LIMIT ?",
        (digest, limit),
    )
    return tuple((row[0], row[1]) for row in rows)
