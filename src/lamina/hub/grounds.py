"""On what grounds somebody may push: the rows it follows from, known for as long as nobody else commits.

Whoever pushes many small blobs commits with each of them, which makes all that was read before doubtful, and reading it
again costs more than the rest of a request. But a turn of the database's writer that did nothing except to keep
such blobs knows what it has left: where the database has just the state after it, what it read still holds.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lamina.hub.tables.pushes import GROUND, Ground, ground_of, ground_values

if TYPE_CHECKING:
    import sqlite3

    from lamina.hub.databases.sqlite import SqliteDatabase

__all__ = ["Grounds", "Turn"]

_Key = tuple[str, str]
_REMEMBERED = 1024
_COMMITS_AT = (
    8  # where SQLite's index of its log counts commits; walformat.html, "WAL-Index Header"
)
_COMMITS = struct.Struct("=I")


@dataclass(frozen=True, slots=True)
class _Known:
    """What holds at one state of the database."""

    state: bytes
    rows: Mapping[_Key, Ground]


class Grounds:
    """What was read lately. The loop and the writer's thread may both ask: what is known is replaced whole."""

    def __init__(self, database: "SqliteDatabase") -> None:
        self._database = database
        self._known: _Known | None = None

    def look(self, account: str, repository: str) -> Ground | None:
        """Give the ground, on the loop; costs a statement where something was committed by others. Raises: Unavailable."""
        known = self._known
        if known is not None and known.state == self._database.state():
            found = known.rows.get((account, repository))
            if found is not None:
                return found
        return ground_of(self._database.peek(GROUND, ground_values(account, repository)))

    def turn(self, connection: "sqlite3.Connection") -> "Turn":
        """Begin a turn of the writer, within its transaction: nobody else commits until it has.

        Whoever shares that may have written before it, which no state tells yet.
        """
        state, known = self._database.state(), self._known
        is_known = known is not None and known.state == state and not self._database.is_shared
        return Turn(connection, state, dict(known.rows) if known is not None and is_known else {})

    def keep(self, turn: "Turn", *, before: float) -> None:
        """Go on with what a turn knows that has just committed; for the writer's thread, in that very commit's callbacks.

        It has written something, and none of that is what grounds are made of, but for repositories that it has
        made, and pushes that it has noted where none was since `before`.
        """
        state = self._database.state()
        if state is None or turn.state is None or self._database.is_shared:
            return
        if (_commits(turn.state) + 1 - _commits(state)) % 2**32:
            return  # somebody committed after it
        self._known = _Known(
            state,
            {
                key: ground
                for key, ground in turn.rows.items()
                if ground.repository is not None and ground.busy_at >= before
            },
        )


class Turn:
    """The same for one turn of the writer. `state` is the database's before it."""

    def __init__(
        self, connection: "sqlite3.Connection", state: bytes | None, rows: dict[_Key, Ground]
    ) -> None:
        self._connection = connection
        self.state = state
        self.rows = rows

    def look(self, account: str, repository: str) -> Ground | None:
        """Give the ground; costs a statement the first time."""
        found = self.rows.get((account, repository))
        if found is None:
            values = ground_values(account, repository)
            found = ground_of(self._connection.execute(GROUND, values).fetchone())
            if found is not None and len(self.rows) < _REMEMBERED:
                self.rows[account, repository] = found
        return found


def _commits(state: bytes) -> int:
    return int(_COMMITS.unpack_from(state, _COMMITS_AT)[0])
