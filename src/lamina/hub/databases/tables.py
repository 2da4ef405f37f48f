"""The tables of the schema and their rows, the same in both databases: for whoever copies all of them."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

from lamina.hub.database import Connection, Row
from lamina.hub.databases.schema import steps

__all__ = ["Table", "count_on", "fill", "make", "rows", "tables"]

_PAGE = 500
_BATCH = 200


@dataclass(frozen=True, slots=True)
class Table:
    """One table: `key` are the positions of its primary key, `blobs` those of bytes.

    `counts` says that the database gives its first column numbers of its own.
    """

    name: str
    columns: tuple[str, ...]
    key: tuple[int, ...]
    blobs: frozenset[int]
    counts: bool
    needs: frozenset[str]


def make(connection: sqlite3.Connection, *, first: int = 0, last: int | None = None) -> None:
    """Run the schema's steps after `first`, up to `last`."""
    for step in steps():
        if step.number > first and (last is None or step.number <= last):
            connection.executescript(step.sqlite)


def tables(*, last: int | None = None) -> tuple[Table, ...]:
    """Give the tables as they are after step `last`, each after those its rows refer to."""
    with closing(sqlite3.connect(":memory:")) as connection:
        make(connection, last=last)
        found = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            " ORDER BY name"
        ).fetchall()
        waiting = [_table(connection, row[0]) for row in found]
    ordered: list[Table] = []
    while waiting:
        known = {each.name for each in ordered}
        ready = [each for each in waiting if each.needs - {each.name} <= known]
        assert ready, "tables refer to each other in a ring"  # noqa: S101 - a schema of ours
        ordered += ready
        waiting = [each for each in waiting if each not in ready]
    return tuple(ordered)


def _table(connection: sqlite3.Connection, name: str) -> Table:
    columns = connection.execute(f"PRAGMA table_info({name})").fetchall()
    keys = sorted((row[5], row[0]) for row in columns if row[5])
    types = [row[2] for row in columns]
    return Table(
        name,
        tuple(row[1] for row in columns),
        tuple(position for _, position in keys),
        frozenset(number for number, kind in enumerate(types) if kind == "BLOB"),
        len(keys) == 1 and types[keys[0][1]] == "INTEGER",
        frozenset(row[2] for row in connection.execute(f"PRAGMA foreign_key_list({name})")),
    )


def rows(connection: Connection, table: Table) -> Iterator[Row]:
    """Give all rows in the order of the key, a page at a time."""
    names = ", ".join(f'"{name}"' for name in table.columns)
    key = ", ".join(f'"{table.columns[position]}"' for position in table.key)
    marks = ", ".join("?" * len(table.key))
    sql = f"SELECT {names} FROM {table.name}"  # noqa: S608 - names of our own schema
    last: tuple[object, ...] = ()
    while True:
        where = f" WHERE ({key}) > ({marks})" if last else ""
        page = connection.execute(f"{sql}{where} ORDER BY {key} LIMIT {_PAGE}", last).fetchall()
        for row in page:
            yield tuple(row)
        if len(page) < _PAGE:
            return
        last = tuple(page[-1][position] for position in table.key)


def fill(connection: Connection, table: Table, found: Iterator[Row]) -> int:
    """Add rows; give how many."""
    names = ", ".join(f'"{name}"' for name in table.columns)
    marks = ", ".join("?" * len(table.columns))
    sql = f"INSERT INTO {table.name} ({names}) VALUES ({marks})"  # noqa: S608 - names of our own schema
    count = 0
    batch: list[Row] = []
    for row in found:
        batch.append(row)
        if len(batch) == _BATCH:
            connection.executemany(sql, batch)
            count, batch = count + len(batch), []
    if batch:
        connection.executemany(sql, batch)
    return count + len(batch)


def count_on(connection: Connection, table: Table) -> None:
    """Have the next number that the database gives be a new one; SQLite does so by itself."""
    if isinstance(connection, sqlite3.Connection):
        return
    column = table.columns[table.key[0]]
    connection.execute(
        f"SELECT setval(pg_get_serial_sequence('{table.name}', '{column}'),"  # noqa: S608 - names of our own schema
        f" (SELECT coalesce(max({column}), 0) + 1 FROM {table.name}), false)"
    )
