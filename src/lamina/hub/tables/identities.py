"""Rows of identities: who signs in by way of another site."""

from dataclasses import dataclass

from lamina.hub.database import Connection
from lamina.hub.tables import accounts
from lamina.hub.tables.accounts import Account

__all__ = ["Identity", "add", "find", "of_account", "remove"]


@dataclass(frozen=True, slots=True)
class Identity:
    """A person at another site: the two together are one person for ever, a `label` may change."""

    issuer: str
    subject: str
    label: str


def find(connection: Connection, issuer: str, subject: str) -> Account | None:
    """Give the account that was connected, if any."""
    row = connection.execute(
        f"SELECT {accounts.COLUMNS} FROM identities JOIN accounts ON accounts.id = account_id"  # noqa: S608 - a constant
        " WHERE issuer = ? AND subject = ?",
        (issuer, subject),
    ).fetchone()
    return accounts.of_row(row) if row else None


def add(connection: Connection, identity: Identity, account: Account, *, now: float) -> bool:
    """Connect an account; tell whether nobody else had it."""
    added = connection.execute(
        "INSERT INTO identities (issuer, subject, account_id, label, created_at)"
        " VALUES (?, ?, ?, ?, ?) ON CONFLICT (issuer, subject) DO NOTHING",
        (identity.issuer, identity.subject, account.id, identity.label, now),
    )
    return bool(added.rowcount)


def of_account(connection: Connection, account: Account) -> tuple[Identity, ...]:
    """Give what an account is connected to, oldest first."""
    found = connection.execute(
        "SELECT issuer, subject, label FROM identities WHERE account_id = ? ORDER BY created_at",
        (account.id,),
    )
    return tuple(Identity(*row) for row in found.fetchall())


def remove(connection: Connection, account: Account, issuer: str) -> int:
    """Disconnect an account from all it is there; give how many that were."""
    removed = connection.execute(
        "DELETE FROM identities WHERE account_id = ? AND issuer = ?", (account.id, issuer)
    )
    return removed.rowcount
