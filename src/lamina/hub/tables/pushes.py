"""What small pushes that come together ask of the database and leave in it: one statement for all of them.

Each statement is a moment in which SQLite lets another thread have the interpreter, and getting it back costs more than
the statement does. What a single push says is in `tables/blobs.py`; this is the same, for blobs that are new.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from lamina.hub.names import namespace_of
from lamina.hub.tables import accounts
from lamina.hub.tables.accounts import Account
from lamina.hub.tables.repositories import Repository
from lamina.spec.digest import Digest

if TYPE_CHECKING:
    import sqlite3

    from lamina.hub.database import Row

__all__ = ["GROUND", "Arrived", "Ground", "add", "ground_of", "ground_values", "known"]

_T = TypeVar("_T")
_AT_ONCE = 16
"""Rows of one statement at most: as many statements are kept ready."""

GROUND = (
    f"SELECT {accounts.COLUMNS},"  # noqa: S608 - constants
    " repositories.id, repositories.name, namespace, is_private, summary, '', pulls,"
    " repositories.created_at, updated_at, busy_at,"
    " EXISTS (SELECT 1 FROM quotas WHERE target IN (?, ?, 'hub'))"
    " FROM accounts LEFT JOIN repositories ON repositories.name = ? WHERE accounts.name = ?"
)
"""Asks for a `Ground`; wants `ground_values`."""
_REPOSITORY, _BUSY, _LIMITED = accounts.WIDTH, accounts.WIDTH + 9, accounts.WIDTH + 10


@dataclass(frozen=True, slots=True)
class Ground:
    """What it depends on whether an account may push to a repository (None: not there yet), but for roles.

    The repository is without its readme. `busy_at`: when a push there was last noted.
    """

    account: Account
    repository: Repository | None
    busy_at: float
    is_limited: bool


def ground_values(account: str, repository: str) -> tuple[str, ...]:
    """Give the values that `GROUND` wants."""
    return (repository, namespace_of(repository), repository, account)


def ground_of(row: "Row | None") -> Ground | None:
    """Give what the answer to `GROUND` says; None: there is no such account."""
    if row is None:
        return None
    repository = None
    if row[_REPOSITORY] is not None:
        number, name, namespace, is_private, *more = tuple(row)[_REPOSITORY:_BUSY]
        repository = Repository(number, name, namespace, bool(is_private), *more)
    return Ground(accounts.of_row(row), repository, row[_BUSY] or 0.0, bool(row[_LIMITED]))


@dataclass(frozen=True, slots=True)
class Arrived:
    """A small blob that came whole."""

    place: str
    digest: Digest
    data: bytes


def known(connection: "sqlite3.Connection", arrived: "Sequence[Arrived]") -> frozenset[str]:
    """Give those of their places that an upload has, or what became of one, and those digests of which there is a blob."""
    found: set[str] = set()
    for some in _cut(arrived):
        marks = ", ".join("?" * len(some))
        places = [each.place for each in some]
        rows = connection.execute(
            f"SELECT id FROM uploads WHERE id IN ({marks})"  # noqa: S608 - marks
            f" UNION ALL SELECT place FROM blobs WHERE place <> '' AND place IN ({marks})"
            f" UNION ALL SELECT place FROM leftovers WHERE place IN ({marks})"
            f" UNION ALL SELECT digest FROM blobs WHERE digest IN ({marks})",
            (*places, *places, *places, *(each.digest for each in some)),
        )
        found.update(row[0] for row in rows)
    return frozenset(found)


def add(
    connection: "sqlite3.Connection", repository_id: int, arrived: Sequence[Arrived], *, now: float
) -> None:
    """Keep bytes until they have files, and note the blobs, and that a repository shows them.

    No two are the same blob, and none is `known`; no quota holds there.
    """
    for some in _cut(arrived):
        values = ", ".join(["(?, ?, ?)"] * len(some))
        last = connection.execute(
            f"INSERT INTO arrivals (place, digest, data) VALUES {values}",  # noqa: S608 - marks
            [part for each in some for part in (each.place, each.digest, each.data)],
        ).lastrowid
        assert last is not None  # noqa: S101 - of an INSERT
        before = last - len(some)  # they are numbered in a row: nobody else writes
        connection.execute(
            "INSERT INTO blobs (digest, size, place, checked_at)"
            " SELECT digest, length(data), place, ? FROM arrivals WHERE id > ?",
            (now, before),
        )
        connection.execute(
            "INSERT INTO links (repository_id, digest, loose_at, awaited_at)"
            " SELECT ?, digest, ?, ? FROM arrivals WHERE id > ?",
            (repository_id, now, now, before),
        )


def _cut(rows: Sequence[_T]) -> Iterator[Sequence[_T]]:
    return (rows[start : start + _AT_ONCE] for start in range(0, len(rows), _AT_ONCE))
