"""Use cases of organisations: who is in them, in which teams, and what all members may.

Callers come with a full login: an access token changes nothing here. Every call may block.
"""

from collections.abc import Callable
from dataclasses import dataclass

from lamina.hub.access import Caller
from lamina.hub.database import Connection, Database
from lamina.hub.errors import (
    FormInvalid,
    LastOwner,
    NameTaken,
    NotEmpty,
    NotYours,
    OrganisationUnknown,
    RoleUnknown,
)
from lamina.hub.names import name_trouble, part_trouble
from lamina.hub.tables import accounts, organisations, roles
from lamina.hub.tables.organisations import Member, Organisation, Team
from lamina.hub.tables.roles import Role

__all__ = ["Organisations", "TeamView", "View", "check_owner"]

_SUMMARY_LIMIT = 160
_MEMBERS_LIMIT, _TEAMS_LIMIT, _PER_ACCOUNT = 10_000, 500, 100


@dataclass(frozen=True, slots=True)
class View:
    """An organisation as someone sees it: strangers see neither members nor teams."""

    organisation: Organisation
    is_member: bool
    is_owner: bool
    members: tuple[Member, ...]
    teams: tuple[Team, ...]


@dataclass(frozen=True, slots=True)
class TeamView:
    """A team: who is in it, and its role by repository."""

    team: Team
    members: tuple[str, ...]
    roles: tuple[tuple[str, Role], ...]


def check_owner(connection: Connection, caller: Caller, namespace: str) -> Organisation | None:
    """Let those pass to whom a namespace belongs, and admins; give its organisation, if it is one.

    Raises: OrganisationUnknown, NotYours.
    """
    found = organisations.find(connection, namespace)
    if found is None and accounts.find(connection, namespace) is None:
        raise OrganisationUnknown(f"no organisation is named {namespace!r}")
    if caller.is_admin or (found is None and caller.name == namespace):
        return found
    member = found and organisations.find_member(connection, found, caller.name)
    if not member or not member.is_owner:
        raise NotYours(f"only owners of {namespace} may do this")
    return found


def _owned(connection: Connection, caller: Caller, name: str) -> Organisation:
    """Give an organisation its caller may change. Raises: OrganisationUnknown, NotYours."""
    found = check_owner(connection, caller, name)
    if found is None:
        raise OrganisationUnknown(f"{name} is an account, not an organisation")
    return found


