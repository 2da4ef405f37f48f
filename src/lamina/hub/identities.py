"""Use cases of identities: an account by way of another site. Every call may block.

Issuer and subject together are a person; an e-mail is none, since whoever runs a site there can write
any. So nobody gets an account that is there already but by being signed in to it.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from lamina.hub.database import Connection, Database
from lamina.hub.errors import AccountDisabled, FormInvalid, NameTaken
from lamina.hub.names import name_trouble
from lamina.hub.profiles import email_trouble
from lamina.hub.tables import accounts, identities, profiles
from lamina.hub.tables.accounts import Account
from lamina.hub.tables.identities import Identity
from lamina.hub.tables.profiles import Profile

if TYPE_CHECKING:
    from lamina.hub.oidc import Claims

__all__ = ["Identities"]

_NAME_LIMIT = 64


class Identities:
    """Which account is whose at other sites."""

    def __init__(self, database: Database, *, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    def find(self, claims: "Claims") -> Account | None:
        """Give the account of who was vouched for, if there is one. Raises: AccountDisabled."""
        account = self._database.read(
            lambda connection: identities.find(connection, claims.issuer, claims.subject)
        )
        if account is not None and account.is_disabled:
            raise AccountDisabled(
                f"the account {account.name} is disabled", hint="ask the hub's admin"
            )
        return account

    def register(self, claims: "Claims", name: str) -> Account:
        """Make an account without a password. Raises: FormInvalid, NameTaken."""
        trouble = name_trouble(name)
        if trouble:
            raise FormInvalid({"name": trouble})
        now = self._clock()
        email = "" if email_trouble(claims.email) else claims.email
        profile = Profile(display_name=claims.name.strip()[:_NAME_LIMIT].strip(), email=email)

        def work(connection: Connection) -> Account:
            account = accounts.add(connection, name=name, password="", now=now)
            self._connect(connection, claims, account)
            profiles.change(connection, account, profile)
            return account

        return self._database.write(work)

    def connect(self, claims: "Claims", account: Account) -> None:
        """Let an account sign in that way, too. Raises: NameTaken (it is another account's)."""
        self._database.write(lambda connection: self._connect(connection, claims, account))

    def of(self, account: Account) -> tuple[Identity, ...]:
        """Give what an account is connected to."""
        return self._database.read(lambda connection: identities.of_account(connection, account))

    def disconnect(self, account: Account, issuer: str) -> None:
        """End that way to sign in. Raises: FormInvalid (there would be none left)."""
        if not account.password:
            raise FormInvalid({"issuer": "This is your only way to sign in; have a password first"})
        self._database.write(lambda connection: identities.remove(connection, account, issuer))

    def _connect(self, connection: Connection, claims: "Claims", account: Account) -> None:
        identity = Identity(claims.issuer, claims.subject, claims.label)
        if identities.add(connection, identity, account, now=self._clock()):
            return
        found = identities.find(connection, claims.issuer, claims.subject)
        if found is None or found.id != account.id:
            raise NameTaken(
                f"{claims.label} is connected to another account", hint="disconnect it there first"
            )
