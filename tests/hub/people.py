"""People of an organisation, as rows: for tests that look at what each of them may do."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lamina.hub.access import Caller
from lamina.hub.database import Connection, Database
from lamina.hub.databases.sqlite import SqliteDatabase
from lamina.hub.organisations import Organisations
from lamina.hub.tables import accounts

__all__ = ["CHIEF", "DORA", "MAX", "NOW", "OLGA", "SAM", "acme_of", "peopled"]

NOW = 1_000_000.0
CHIEF = Caller("chief", is_admin=True)
OLGA, MAX, DORA, SAM = (Caller(name) for name in ("olga", "max", "dora", "sam"))


def _register(connection: Connection) -> None:
    """Make the accounts; nobody can log in as one."""
    for caller in (CHIEF, OLGA, MAX, DORA, SAM):
        accounts.add(connection, name=caller.name, password="-", now=NOW)


@contextmanager
def peopled(folder: Path) -> Iterator[Database]:
    """Give a database with the accounts, for the body."""
    database = SqliteDatabase(str(folder / "hub.db"))
    try:
        database.write(_register)
        yield database
    finally:
        database.close()


def acme_of(organisations: Organisations, *members: str) -> Organisations:
    """Make the organisation acme of olga, whose `members` may read."""
    organisations.create(OLGA, "acme")
    for name in members:
        organisations.set_member(OLGA, "acme", name, is_owner=False)
    return organisations
