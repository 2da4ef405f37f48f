"""Use cases of accounts: register, log in, refresh, change, end. Every call may block."""

from collections.abc import Callable

from lamina.hub.access import Caller
from lamina.hub.database import Connection, Database
from lamina.hub.errors import (
    AccountDisabled,
    CredentialsRefused,
    FormInvalid,
    LastAdmin,
    NameTaken,
)
from lamina.hub.names import check_account, password_trouble
from lamina.hub.passwords import Passwords, Throttle
from lamina.hub.settings import HubSettings
from lamina.hub.tables import accounts
from lamina.hub.tables.accounts import Account
from lamina.hub.tokens import fingerprint, opaque

__all__ = ["Accounts"]

_CLIENT_LIMIT = 200


class Accounts:
    """Who there is. Checks of passwords take tens of milliseconds unless just made."""

    def __init__(
        self, database: Database, settings: HubSettings, *, clock: Callable[[], float]
    ) -> None:
        self._database = database
        self._settings = settings
        self._clock = clock
        self._passwords = Passwords(clock)
        self._throttle = Throttle(
            database,
            clock,
            window_s=settings.failure_window_s,
            per_account=settings.account_failures,
            per_address=settings.address_failures,
        )

    def register(self, name: str, password: str) -> Account:
        """Make an account; the first is the hub's admin. Raises: FormInvalid, NameTaken."""
        check_account(name, password)
        if self.find(name) is not None:
            raise NameTaken(f"the name {name!r} is taken", hint="choose another name")
        stored = self._passwords.hash(password)
        now = self._clock()
        return self._database.write(
            lambda connection: accounts.add(connection, name=name, password=stored, now=now)
        )

    def find(self, name: str) -> Account | None:
        """Give the account of that name, if any."""
        return self._database.read(lambda connection: accounts.find(connection, name), once=True)

    def all(self) -> tuple[Account, ...]:
        """Give every account by name."""
        return self._database.read(accounts.rows)

    def search(self, words: str, *, limit: int, offset: int = 0) -> tuple[Account, ...]:
        """Give accounts with `words` in name, display name or e-mail, by name."""
        return self._database.read(
            lambda connection: accounts.search(connection, words, limit=limit, offset=offset)
        )

    def set_password(self, name: str, password: str) -> None:
        """Change a password; every session and token of the old one ends.

        Raises: AccountUnknown, FormInvalid.
        """
        stored = self.hash(name, password)
        self._database.write(
            lambda connection: accounts.set_password(
                connection, accounts.get(connection, name), stored
            )
        )

    def change_password(
        self, name: str, old: str, new: str, *, address: str, ends_tokens: bool
    ) -> Account:
        """Change a password that is known; sessions end and, if asked, access tokens.

        Raises: CredentialsRefused, TooManyAttempts, FormInvalid.
        """
        account = self.login(name, old, address)
        if old == new:
            raise FormInvalid({"new": "This is the password you have"})
        try:
            stored = self.hash(name, new)
        except FormInvalid as error:
            raise FormInvalid({"new": error.fields["password"]}) from error
        self._database.write(
            lambda connection: accounts.set_password(
                connection, account, stored, keeps_tokens=not ends_tokens
            )
        )
        return account

    def hash(self, name: str, password: str) -> str:
        """Give what is kept of a new password of `name`. Raises: FormInvalid."""
        trouble = password_trouble(password, name=name)
        if trouble:
            raise FormInvalid({"password": trouble})
        return self._passwords.hash(password)

    def set_disabled(self, name: str, *, is_disabled: bool) -> None:
        """Keep an account from logging in, or let it again; what it has stays.

        Raises: AccountUnknown, LastAdmin.
        """
        since = self._clock() if is_disabled else None

        def work(connection: Connection) -> None:
            account = accounts.get(connection, name)
            accounts.set_disabled(connection, account, since=since)
            _keep_an_admin(connection, account)

        self._database.write(work)

    def set_admin(self, name: str, *, is_admin: bool) -> None:
        """Make an account an admin of the hub, or no longer. Raises: AccountUnknown, LastAdmin."""

        def work(connection: Connection) -> None:
            account = accounts.get(connection, name)
            accounts.set_admin(connection, account, is_admin=is_admin)
            _keep_an_admin(connection, account)

        self._database.write(work)

    def recall(self, account: Account | None, password: str) -> Account | None:
        """Give `account` if this is its password, checked a moment ago; costs microseconds."""
        if account is None or account.is_disabled:
            return None
        return account if self._passwords.is_known(account.password, password) else None

    def login(self, name: str, password: str, address: str) -> Account:
        """Check a password. Raises: CredentialsRefused, AccountDisabled, TooManyAttempts."""
        name = name.strip().lower().replace("\0", "?")  # which PostgreSQL takes in no text
        self._throttle.admit(name, address)
        account = self.find(name)
        if not self._passwords.check(account.password if account else "", password) or not account:
            self._throttle.failed(name, address)
            raise CredentialsRefused(
                "incorrect username or password", hint="check both, or register first"
            )
        self._throttle.succeeded(name, address)
        _check_enabled(account)
        return account

    def count_recovery(self, words: str, address: str) -> None:
        """Let somebody ask for a link by mail, a few times. Raises: TooManyAttempts."""
        asked = f"recover {words}"  # no account's name has a blank
        self._throttle.admit(asked, address)
        self._throttle.failed(asked, address)

    def new_refresh_token(self, account: Account, client: str) -> str:
        """Give an identity token: a login that Docker keeps in place of the password."""
        token = opaque()
        now = self._clock()
        self._database.write(
            lambda connection: accounts.add_refresh_token(
                connection,
                fingerprint(token),
                account,
                client=client[:_CLIENT_LIMIT],
                now=now,
                expires_at=now + self._settings.refresh_token_s,
            )
        )
        return token

    def refresh(self, token: str) -> Account:
        """Give whose refresh token this is. Raises: CredentialsRefused."""
        now = self._clock()
        account = self._database.read(
            lambda connection: accounts.account_of_refresh_token(
                connection, fingerprint(token), now=now
            )
        )
        if account is None:
            raise CredentialsRefused("the refresh token is not known", hint="log in again")
        return account

    @staticmethod
    def caller(account: Account) -> Caller:
        """Give an account as the one who asks."""
        return Caller(account.name, account.is_admin)


def _check_enabled(account: Account) -> None:
    if account.is_disabled:
        raise AccountDisabled(f"the account {account.name} is disabled", hint="ask the hub's admin")


def _keep_an_admin(connection: Connection, account: Account) -> None:
    """Undo what would leave a hub without anyone to run it. Raises: LastAdmin."""
    if account.is_admin and not accounts.admins(connection):
        raise LastAdmin(account.name)
