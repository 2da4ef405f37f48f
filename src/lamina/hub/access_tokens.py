"""Use cases of personal access tokens: make, list, revoke, log in. Every call may block.

A token is 256 random bits behind a prefix that secret scanners can look for, shown once and kept
as its SHA-256. Wrong ones are not counted as wrong passwords are: nobody can guess one, and an old
token in some machine's configuration must not lock its owner out.
"""

import math
import secrets
from collections.abc import Callable, Sequence

from lamina.hub.access import ACTIONS, Caller, Reach
from lamina.hub.database import Connection, Database
from lamina.hub.errors import AccountDisabled, CredentialsRefused, FormInvalid, NameTaken
from lamina.hub.names import (
    ACCESS_TOKEN_PREFIX,
    ROBOT_TOKEN_PREFIX,
    is_repository,
    name_trouble,
)
from lamina.hub.tables import access_tokens, accounts
from lamina.hub.tables.access_tokens import AccessToken
from lamina.hub.tables.accounts import Account
from lamina.hub.tokens import fingerprint, opaque

__all__ = [
    "LONGEST_DAYS",
    "AccessTokens",
    "actions_trouble",
    "expiry_of",
    "expiry_trouble",
    "is_access_token",
]

LONGEST_DAYS = 3650
_DAY_S = 86400
_NAME_LIMIT, _TARGETS_LIMIT, _PER_ACCOUNT = 64, 50, 100
_USED_EVERY_S = 60.0


def is_access_token(text: str) -> bool:
    """Tell whether a password has the form of an access token, a robot's as well."""
    return text.startswith((ACCESS_TOKEN_PREFIX, ROBOT_TOKEN_PREFIX))


class AccessTokens:
    """The personal access tokens of every account."""

    def __init__(self, database: Database, *, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    def create(
        self,
        account: str,
        name: str,
        *,
        actions: Sequence[str],
        targets: Sequence[str] = (),
        expires_in_days: int | None = None,
    ) -> tuple[str, AccessToken]:
        """Make a token of `account`; give what its holder is to keep, and what we know of it.

        `targets` are namespaces (`alice`) and repositories (`alice/app`), none: everything.
        Who may push or delete may pull, too. Raises: AccountUnknown, FormInvalid.
        """
        wanted = frozenset(actions)
        fields = {
            "name": _name_trouble(name),
            "actions": actions_trouble(wanted),
            "targets": _targets_trouble(targets),
            "expires_in_days": expiry_trouble(expires_in_days),
        }
        wrong = {field: text for field, text in fields.items() if text}
        if wrong:
            raise FormInvalid(wrong)
        text = ACCESS_TOKEN_PREFIX + opaque()
        now = self._clock()
        made = AccessToken(
            id=secrets.token_hex(8),
            name=name,
            targets=tuple(dict.fromkeys(targets)),
            actions=tuple(each for each in ACTIONS if each in wanted | {"pull"}),
            created_at=now,
            expires_at=expiry_of(expires_in_days, now=now),
            used_at=None,
            used_from="",
        )

        def work(connection: Connection) -> None:
            owner = accounts.get(connection, account)
            if access_tokens.count(connection, owner) >= _PER_ACCOUNT:
                raise FormInvalid(
                    {"name": f"An account has at most {_PER_ACCOUNT} tokens; revoke old ones first"}
                )
            access_tokens.add(connection, fingerprint(text), owner, made)

        try:
            self._database.write(work)
        except NameTaken as error:
            raise FormInvalid({"name": f"There is a token named {name!r} already"}) from error
        return text, made

    def of(self, account: str) -> tuple[AccessToken, ...]:
        """Give an account's tokens, newest first. Raises: AccountUnknown."""
        return self._database.read(
            lambda connection: access_tokens.of_account(
                connection, accounts.get(connection, account)
            )
        )

    def revoke(self, account: str, token_id: str) -> AccessToken:
        """End a token at once, with every short token it was traded for; give what it was.

        Raises: AccountUnknown, AccessTokenUnknown.
        """
        return self._database.write(
            lambda connection: access_tokens.remove(
                connection, accounts.get(connection, account), token_id
            )
        )

    def login(self, name: str, token: str, address: str) -> Caller:
        """Give who logs in with a token; `name` must be its owner's, or empty.

        Raises: CredentialsRefused.
        """
        found = self._database.read(
            lambda connection: access_tokens.find(connection, fingerprint(token))
        )
        if found is None or name.strip().lower() not in ("", found[1].name):
            raise CredentialsRefused(
                "the access token is not known, or not this account's",
                hint="it may have been revoked; make a new one in the hub's settings",
            )
        caller = self._caller(*found)
        kept, now = found[0], self._clock()
        if kept.used_at is None or kept.used_at <= now - _USED_EVERY_S or kept.used_from != address:
            self._database.write(
                lambda connection: access_tokens.touch(
                    connection, kept.id, now=now, address=address
                ),
                alone=False,
            )
        return caller

    def caller(self, token_id: str) -> Caller:
        """Give whom a token still speaks for: asked with each request that it was traded for.

        Raises: CredentialsRefused.
        """
        found = self._database.read(lambda connection: access_tokens.of_id(connection, token_id))
        if found is None:
            raise CredentialsRefused("the access token was revoked", hint="log in again")
        return self._caller(*found)

    def _caller(self, token: AccessToken, account: Account) -> Caller:
        if token.is_over(self._clock()):
            raise CredentialsRefused(
                f"the access token {token.name!r} has expired",
                hint="make a new one in the hub's settings",
            )
        if account.is_disabled:
            raise AccountDisabled(
                f"the account {account.name} is disabled", hint="ask the hub's admin"
            )
        reach = Reach(token.targets, frozenset(token.actions))
        until = math.inf if token.expires_at is None else token.expires_at
        return Caller(account.name, account.is_admin, token_id=token.id, reach=reach, until=until)


def _name_trouble(name: str) -> str:
    if not name.strip():
        return "Give the token a name, so that you know later what it is for"
    if len(name) > _NAME_LIMIT or not name.isprintable() or name != name.strip():
        return f"A token's name has at most {_NAME_LIMIT} printable characters"
    return ""


def actions_trouble(actions: frozenset[str]) -> str:
    """Say what is wrong with a token's actions; empty if nothing is."""
    if not actions or not actions <= frozenset(ACTIONS):
        return "Choose what the token allows: pull, push, delete"
    return ""


def _targets_trouble(targets: Sequence[str]) -> str:
    if len(targets) > _TARGETS_LIMIT:
        return f"A token names at most {_TARGETS_LIMIT} namespaces and repositories"
    for target in targets:
        if not is_repository(target) and name_trouble(target):
            return f"{target!r} is neither a namespace (alice) nor a repository (alice/app)"
    return ""


def expiry_of(days: int | None, *, now: float) -> float | None:
    """Give when a token made now for so many days ends; None is never."""
    return None if days is None else now + days * _DAY_S


def expiry_trouble(days: int | None) -> str:
    """Say what is wrong with a token's life; empty if nothing is."""
    if days is not None and not 1 <= days <= LONGEST_DAYS:
        return f"A token lasts 1 to {LONGEST_DAYS} days, or without end"
    return ""
