"""What a whole hub amounts to, for the page of those who run it."""

from dataclasses import dataclass

from lamina.hub.database import Connection

__all__ = ["Figures", "count"]

_TABLES = ("accounts", "organisations", "repositories", "tags", "manifests", "blobs", "uploads")


@dataclass(frozen=True, slots=True)
class Figures:
    """How many of each there are; `size` is the bytes of all blobs, each once."""

    accounts: int
    organisations: int
    repositories: int
    tags: int
    manifests: int
    blobs: int
    uploads: int
    size: int


def count(connection: Connection) -> Figures:
    """Count everything; reads whole tables: some hundred milliseconds of a hub of millions of blobs."""
    counts = {
        table: int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608 - constants
        for table in _TABLES
    }
    size = connection.execute("SELECT coalesce(sum(size), 0) FROM blobs").fetchone()
    return Figures(**counts, size=int(size[0]))
