"""Use cases of accounts: register, log in, sign in, refresh. Every call may block."""

from collections.abc import Callable

from lamina.hub.access import Caller
from lamina.hub.database import Database
from lamina.hub.errors import CredentialsRefused, FormInvalid, NameTaken
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
        return self._database.read(lambda connection: accounts.find(connection, name))

    def all(self) -> tuple[Account, ...]:
        """Give every account by name."""
        return self._database.read(accounts.rows)

    def set_password(self, name: str, password: str) -> None:
        """Change a password; every session and token of the old one ends.

        Raises: AccountUnknown, FormInvalid.
        """
        trouble = password_trouble(password, name=name)
        if trouble:
            raise FormInvalid({"password": trouble})
        stored = self._passwords.hash(password)
        self._database.write(
            lambda connection: accounts.set_password(
                connection, accounts.get(connection, name), stored
            )
        )

    def recall(self, name: str, password: str) -> Account | None:
        """Give whose login this is when it was checked a moment ago; costs microseconds."""
        account = self.find(name)
        if account is not None and self._passwords.is_known(account.password, password):
            return account
        return None

    def login(self, name: str, password: str, address: str) -> Account:
        """Check a password. Raises: CredentialsRefused, TooManyAttempts."""
        name = name.strip().lower()
        self._throttle.admit(name, address)
        account = self.find(name)
        if not self._passwords.check(account.password if account else "", password) or not account:
            self._throttle.failed(name, address)
            raise CredentialsRefused(
                "incorrect username or password", hint="check both, or register first"
            )
        self._throttle.succeeded(name, address)
        return account

    def begin_session(self, account: Account) -> str:
        """Sign a person in; give what their browser is to hold."""
        token = opaque()
        now = self._clock()
        self._database.write(
            lambda connection: accounts.add_session(
                connection,
                fingerprint(token),
                account,
                now=now,
                expires_at=now + self._settings.session_s,
            )
        )
        return token

    def of_session(self, token: str) -> Account | None:
        """Give who is signed in, if anyone is."""
        now = self._clock()
        return self._database.read(
            lambda connection: accounts.account_of_session(connection, fingerprint(token), now=now)
        )

    def end_session(self, token: str) -> None:
        """Sign out."""
        self._database.write(
            lambda connection: accounts.remove_session(connection, fingerprint(token))
        )

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
