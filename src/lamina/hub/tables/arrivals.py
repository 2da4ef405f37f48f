"""Rows of small blobs that have no file yet: their bytes were durable with the row that names them."""

from collections.abc import Sequence
from dataclasses import dataclass

from lamina.hub.database import Connection
from lamina.spec.digest import Digest

__all__ = ["Arrival", "add", "data", "drop", "oldest", "settled"]


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


def settled(connection: Connection, ids: Sequence[int]) -> frozenset[int]:
    """Forget those that have durable files now; give those that were still known."""
    found = (
        connection.execute("DELETE FROM arrivals WHERE id = ? RETURNING id", (each,)).fetchone()
        for each in ids
    )
    return frozenset(int(row[0]) for row in found if row)


def drop(connection: Connection, places: Sequence[str]) -> None:
    """Forget those of some places; unknown is fine."""
    connection.executemany("DELETE FROM arrivals WHERE place = ?", [(place,) for place in places])
