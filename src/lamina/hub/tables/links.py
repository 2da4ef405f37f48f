"""Rows of links that work once: to choose a new password, to register."""

from dataclasses import dataclass

from lamina.hub.database import Connection

__all__ = ["INVITATION", "RESET", "Link", "add", "count", "find", "remove", "remove_of"]

INVITATION, RESET = "invitation", "reset"


@dataclass(frozen=True, slots=True)
class Link:
    """What is known of a link; its bits are not. `account` is empty for an invitation."""

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


def find(connection: Connection, token: bytes, *, kind: str, now: float) -> Link | None:
    """Give the link if it was not used and its time is not over."""
    row = connection.execute(
        "SELECT kind, coalesce(accounts.name, ''), made_by, one_time_links.created_at, expires_at"
        " FROM one_time_links LEFT JOIN accounts ON accounts.id = account_id"
        " WHERE token = ? AND kind = ? AND expires_at > ?",
        (token, kind, now),
    ).fetchone()
    return Link(*row) if row else None


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
