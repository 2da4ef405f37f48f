"""Rows of links that work once: to choose a new password, to register."""

from dataclasses import dataclass

from lamina.hub.database import Connection, Row

__all__ = ["INVITATION", "RESET", "Link", "add", "count", "find", "remove", "remove_of", "rows"]

INVITATION, RESET = "invitation", "reset"
_ID_BYTES = 8


@dataclass(frozen=True, slots=True)
class Link:
    """What is known of a link; its bits are not. `account` is empty for an invitation.

    `id` is the beginning of the kept hash, which opens nothing.
    """

    id: str
    kind: str
    account: str
    made_by: str
    created_at: float
    expires_at: float


def add(
    connection: Connection,
    token: bytes,
    *,
    kind: str,
    account_id: int | None,
    made_by: str,
    now: float,
    expires_at: float,
) -> None:
    """Keep a link; `token` is the SHA-256 of what it holds."""
    connection.execute(
        "INSERT INTO one_time_links (token, kind, account_id, made_by, created_at, expires_at)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (token, kind, account_id, made_by, now, expires_at),
    )


_LINKS = (
    "SELECT token, kind, coalesce(accounts.name, ''), made_by, one_time_links.created_at, expires_at"
    " FROM one_time_links LEFT JOIN accounts ON accounts.id = account_id"
)


def _link(row: Row) -> Link:
    return Link(bytes(row[0])[:_ID_BYTES].hex(), *tuple(row)[1:])


def find(connection: Connection, token: bytes, *, kind: str, now: float) -> Link | None:
    """Give the link if it was not used and its time is not over."""
    row = connection.execute(
        f"{_LINKS} WHERE token = ? AND kind = ? AND expires_at > ?", (token, kind, now)
    ).fetchone()
    return _link(row) if row else None


def rows(connection: Connection, *, now: float) -> tuple[tuple[bytes, Link], ...]:
    """Give every link that works with what is kept of it, the newest first."""
    found = connection.execute(
        f"{_LINKS} WHERE expires_at > ? ORDER BY one_time_links.created_at DESC", (now,)
    )
    return tuple((bytes(row[0]), _link(row)) for row in found.fetchall())


def remove(connection: Connection, token: bytes) -> None:
    """Use a link up."""
    connection.execute("DELETE FROM one_time_links WHERE token = ?", (token,))


def remove_of(connection: Connection, account_id: int) -> None:
    """Drop an account's links: the newest alone works."""
    connection.execute("DELETE FROM one_time_links WHERE account_id = ?", (account_id,))


def count(connection: Connection, account_id: int, *, since: float) -> int:
    """Give how many links an account got since that moment."""
    row = connection.execute(
        "SELECT count(*) FROM one_time_links WHERE account_id = ? AND created_at > ?",
        (account_id, since),
    ).fetchone()
    return int(row[0])
