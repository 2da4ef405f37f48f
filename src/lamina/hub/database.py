"""The hub's database as everyone sees it: two verbs over one connection, whatever is behind them.

SQL is written once, in the subset that SQLite and PostgreSQL share: `?` for values, flags as 0 and 1,
`ON CONFLICT`, `RETURNING`; in `DO UPDATE SET` columns of the row that is there are named with
their table. Whoever writes may be run more than once, and must have no effect but on the database.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

__all__ = ["Connection", "Cursor", "Database", "Row"]

T = TypeVar("T")
Row = Sequence[Any]


class Cursor(Protocol):
    """The answer to one statement."""

    @property
    def rowcount(self) -> int:
        """Give how many rows were changed."""

    def fetchone(self) -> Any:  # noqa: ANN401 - a row, or None after the last
        """Give the next row."""

    def fetchall(self) -> list[Any]:
        """Give all rows that are left."""

    def __iter__(self) -> Iterator[Any]:
        """Go through the rows that are left."""


class Connection(Protocol):
    """One transaction's hand on the database."""

    def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> Cursor:
        """Run one statement with `?` for each of `parameters`."""

    def executemany(self, sql: str, rows: Sequence[Sequence[Any]], /) -> object:
        """Run one statement for each of `rows`."""


class Database(Protocol):
    """Usable from any thread. Every call may block."""

    def read(self, work: Callable[[Connection], T], *, once: bool = False) -> T:
        """Give `work(connection)`, all of it seeing one state of the database.

        With `once` the caller says that it runs one statement, which sees one state by itself; that costs less.
        Raises: Unavailable.
        """

    def write(
        self, work: Callable[[Connection], T], *, alone: bool = True, durable: bool = True
    ) -> T:
        """Give `work(connection)` once it is durable; an exception undoes that work alone.

        Writes come one after the other, or as if they did: what `work` read is still so when it
        commits. It may run several times until that holds. With `alone` False the caller says that
        nothing depends on it: single statements, counters, marks of time; that costs less. With
        `durable` False nobody is promised anything: a power cut may undo it, a killed process not;
        whatever is durable later, makes this durable, too.
        Raises: Unavailable.
        """

    def version(self) -> int | None:
        """Give a number that is another one after each commit, whoever made it; None: it costs too much.

        Never waits. Only one thread may ask.
        """

    def close(self) -> None:
        """Finish the writes that wait and close every connection; a second time is fine."""
