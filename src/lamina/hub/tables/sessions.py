"""Rows of sessions: sign-ins of browsers."""

from dataclasses import dataclass

from lamina.hub.database import Connection
from lamina.hub.tables import accounts
from lamina.hub.tables.accounts import Account

__all__ = ["Session", "add", "find", "of_account", "remove", "remove_of", "touch"]

_ID_BYTES = 8


@dataclass(frozen=True, slots=True)
class Session:
    """A sign-in as its owner sees it; times are epoch seconds, `used_at` to some minutes.

    `id` is the beginning of the kept hash, which opens nothing.
    """

    id: str
    created_at: float
    used_at: float
    address: str
    agent: str


def add(
    connection: Connection,
    token: bytes,
    account: Account,
    *,
    now: float,
    expires_at: float,
    address: str,
    agent: str,
) -> None:
    """Keep a sign-in; `token` is the SHA-256 of what the browser holds."""
    connection.execute(
        "INSERT INTO sessions (token, account_id, created_at, expires_at, address, agent, used_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (token, account.id, now, expires_at, address, agent, now),
    )


def find(connection: Connection, token: bytes, *, now: float) -> tuple[Account, Session] | None:
    """Give who is signed in, if anyone is and may be."""
    row = connection.execute(
        f"SELECT {accounts.COLUMNS}, token, sessions.created_at, used_at, address, agent"  # noqa: S608 - a constant
        " FROM sessions JOIN accounts ON accounts.id = account_id"
        " WHERE token = ? AND expires_at > ? AND disabled_at IS NULL",
        (token, now),
    ).fetchone()
    if row is None:
        return None
    rest = row[accounts.WIDTH :]
    return accounts.of_row(row), Session(bytes(rest[0])[:_ID_BYTES].hex(), *rest[1:])


def of_account(connection: Connection, account: Account, *, now: float) -> tuple[Session, ...]:
    """Give an account's sessions, the last used first."""
    found = connection.execute(
        "SELECT token, created_at, used_at, address, agent FROM sessions"
        " WHERE account_id = ? AND expires_at > ? ORDER BY used_at DESC, created_at DESC",
        (account.id, now),
    ).fetchall()
    return tuple(Session(bytes(row[0])[:_ID_BYTES].hex(), *tuple(row)[1:]) for row in found)


def touch(connection: Connection, token: bytes, *, now: float, address: str) -> None:
    """Note that a session is used, and from where."""
    connection.execute(
        "UPDATE sessions SET used_at = ?, address = ? WHERE token = ?", (now, address, token)
    )


def remove(connection: Connection, token: bytes) -> None:
    """Sign out."""
    connection.execute("DELETE FROM sessions WHERE token = ?", (token,))


def remove_of(connection: Connection, account: Account, *, session_id: str, keep: bytes) -> int:
    """End the session of that id, or with an empty one all of them but `keep`; give how many."""
    found = connection.execute("SELECT token FROM sessions WHERE account_id = ?", (account.id,))
    tokens = [bytes(row[0]) for row in found.fetchall()]
    ended = [
        token for token in tokens if token != keep and session_id in ("", token[:_ID_BYTES].hex())
    ]
    for token in ended:
        remove(connection, token)
    return len(ended)
