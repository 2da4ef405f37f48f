"""Rows of chores that one process of a hub does for all, and of wrong passwords."""

from lamina.hub.database import Connection

__all__ = ["add_failure", "forget_failures", "free_at", "hold", "is_held", "let_go", "take_turn"]


def take_turn(connection: Connection, chore: str, *, now: float, until: float) -> bool:
    """Tell whether the chore is ours to do now; then it is nobody else's before `until`."""
    taken = connection.execute(
        "INSERT INTO turns (chore, until) VALUES (?, ?) ON CONFLICT (chore) DO UPDATE"
        " SET until = excluded.until WHERE turns.until <= ?",
        (chore, until, now),
    )
    return bool(taken.rowcount)


def hold(connection: Connection, holder: str, *, until: float) -> None:
    """Keep all bytes that are here where they are, rows or none, for `holder` until that moment."""
    connection.execute(
        "INSERT INTO turns (chore, until) VALUES (?, ?) ON CONFLICT (chore) DO UPDATE"
        " SET until = excluded.until",
        (f"hold {holder}", until),
    )


def let_go(connection: Connection, holder: str, *, now: float) -> None:
    """End a hold, and forget those whose time is over."""
    connection.execute(
        "DELETE FROM turns WHERE chore = ? OR (chore LIKE 'hold %' AND until <= ?)",
        (f"hold {holder}", now),
    )


def is_held(connection: Connection, *, now: float) -> bool:
    """Tell whether anyone holds what is here."""
    row = connection.execute(
        "SELECT 1 FROM turns WHERE chore LIKE 'hold %' AND until > ? LIMIT 1", (now,)
    ).fetchone()
    return row is not None


def add_failure(
    connection: Connection, name: str, address: str, *, now: float, window_s: float
) -> None:
    """Note a wrong password, and drop what is older than the window."""
    connection.execute("DELETE FROM failures WHERE at <= ?", (now - window_s,))
    connection.execute(
        "INSERT INTO failures (name, address, at) VALUES (?, ?, ?)", (name, address, now)
    )


def free_at(
    connection: Connection, name: str | None, address: str, *, limit: int, window_s: float
) -> float:
    """Give when the next attempt may be made; `name` None: with whatever name.

    It is when the `limit`th failure from the end leaves the window.
    """
    row = connection.execute(
        "SELECT at FROM failures WHERE address = ? AND (? = 1 OR name = ?)"
        " ORDER BY at DESC LIMIT 1 OFFSET ?",
        (address, name is None, name or "", limit - 1),
    ).fetchone()
    return float(row[0]) + window_s if row else 0.0


def forget_failures(connection: Connection, name: str, address: str) -> None:
    """Drop the failures of that name from that address."""
    connection.execute("DELETE FROM failures WHERE name = ? AND address = ?", (name, address))