class Organisations:
    """The organisations of a hub, with their members and teams."""

    def __init__(self, database: Database, *, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    def create(self, caller: Caller, name: str) -> Organisation:
        """Make an organisation that `caller` owns. Raises: FormInvalid, NameTaken."""
        _refuse("name", name_trouble(name))
        now = self._clock()

        def work(connection: Connection) -> Organisation:
            owner = accounts.get(connection, caller.name)
            if len(organisations.of_account(connection, owner.name)) >= _PER_ACCOUNT:
                _refuse("name", f"An account is in at most {_PER_ACCOUNT} organisations")
            has_any = organisations.repositories_of(connection, name, limit=1)
            if has_any and not caller.is_admin:  # whose they were must not become the caller's
                raise NameTaken(f"the name {name!r} is taken", hint="choose another name")
            return organisations.add(connection, name, owner=owner, now=now)

        return self._database.write(work)

    def of(self, account: str) -> tuple[tuple[Organisation, bool], ...]:
        """Give the organisations an account is in, by name, and whether it owns them."""
        return self._database.read(lambda connection: organisations.of_account(connection, account))

    def view(self, caller: Caller, name: str) -> View:
        """Give an organisation as `caller` may see it. Raises: OrganisationUnknown."""

        def work(connection: Connection) -> View:
            found = organisations.get(connection, name)
            member = organisations.find_member(connection, found, caller.name)
            if member is None and not caller.is_admin:
                return View(found, is_member=False, is_owner=False, members=(), teams=())
            return View(
                found,
                is_member=member is not None,
                is_owner=caller.is_admin or (member is not None and member.is_owner),
                members=organisations.members(connection, found),
                teams=organisations.teams(connection, found),
            )

        return self._database.read(work)

    def change(
        self, caller: Caller, name: str, *, summary: str, members_role: Role, new_private: bool
    ) -> None:
        """Set what is said of an organisation and what every member may do in all its repositories.

        Raises: OrganisationUnknown, NotYours, FormInvalid.
        """
        summary = " ".join(summary.replace("\0", " ").split())
        if len(summary) > _SUMMARY_LIMIT:
            _refuse("summary", f"At most {_SUMMARY_LIMIT} characters; this has {len(summary)}")
        if members_role is Role.ADMIN:
            _refuse("members_role", "Who may administer all repositories is an owner")

        def work(connection: Connection) -> None:
            found = _owned(connection, caller, name)
            organisations.change(
                connection,
                found,
                summary=summary,
                members_role=members_role,
                new_private=new_private,
            )

        self._database.write(work)

    def remove(self, caller: Caller, name: str) -> None:
        """Delete an organisation without repositories, with its teams and robots.

        Nobody gets its name again. Raises: OrganisationUnknown, NotYours, NotEmpty.
        """
        now = self._clock()

        def work(connection: Connection) -> None:
            found = _owned(connection, caller, name)
            left = organisations.repositories_of(connection, name, limit=1)
            if left:
                raise NotEmpty(
                    f"{name} still has repositories, {left[0]} among them",
                    hint="delete them first: nobody else may come to own them",
                )
            organisations.remove(connection, found, now=now)

        self._database.write(work)

    def set_member(self, caller: Caller, name: str, account: str, *, is_owner: bool) -> None:
        """Take an account in, or change whether it is an owner.

        Raises: OrganisationUnknown, NotYours, AccountUnknown, LastOwner.
        """
        now = self._clock()

        def work(connection: Connection) -> None:
            found = _owned(connection, caller, name)
            row = accounts.get(connection, account)
            if len(organisations.members(connection, found)) >= _MEMBERS_LIMIT:
                _refuse("account", f"An organisation has at most {_MEMBERS_LIMIT} members")
            organisations.set_member(connection, found, row, is_owner=is_owner, now=now)
            _keep_an_owner(connection, found)

        self._database.write(work)

    def remove_member(self, caller: Caller, name: str, account: str) -> None:
        """Let a member go, with all that they were given here; everyone may go by themselves.

        Raises: OrganisationUnknown, NotYours, RoleUnknown, LastOwner.
        """

        def work(connection: Connection) -> None:
            if caller.name == account:
                found = organisations.get(connection, name)
            else:
                found = _owned(connection, caller, name)
            member = _member(connection, found, account)
            organisations.remove_member(connection, found, member.account_id)
            _keep_an_owner(connection, found)

        self._database.write(work)

    def create_team(self, caller: Caller, name: str, team: str) -> Team:
        """Make a team without members. Raises: OrganisationUnknown, NotYours, FormInvalid, NameTaken."""
        _refuse("name", part_trouble(team))
        now = self._clock()

        def work(connection: Connection) -> Team:
            found = _owned(connection, caller, name)
            if len(organisations.teams(connection, found)) >= _TEAMS_LIMIT:
                _refuse("name", f"An organisation has at most {_TEAMS_LIMIT} teams")
            return organisations.add_team(connection, found, team, now=now)

        return self._database.write(work)

    def team(self, caller: Caller, name: str, team: str) -> TeamView:
        """Give a team to a member of its organisation.

        Raises: OrganisationUnknown, NotYours, TeamUnknown.
        """

        def work(connection: Connection) -> TeamView:
            found = organisations.get(connection, name)
            member = organisations.find_member(connection, found, caller.name)
            if member is None and not caller.is_admin:
                raise NotYours(f"only members of {name} may see its teams")
            row = organisations.get_team(connection, found, team)
            return TeamView(
                row,
                organisations.team_members(connection, row),
                roles.of_team(connection, row.id),
            )

        return self._database.read(work)

    def remove_team(self, caller: Caller, name: str, team: str) -> None:
        """Delete a team with its roles. Raises: OrganisationUnknown, NotYours, TeamUnknown."""

        def work(connection: Connection) -> None:
            found = _owned(connection, caller, name)
            organisations.remove_team(connection, organisations.get_team(connection, found, team))

        self._database.write(work)

    def join_team(self, caller: Caller, name: str, team: str, account: str) -> None:
        """Put a member into a team.

        Raises: OrganisationUnknown, NotYours, TeamUnknown, RoleUnknown (not a member).
        """

        def work(connection: Connection) -> None:
            found = _owned(connection, caller, name)
            row = organisations.get_team(connection, found, team)
            member = _member(connection, found, account)
            organisations.join_team(connection, row, member.account_id)

        self._database.write(work)

    def leave_team(self, caller: Caller, name: str, team: str, account: str) -> None:
        """Take a member out of a team.

        Raises: OrganisationUnknown, NotYours, TeamUnknown, RoleUnknown (not in it).
        """

        def work(connection: Connection) -> None:
            found = _owned(connection, caller, name)
            row = organisations.get_team(connection, found, team)
            member = _member(connection, found, account)
            if not organisations.leave_team(connection, row, member.account_id):
                raise RoleUnknown(f"{account} is not in the team {team}")

        self._database.write(work)


def _member(connection: Connection, organisation: Organisation, account: str) -> Member:
    found = organisations.find_member(connection, organisation, account)
    if found is None:
        raise RoleUnknown(
            f"{account} is not a member of {organisation.name}", hint="take them in first"
        )
    return found


def _keep_an_owner(connection: Connection, organisation: Organisation) -> None:
    """Undo what would leave an organisation to nobody. Raises: LastOwner."""
    if not organisations.count_owners(connection, organisation):
        raise LastOwner(
            f"{organisation.name} would have no owner", hint="make another member an owner first"
        )


def _refuse(field: str, trouble: str) -> None:
    if trouble:
        raise FormInvalid({field: trouble})
