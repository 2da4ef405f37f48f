"""Rows of accounts, their sessions and their refresh tokens."""

from dataclasses import dataclass

from lamina.hub.database import Connection, Row
from lamina.hub.errors import AccountUnknown, NameTaken

__all__ = [
    "Account",
    "account_of_refresh_token",
    "account_of_session",
    "add",
    "add_refresh_token",
    "add_session",
    "expire",
    "find",
    "get",
    "remove_session",
    "rows",
    "secret",
    "set_password",
]


@dataclass(frozen=True, slots=True)
class Account:
    """Someone who may push: `password` is an argon2id string, `created_at` epoch seconds."""

    id: int
    name: str
    password: str
    is_admin: bool
    created_at: float


_COLUMNS = "accounts.id, accounts.name, password, is_admin, accounts.created_at"


def _account(row: Row) -> Account:
    return Account(row[0], row[1], row[2], bool(row[3]), row[4])


def find(connection: Connection, name: str) -> Account | None:
    """Give the account of that name, if any."""
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM accounts WHERE name = ?",  # noqa: S608 - a constant
        (name,),
    ).fetchone()
    return _account(row) if row else None


def get(connection: Connection, name: str) -> Account:
    """Give the account of that name. Raises: AccountUnknown."""
    account = find(connection, name)
    if account is None:
        raise AccountUnknown(f"no account is named {name!r}")
    return account


def rows(connection: Connection) -> tuple[Account, ...]:
    """Give every account by name."""
    found = connection.execute(f"SELECT {_COLUMNS} FROM accounts ORDER BY name")  # noqa: S608 - a constant
    return tuple(_account(row) for row in found)


def add(connection: Connection, *, name: str, password: str, now: float) -> Account:
    """Make an account; the hub's first is its admin. Raises: NameTaken."""
    if connection.execute("SELECT 1 FROM organisations WHERE name = ?", (name,)).fetchone():
        raise NameTaken(f"the name {name!r} is taken", hint="choose another name")
    is_first = connection.execute("SELECT NOT EXISTS (SELECT 1 FROM accounts)").fetchone()[0]
    added = connection.execute(
        "INSERT INTO accounts (name, password, is_admin, created_at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (name) DO NOTHING",
        (name, password, is_first, now),
    )
    if not added.rowcount:
        raise NameTaken(f"the name {name!r} is taken", hint="choose another name")
    return get(connection, name)


def set_password(connection: Connection, account: Account, password: str) -> None:
    """Change a password and end every session and token that the old one opened."""
    connection.execute("UPDATE accounts SET password = ? WHERE id = ?", (password, account.id))
    connection.execute("DELETE FROM sessions WHERE account_id = ?", (account.id,))
    connection.execute("DELETE FROM refresh_tokens WHERE account_id = ?", (account.id,))
    connection.execute("DELETE FROM access_tokens WHERE account_id = ?", (account.id,))


def add_session(
    connection: Connection, token: bytes, account: Account, *, now: float, expires_at: float
) -> None:
    """Keep a sign-in; `token` is the SHA-256 of what the browser holds."""
    connection.execute(
        "INSERT INTO sessions (token, account_id, created_at, expires_at) VALUES (?, ?, ?, ?)",
        (token, account.id, now, expires_at),
    )


def account_of_session(connection: Connection, token: bytes, *, now: float) -> Account | None:
    """Give who is signed in, if anyone is."""
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM sessions JOIN accounts ON accounts.id = account_id"  # noqa: S608 - a constant
        " WHERE token = ? AND expires_at > ?",
        (token, now),
    ).fetchone()
    return _account(row) if row else None


def remove_session(connection: Connection, token: bytes) -> None:
    """Sign out."""
    connection.execute("DELETE FROM sessions WHERE token = ?", (token,))


def add_refresh_token(
    connection: Connection,
    token: bytes,
    account: Account,
    *,
    client: str,
    now: float,
    expires_at: float,
) -> None:
    """Keep a refresh token; `token` is the SHA-256 of what the client holds."""
    connection.execute(
        "INSERT INTO refresh_tokens (token, account_id, client, created_at, expires_at)"
        " VALUES (?, ?, ?, ?, ?)",
        (token, account.id, client, now, expires_at),
    )


def account_of_refresh_token(connection: Connection, token: bytes, *, now: float) -> Account | None:
    """Give whose refresh token this is, if it still counts."""
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM refresh_tokens JOIN accounts ON accounts.id = account_id"  # noqa: S608 - a constant
        " WHERE token = ? AND expires_at > ?",
        (token, now),
    ).fetchone()
    return _account(row) if row else None


def expire(connection: Connection, *, now: float) -> None:
    """Drop sessions and refresh tokens that are over."""
    connection.execute("DELETE FROM sessions WHERE expires_at <= ?", (now,))
    connection.execute("DELETE FROM refresh_tokens WHERE expires_at <= ?", (now,))


def secret(connection: Connection, name: str, fresh: bytes) -> bytes:
    """Give the hub's secret of that name, keeping `fresh` when there was none."""
    connection.execute(
        "INSERT INTO secrets (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING",
        (name, fresh),
    )
    row = connection.execute("SELECT value FROM secrets WHERE name = ?", (name,)).fetchone()
    return bytes(row[0])
