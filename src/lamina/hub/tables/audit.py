"""Rows of the audit log."""

from dataclasses import dataclass

from lamina.hub.database import Connection

__all__ = ["Entry", "actions", "add", "expire", "rows"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One deed: `at` is epoch seconds, `account` empty for nobody, `id` 0 before it is kept."""

    at: float
    account: str
    action: str
    subject: str
    address: str
    token: str
    request: str
    id: int = 0


def add(connection: Connection, entry: Entry) -> None:
    """Keep a deed."""
    connection.execute(
        "INSERT INTO audit (at, account, action, subject, address, token, request)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            entry.at,
            entry.account,
            entry.action,
            entry.subject,
            entry.address,
            entry.token,
            entry.request,
        ),
    )


def rows(
    connection: Connection, *, account: str, action: str, before: int, limit: int
) -> tuple[Entry, ...]:
    """Give deeds from the newest on; empty filters take all, `before` 0 begins at the newest."""
    wanted: list[tuple[str, object]] = []
    if account:
        wanted.append(("account = ?", account))
    if action:
        wanted.append(("action = ?", action))
    if before:
        wanted.append(("id < ?", before))
    where = " AND ".join(condition for condition, _ in wanted) or "1 = 1"
    found = connection.execute(
        "SELECT at, account, action, subject, address, token, request, id FROM audit"  # noqa: S608 - constants
        f" WHERE {where} ORDER BY id DESC LIMIT ?",
        (*(value for _, value in wanted), limit),
    )
    return tuple(Entry(*row) for row in found)


def actions(connection: Connection) -> tuple[str, ...]:
    """Give every action that was ever noted, by name."""
    found = connection.execute("SELECT DISTINCT action FROM audit ORDER BY action")
    return tuple(str(row[0]) for row in found)


def expire(connection: Connection, *, before: float) -> None:
    """Drop what was done before that moment."""
    connection.execute("DELETE FROM audit WHERE at <= ?", (before,))
