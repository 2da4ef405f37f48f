"""Rows of personal access tokens."""

from dataclasses import dataclass

from lamina.hub.database import Connection, Row
from lamina.hub.errors import AccessTokenUnknown, NameTaken
from lamina.hub.tables import accounts
from lamina.hub.tables.accounts import Account

__all__ = ["AccessToken", "add", "count", "find", "of_account", "of_id", "remove", "touch"]


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What is known of a token; its bits are not. Times are epoch seconds.

    `targets` are namespaces and repositories, none of them: everything. `expires_at` None: never.
    """

    id: str
    name: str
    targets: tuple[str, ...]
    actions: tuple[str, ...]
    created_at: float
    expires_at: float | None
    used_at: float | None
    used_from: str

    def is_over(self, now: float) -> bool:
        """Tell whether its time has passed."""
        return self.expires_at is not None and self.expires_at <= now


_COLUMNS = (
    "access_tokens.id, access_tokens.name, targets, actions,"
    " access_tokens.created_at, expires_at, used_at, used_from"
)
_WITH_ACCOUNT = (
    f"SELECT {_COLUMNS}, {accounts.COLUMNS}"  # noqa: S608 - constants
    " FROM access_tokens JOIN accounts ON accounts.id = account_id"
)
_WIDTH = 8


def _token(row: Row) -> AccessToken:
    return AccessToken(
        row[0], row[1], tuple(row[2].split()), tuple(row[3].split(",")), *row[4:_WIDTH]
    )


def _both(row: Row) -> tuple[AccessToken, Account]:
    return _token(row), accounts.of_row(row[_WIDTH:])


def add(connection: Connection, token: bytes, account: Account, made: AccessToken) -> None:
    """Keep a token; `token` is the SHA-256 of what its holder gets. Raises: NameTaken."""
    added = connection.execute(
        "INSERT INTO access_tokens"
        " (id, token, account_id, name, targets, actions, created_at, expires_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (account_id, name) DO NOTHING",
        (
            made.id,
            token,
            account.id,
            made.name,
            " ".join(made.targets),
            ",".join(made.actions),
            made.created_at,
            made.expires_at,
        ),
    )
    if not added.rowcount:
        raise NameTaken(
            f"there is a token named {made.name!r} already", hint="revoke it, or choose another"
        )


def find(connection: Connection, token: bytes) -> tuple[AccessToken, Account] | None:
    """Give the token of that SHA-256 and whose it is, whether or not its time is over."""
    row = connection.execute(f"{_WITH_ACCOUNT} WHERE token = ?", (token,)).fetchone()
    return _both(row) if row else None


def of_id(connection: Connection, token_id: str) -> tuple[AccessToken, Account] | None:
    """Give the token of that id and whose it is, whether or not its time is over."""
    row = connection.execute(f"{_WITH_ACCOUNT} WHERE access_tokens.id = ?", (token_id,)).fetchone()
    return _both(row) if row else None


def of_account(connection: Connection, account: Account) -> tuple[AccessToken, ...]:
    """Give an account's tokens, newest first."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM access_tokens WHERE account_id = ?"  # noqa: S608 - a constant
        " ORDER BY access_tokens.created_at DESC, access_tokens.name",
        (account.id,),
    )
    return tuple(_token(row) for row in rows)


def count(connection: Connection, account: Account) -> int:
    """Give how many tokens an account has."""
    row = connection.execute(
        "SELECT count(*) FROM access_tokens WHERE account_id = ?", (account.id,)
    ).fetchone()
    return int(row[0])


def remove(connection: Connection, account: Account, token_id: str) -> AccessToken:
    """Revoke a token of that account; give what it was. Raises: AccessTokenUnknown."""
    found = of_id(connection, token_id)
    if found is None or found[1].id != account.id:
        raise AccessTokenUnknown(f"there is no access token {token_id!r} of {account.name}")
    connection.execute("DELETE FROM access_tokens WHERE id = ?", (token_id,))
    return found[0]


def touch(connection: Connection, token_id: str, *, now: float, address: str) -> None:
    """Note that a token was used."""
    connection.execute(
        "UPDATE access_tokens SET used_at = ?, used_from = ? WHERE id = ?",
        (now, address, token_id),
    )
