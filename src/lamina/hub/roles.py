"""Use cases of roles: who else may read, write or administer a repository. Every call may block."""

from lamina.hub.access import Caller
from lamina.hub.admission import allowed
from lamina.hub.database import Connection, Database
from lamina.hub.errors import FormInvalid, LoginRequired, PushDenied, RoleUnknown
from lamina.hub.names import namespace_of
from lamina.hub.registry import visible
from lamina.hub.tables import accounts, organisations, roles
from lamina.hub.tables.repositories import Repository
from lamina.hub.tables.roles import Holder, Role

__all__ = ["Roles", "administered", "parse_role"]

_HOLDERS_LIMIT = 1000


def parse_role(text: str, *, least: Role = Role.READ) -> Role:
    """Read a role as people say it. Raises: FormInvalid."""
    known = [each for each in Role if each >= least]
    found = next((each for each in known if each.word == text), None)
    if found is None:
        words = ", ".join(each.word for each in known)
        raise FormInvalid({"role": f"A role is one of {words}; {text!r} is none"})
    return found


def administered(connection: Connection, caller: Caller, name: str) -> Repository:
    """Give a repository whose settings `caller` may change.

    Raises: what `visible` does, PushDenied.
    """
    found = visible(connection, caller, name)
    if not caller.name:
        raise LoginRequired("sign in first")
    if "delete" not in allowed(connection, caller, name, found):
        raise PushDenied(f"{name} is not yours to change")
    return found


class Roles:
    """The roles that accounts and teams were given in repositories."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, caller: Caller, name: str) -> tuple[Holder, ...]:
        """Give who was given a role in a repository. Raises: what `administered` does."""
        return self._database.read(
            lambda connection: roles.of_repository(
                connection, administered(connection, caller, name).id
            )
        )

    def give(self, caller: Caller, name: str, holder: str, role: Role, *, is_team: bool) -> None:
        """Give an account, or a team of the repository's organisation, a role in it.

        Raises: what `administered` does, AccountUnknown, TeamUnknown, OrganisationUnknown, FormInvalid.
        """
        give = _give_team if is_team else _give_account

        def work(connection: Connection) -> None:
            found = administered(connection, caller, name)
            if len(roles.of_repository(connection, found.id)) >= _HOLDERS_LIMIT:
                raise FormInvalid({"holder": f"At most {_HOLDERS_LIMIT} have a role; make a team"})
            give(connection, found, holder, role)

        self._database.write(work)

    def take(self, caller: Caller, name: str, holder: str, *, is_team: bool) -> None:
        """Take a role away; it counts no more from the next request on.

        Everyone may give back their own. Raises: what `administered` does, AccountUnknown,
        TeamUnknown, OrganisationUnknown, RoleUnknown.
        """

        def work(connection: Connection) -> None:
            if not is_team and caller.name == holder:
                found = visible(connection, caller, name)
            else:
                found = administered(connection, caller, name)
            if is_team:
                gone = roles.take_team(connection, found.id, _team_id(connection, found, holder))
            else:
                account = accounts.get(connection, holder)
                gone = roles.take_account(connection, found.id, account.id)
            if not gone:
                raise RoleUnknown(f"{holder} has no role of its own in {name}")

        self._database.write(work)


def _give_team(connection: Connection, repository: Repository, holder: str, role: Role) -> None:
    roles.give_team(connection, repository.id, _team_id(connection, repository, holder), role)


def _give_account(connection: Connection, repository: Repository, holder: str, role: Role) -> None:
    if holder == repository.namespace:
        raise FormInvalid({"holder": f"{repository.name} is {holder}'s own"})
    account = accounts.get(connection, holder)
    roles.give_account(connection, repository.id, account.id, role)


def _team_id(connection: Connection, repository: Repository, team: str) -> int:
    organisation = organisations.get(connection, namespace_of(repository.name))
    return organisations.get_team(connection, organisation, team).id
