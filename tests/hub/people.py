"""People of an organisation, as rows: for tests that look at what each of them may do."""

from lamina.hub.access import Caller
from lamina.hub.database import Connection
from lamina.hub.tables import accounts

__all__ = ["CHIEF", "DORA", "MAX", "NOW", "OLGA", "SAM", "register"]

NOW = 1_000_000.0
CHIEF = Caller("chief", is_admin=True)
OLGA, MAX, DORA, SAM = (Caller(name) for name in ("olga", "max", "dora", "sam"))


def register(connection: Connection) -> None:
    """Make the accounts; nobody can log in as one."""
    for caller in (CHIEF, OLGA, MAX, DORA, SAM):
        accounts.add(connection, name=caller.name, password="-", now=NOW)
