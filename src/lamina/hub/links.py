"""Use cases of links that work once: choose a new password, register by invitation.

A link holds 256 random bits; their SHA-256 is kept. Whoever has the link needs nothing else, so it ends
within the hour (an invitation within a week), when it is used, and when a newer one is made.
Every call may block.
"""

from collections.abc import Callable

from lamina.hub.accounts import Accounts
from lamina.hub.database import Connection, Database
from lamina.hub.errors import AccountDisabled, LinkInvalid, RegistrationClosed
from lamina.hub.names import check_account
from lamina.hub.tables import accounts, links
from lamina.hub.tables.accounts import Account
from lamina.hub.tables.links import INVITATION, RESET, Link
from lamina.hub.tokens import fingerprint, opaque

__all__ = ["INVITATION_DAYS", "Links"]

INVITATION_DAYS = 7
_RESET_S = 3600.0
_DAY_S = 86400.0


class Links:
    """Links that were given out and not used yet."""

    def __init__(
        self, database: Database, accounts_: Accounts, *, clock: Callable[[], float]
    ) -> None:
        self._database = database
        self._accounts = accounts_
        self._clock = clock

    def make_reset(self, name: str, *, by: str = "", not_within_s: float = 0.0) -> str:
        """Make what opens the page to choose a password; older ones of the account end.

        With `not_within_s` an empty text if one was made that short ago: nobody's mailbox is flooded.
        Raises: AccountUnknown, AccountDisabled.
        """
        token, now = opaque(), self._clock()

        def work(connection: Connection) -> bool:
            account = accounts.get(connection, name)
            if account.is_disabled:
                raise AccountDisabled(
                    f"the account {name} is disabled", hint=f"lamina hub user enable {name}"
                )
            if not_within_s and links.count(connection, account.id, since=now - not_within_s):
                return False
            links.remove_of(connection, account.id)
            links.add(
                connection,
                fingerprint(token),
                kind=RESET,
                account_id=account.id,
                made_by=by,
                now=now,
                expires_at=now + _RESET_S,
            )
            return True

        return token if self._database.write(work) else ""

    def given(self) -> tuple[Link, ...]:
        """Give the links that still work, the newest first; not what opens them."""
        now = self._clock()
        found = self._database.read(lambda connection: links.rows(connection, now=now))
        return tuple(link for _, link in found)

    def withdraw(self, link_id: str) -> Link:
        """End a link before it is used; give what it was. Raises: LinkInvalid."""
        now = self._clock()

        def work(connection: Connection) -> Link:
            for kept, link in links.rows(connection, now=now):
                if link.id == link_id:
                    links.remove(connection, kept)
                    return link
            raise LinkInvalid

        return self._database.write(work)

    def account_of(self, token: str) -> str:
        """Give whose password a link lets choose. Raises: LinkInvalid."""
        now = self._clock()
        found = self._database.read(
            lambda connection: links.find(connection, fingerprint(token), kind=RESET, now=now)
        )
        if found is None:
            raise LinkInvalid
        return found.account

    def use_reset(self, token: str, password: str) -> Account:
        """Set the password; the link, sessions and every token end.

        A password that cannot be taken does not use the link up.
        Raises: LinkInvalid, FormInvalid, AccountDisabled.
        """
        stored = self._accounts.hash(self.account_of(token), password)
        now = self._clock()

        def work(connection: Connection) -> Account:
            found = links.find(connection, fingerprint(token), kind=RESET, now=now)
            if found is None:
                raise LinkInvalid
            account = accounts.get(connection, found.account)
            if account.is_disabled:
                raise AccountDisabled(f"the account {account.name} is disabled")
            accounts.set_password(connection, account, stored)
            return account

        return self._database.write(work)

    def make_invitation(self, *, by: str = "", days: int = INVITATION_DAYS) -> str:
        """Make what lets one person register."""
        token, now = opaque(), self._clock()
        self._database.write(
            lambda connection: links.add(
                connection,
                fingerprint(token),
                kind=INVITATION,
                account_id=None,
                made_by=by,
                now=now,
                expires_at=now + days * _DAY_S,
            )
        )
        return token

    def check_invitation(self, token: str) -> None:
        """Let an invitation pass. Raises: LinkInvalid."""
        now = self._clock()
        if (
            self._database.read(
                lambda connection: links.find(
                    connection, fingerprint(token), kind=INVITATION, now=now
                )
            )
            is None
        ):
            raise LinkInvalid

    def enter(self, name: str, password: str, *, invitation: str, mode: str) -> Account:
        """Register as the hub's `registration` setting has it; an invitation counts unless it is closed.

        Raises: RegistrationClosed, LinkInvalid, FormInvalid, NameTaken.
        """
        if mode == "closed":
            raise RegistrationClosed(
                "registration is closed here", hint="ask the hub's admin for an account"
            )
        if invitation:
            return self.register(invitation, name, password)
        if mode == "invitation":
            raise RegistrationClosed(
                "one registers here by invitation", hint="ask the hub's admin for a link"
            )
        return self._accounts.register(name, password)

    def register(self, token: str, name: str, password: str) -> Account:
        """Make an account by invitation; one that cannot be made does not use the invitation up.

        Raises: LinkInvalid, FormInvalid, NameTaken.
        """
        self.check_invitation(token)
        check_account(name, password)
        stored = self._accounts.hash(name, password)
        now = self._clock()

        def work(connection: Connection) -> Account:
            kept = fingerprint(token)
            if links.find(connection, kept, kind=INVITATION, now=now) is None:
                raise LinkInvalid
            links.remove(connection, kept)
            return accounts.add(connection, name=name, password=stored, now=now)

        return self._database.write(work)
