"""May they? What `hub/access.py` says, with the role that the database has: one statement more at most.

One more again where a short token is all that is known of who asks.
"""

from dataclasses import replace

from lamina.hub.access import Caller, needs_role, require, rights
from lamina.hub.database import Connection
from lamina.hub.errors import AccountDisabled, CredentialsRefused
from lamina.hub.names import namespace_of
from lamina.hub.tables import accounts, roles
from lamina.hub.tables.accounts import Account
from lamina.hub.tables.repositories import Repository
from lamina.hub.tables.roles import Role

__all__ = ["admit", "allowed", "standing"]


def standing(caller: Caller, account: Account | None) -> Caller:
    """Give a short token's holder as their account is now: a right that went since, they have no more.

    Raises: CredentialsRefused, AccountDisabled.
    """
    if account is None:
        raise CredentialsRefused("the account is gone")
    if account.is_disabled:
        raise AccountDisabled(f"the account {account.name} is disabled", hint="ask the hub's admin")
    is_admin = caller.is_admin and account.is_admin
    return replace(caller, is_admin=is_admin, is_claimed=False)


def admit(
    connection: Connection, caller: Caller, name: str, repository: Repository | None, action: str
) -> None:
    """Let `caller` pass if they may `action`; no role is read where none is needed.

    Raises: LoginRequired, NameUnknown, PushDenied, what `standing` does.
    """
    if caller.is_claimed:
        caller = standing(caller, accounts.find(connection, caller.name))
    require(caller, name, repository, action, _role(connection, caller, name, repository, action))


def allowed(
    connection: Connection, caller: Caller, name: str, repository: Repository | None
) -> frozenset[str]:
    """Give all that `caller` may do with the repository `name` (None: not there yet)."""
    role = _role(connection, caller, name, repository, "delete")
    return rights(caller, name, repository, role)


def _role(
    connection: Connection, caller: Caller, name: str, repository: Repository | None, action: str
) -> Role:
    if not needs_role(caller, name, repository, action):
        return Role.NONE
    return roles.of_account(
        connection,
        caller.name,
        namespace=namespace_of(name),
        repository_id=0 if repository is None else repository.id,  # read all the same: as slow
    )
