"""Rows of small blobs that have no file yet: their bytes were durable with the row that names them."""

from collections.abc import Sequence
from dataclasses import dataclass

from lamina.hub.database import Connection
from lamina.spec.digest import Digest

__all__ = ["Arrival", "add", "data", "drop", "oldest", "settled"]

_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class Arrival:
    """A small blob's bytes, on their way to the file that `place` names."""

    id: int
    place: str
    digest: Digest
    data: bytes


def add(connection: Connection, place: str, digest: Digest, data: bytes) -> None:
    """Keep bytes until they have a file."""
    connection.execute(
        "INSERT INTO arrivals (place, digest, data) VALUES (?, ?, ?)", (place, digest, data)
    )


def data(connection: Connection, place: str) -> bytes | None:
    """Give the bytes that are to lie at `place`; None if they have a file, or are gone."""
    row = connection.execute("SELECT data FROM arrivals WHERE place = ?", (place,)).fetchone()
    return bytes(row[0]) if row else None


def oldest(connection: Connection, *, after: int, limit: int) -> tuple[Arrival, ...]:
    """Give those that came first, of those that came after the one with that id."""
    rows = connection.execute(
        "SELECT id, place, digest, data FROM arrivals WHERE id > ? ORDER BY id LIMIT ?",
        (after, limit),
    )
    return tuple(Arrival(row[0], row[1], Digest(row[2]), bytes(row[3])) for row in rows)


def settled(connection: Connection, places: Sequence[str]) -> frozenset[str]:
    """Forget those that have durable files now; give those whose files nobody wants any more.

    By their places, which are never given twice, as ids are. One that is not known any more was dropped, unless a
    blob is there: another process was quicker, and its file is this one.
    """
    unknown: set[str] = set()
    for start in range(0, len(places), _AT_ONCE):
        some = places[start : start + _AT_ONCE]
        marks = ", ".join("?" * len(some))
        found = connection.execute(
            f"DELETE FROM arrivals WHERE place IN ({marks}) RETURNING place",  # noqa: S608 - marks
            some,
        )
        unknown.update(set(some).difference(row[0] for row in found.fetchall()))
    return frozenset(
        place
        for place in unknown
        if connection.execute("SELECT 1 FROM blobs WHERE place = ?", (place,)).fetchone() is None
    )


def drop(connection: Connection, places: Sequence[str]) -> None:
    """Forget those of some places; unknown is fine."""
    connection.executemany("DELETE FROM arrivals WHERE place = ?", [(place,) for place in places])
