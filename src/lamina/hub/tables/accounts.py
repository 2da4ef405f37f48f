"""Rows of accounts and their refresh tokens."""

from dataclasses import dataclass

from lamina.hub.database import Connection, Row
from lamina.hub.errors import AccountUnknown, NameTaken

__all__ = [
    "COLUMNS",
    "WIDTH",
    "Account",
    "account_of_refresh_token",
    "add",
    "add_refresh_token",
    "admins",
    "expire",
    "find",
    "get",
    "of_row",
    "remove",
    "remove_refresh_tokens",
    "rows",
    "search",
    "secret",
    "set_admin",
    "set_disabled",
    "set_password",
]


@dataclass(frozen=True, slots=True)
class Account:
    """Someone who may push: `password` is an argon2id string, empty where none was ever chosen.

    `created_at` is epoch seconds. Who is disabled keeps all that is theirs and cannot log in.
    """

    id: int
    name: str
    password: str
    is_admin: bool
    created_at: float
    is_disabled: bool = False


COLUMNS = (
    "accounts.id, accounts.name, password, is_admin, accounts.created_at, disabled_at IS NOT NULL"
)
WIDTH = 6


def of_row(row: Row) -> Account:
    """Give what stands in the first `WIDTH` columns of a row of `COLUMNS`."""
    return Account(row[0], row[1], row[2], bool(row[3]), row[4], bool(row[5]))


def find(connection: Connection, name: str) -> Account | None:
    """Give the account of that name, if any."""
    row = connection.execute(
        f"SELECT {COLUMNS} FROM accounts WHERE name = ?",  # noqa: S608 - a constant
        (name,),
    ).fetchone()
    return of_row(row) if row else None


def get(connection: Connection, name: str) -> Account:
    """Give the account of that name. Raises: AccountUnknown."""
    account = find(connection, name)
    if account is None:
        raise AccountUnknown(f"no account is named {name!r}")
    return account


def rows(connection: Connection) -> tuple[Account, ...]:
    """Give every account by name."""
    found = connection.execute(f"SELECT {COLUMNS} FROM accounts ORDER BY name")  # noqa: S608 - a constant
    return tuple(of_row(row) for row in found)


def search(
    connection: Connection, words: str, *, limit: int, offset: int = 0
) -> tuple[Account, ...]:
    """Give accounts with `words` in their name, their own words or their e-mail, by name."""
    escaped = words.lower().replace("!", "!!").replace("%", "!%").replace("_", "!_")
    found = connection.execute(
        f"SELECT {COLUMNS} FROM accounts WHERE name LIKE ? ESCAPE '!'"  # noqa: S608 - a constant
        " OR lower(display_name) LIKE ? ESCAPE '!' OR lower(email) LIKE ? ESCAPE '!'"
        " ORDER BY name LIMIT ? OFFSET ?",
        (*(f"%{escaped}%",) * 3, limit, offset),
    )
    return tuple(of_row(row) for row in found)


def add(connection: Connection, *, name: str, password: str, now: float) -> Account:
    """Make an account; the hub's first is its admin. Raises: NameTaken."""
    taken = connection.execute(
        "SELECT 1 FROM organisations WHERE name = ?"
        " UNION ALL SELECT 1 FROM repositories WHERE namespace = ?",  # whoever pushed them there
        (name, name),
    ).fetchone()
    if taken:
        raise NameTaken(f"the name {name!r} is taken", hint="choose another name")
    is_first = connection.execute("SELECT NOT EXISTS (SELECT 1 FROM accounts)").fetchone()[0]
    former = connection.execute("SELECT 1 FROM former_names WHERE name = ?", (name,)).fetchone()
    added = former is None and connection.execute(
        "INSERT INTO accounts (name, password, is_admin, created_at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (name) DO NOTHING",
        (name, password, is_first, now),
    )
    if not added or not added.rowcount:
        raise NameTaken(f"the name {name!r} is taken", hint="choose another name")
    return get(connection, name)


def remove(connection: Connection, account: Account, *, now: float) -> None:
    """Delete an account with its sessions and tokens; its name stays reserved."""
    connection.execute(
        "INSERT INTO former_names (name, since) VALUES (?, ?) ON CONFLICT (name) DO NOTHING",
        (account.name, now),
    )
    connection.execute("DELETE FROM accounts WHERE id = ?", (account.id,))


def admins(connection: Connection) -> int:
    """Give how many accounts are admins and may log in."""
    row = connection.execute(
        "SELECT count(*) FROM accounts WHERE is_admin = 1 AND disabled_at IS NULL"
    ).fetchone()
    return int(row[0])


def set_admin(connection: Connection, account: Account, *, is_admin: bool) -> None:
    """Make an account an admin of the hub, or no longer."""
    connection.execute("UPDATE accounts SET is_admin = ? WHERE id = ?", (int(is_admin), account.id))


def set_disabled(connection: Connection, account: Account, *, since: float | None) -> None:
    """Keep an account from logging in; its sessions and Docker's logins end. None: let it again."""
    connection.execute("UPDATE accounts SET disabled_at = ? WHERE id = ?", (since, account.id))
    if since is not None:
        connection.execute("DELETE FROM sessions WHERE account_id = ?", (account.id,))
        remove_refresh_tokens(connection, account)


def set_password(
    connection: Connection, account: Account, password: str, *, keeps_tokens: bool = False
) -> None:
    """Change a password and end every session and login that the old one opened.

    Access tokens end as well unless `keeps_tokens`, and so do links to choose a password.
    """
    connection.execute("UPDATE accounts SET password = ? WHERE id = ?", (password, account.id))
    connection.execute("DELETE FROM sessions WHERE account_id = ?", (account.id,))
    remove_refresh_tokens(connection, account)
    connection.execute("DELETE FROM one_time_links WHERE account_id = ?", (account.id,))
    if not keeps_tokens:
        connection.execute("DELETE FROM access_tokens WHERE account_id = ?", (account.id,))


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
        f"SELECT {COLUMNS} FROM refresh_tokens JOIN accounts ON accounts.id = account_id"  # noqa: S608 - a constant
        " WHERE token = ? AND expires_at > ? AND disabled_at IS NULL",
        (token, now),
    ).fetchone()
    return of_row(row) if row else None


def remove_refresh_tokens(connection: Connection, account: Account) -> None:
    """End every login that Docker's clients keep of an account."""
    connection.execute("DELETE FROM refresh_tokens WHERE account_id = ?", (account.id,))


def expire(connection: Connection, *, now: float) -> None:
    """Drop sessions, refresh tokens and links that are over."""
    for table in ("sessions", "refresh_tokens", "one_time_links"):
        connection.execute(f"DELETE FROM {table} WHERE expires_at <= ?", (now,))  # noqa: S608 - constants


def secret(connection: Connection, name: str, fresh: bytes) -> bytes:
    """Give the hub's secret of that name, keeping `fresh` when there was none."""
    connection.execute(
        "INSERT INTO secrets (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING",
        (name, fresh),
    )
    row = connection.execute("SELECT value FROM secrets WHERE name = ?", (name,)).fetchone()
    return bytes(row[0])
