"""Rows of organisations, their members and their teams."""

from dataclasses import dataclass

from lamina.hub.database import Connection, Row
from lamina.hub.errors import NameTaken, OrganisationUnknown, TeamUnknown
from lamina.hub.tables import caches, mirrors, webhooks
from lamina.hub.tables.accounts import Account
from lamina.hub.tables.roles import Role

__all__ = [
    "Member",
    "Organisation",
    "Team",
    "add",
    "add_team",
    "change",
    "count_owners",
    "find",
    "find_member",
    "get",
    "get_team",
    "join_team",
    "leave_team",
    "members",
    "of_account",
    "owned_alone",
    "remove",
    "remove_member",
    "remove_team",
    "repositories_of",
    "search",
    "set_member",
    "team_members",
    "teams",
]


@dataclass(frozen=True, slots=True)
class Organisation:
    """A namespace of several accounts; `members_role` is what each member may do in all of it.

    `new_private`: a push makes private repositories. `created_at` is epoch seconds.
    """

    id: int
    name: str
    summary: str
    members_role: Role
    new_private: bool
    created_at: float


@dataclass(frozen=True, slots=True)
class Member:
    """An account in an organisation; `since` is epoch seconds."""

    account_id: int
    name: str
    is_owner: bool
    since: float


@dataclass(frozen=True, slots=True)
class Team:
    """Some members of an organisation, and how many."""

    id: int
    name: str
    size: int


_COLUMNS = (
    "organisations.id, organisations.name, summary, members_role, new_private,"
    " organisations.created_at"
)


def _organisation(row: Row) -> Organisation:
    return Organisation(row[0], row[1], row[2], Role(row[3]), bool(row[4]), row[5])


def find(connection: Connection, name: str) -> Organisation | None:
    """Give the organisation of that name, if any."""
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM organisations WHERE name = ?",  # noqa: S608 - a constant
        (name,),
    ).fetchone()
    return _organisation(row) if row else None


def get(connection: Connection, name: str) -> Organisation:
    """Give the organisation of that name. Raises: OrganisationUnknown."""
    found = find(connection, name)
    if found is None:
        raise OrganisationUnknown(f"no organisation is named {name!r}")
    return found


def add(connection: Connection, name: str, *, owner: Account, now: float) -> Organisation:
    """Make an organisation whose first owner is `owner`. Raises: NameTaken."""
    account = connection.execute(
        "SELECT 1 FROM accounts WHERE name = ? UNION SELECT 1 FROM former_names WHERE name = ?",
        (name, name),
    ).fetchone()
    added = connection.execute(
        "INSERT INTO organisations (name, created_at) VALUES (?, ?) ON CONFLICT (name) DO NOTHING",
        (name, now),
    )
    if account or not added.rowcount:
        raise NameTaken(f"the name {name!r} is taken", hint="choose another name")
    made = get(connection, name)
    set_member(connection, made, owner, is_owner=True, now=now)
    return made


def change(
    connection: Connection,
    organisation: Organisation,
    *,
    summary: str,
    members_role: Role,
    new_private: bool,
) -> None:
    """Set what may be set of an organisation."""
    connection.execute(
        "UPDATE organisations SET summary = ?, members_role = ?, new_private = ? WHERE id = ?",
        (summary, int(members_role), new_private, organisation.id),
    )


def remove(connection: Connection, organisation: Organisation, *, now: float) -> None:
    """Delete an organisation with its teams; its repositories must be gone, its name stays reserved."""
    connection.execute(
        "INSERT INTO former_names (name, since) VALUES (?, ?) ON CONFLICT (name) DO NOTHING",
        (organisation.name, now),
    )
    connection.execute("DELETE FROM organisations WHERE id = ?", (organisation.id,))
    for rows in (webhooks, caches, mirrors):
        rows.forget_namespace(connection, organisation.name)


def search(
    connection: Connection, words: str, *, limit: int, offset: int
) -> tuple[tuple[Organisation, int, int], ...]:
    """Give organisations with `words` in their name, by name, with how many members and repositories."""
    escaped = words.lower().replace("!", "!!").replace("%", "!%").replace("_", "!_")
    rows = connection.execute(
        f"SELECT {_COLUMNS},"  # noqa: S608 - a constant
        " (SELECT count(*) FROM members WHERE organisation_id = organisations.id),"
        " (SELECT count(*) FROM repositories WHERE namespace = organisations.name)"
        " FROM organisations WHERE name LIKE ? ESCAPE '!' ORDER BY name LIMIT ? OFFSET ?",
        (f"%{escaped}%", limit, offset),
    )
    return tuple((_organisation(row), int(row[6]), int(row[7])) for row in rows)


def repositories_of(connection: Connection, name: str, *, limit: int) -> tuple[str, ...]:
    """Give names of repositories in a namespace, whoever asks."""
    rows = connection.execute(
        "SELECT name FROM repositories WHERE namespace = ? ORDER BY name LIMIT ?", (name, limit)
    )
    return tuple(str(row[0]) for row in rows)


def of_account(connection: Connection, account: str) -> tuple[tuple[Organisation, bool], ...]:
    """Give the organisations an account is in, by name, and whether it owns them."""
    rows = connection.execute(
        f"SELECT {_COLUMNS}, is_owner FROM accounts"  # noqa: S608 - a constant
        " JOIN members ON members.account_id = accounts.id"
        " JOIN organisations ON organisations.id = organisation_id"
        " WHERE accounts.name = ? ORDER BY organisations.name",
        (account,),
    )
    return tuple((_organisation(row), bool(row[6])) for row in rows)


def owned_alone(connection: Connection, account_id: int) -> tuple[str, ...]:
    """Give the organisations that nobody owns but this account, by name."""
    rows = connection.execute(
        "SELECT name FROM members JOIN organisations ON organisations.id = organisation_id"
        " WHERE account_id = ? AND is_owner = 1 AND NOT EXISTS"
        " (SELECT 1 FROM members AS others WHERE others.organisation_id = organisations.id"
        "  AND others.account_id <> ? AND others.is_owner = 1) ORDER BY name",
        (account_id, account_id),
    )
    return tuple(str(row[0]) for row in rows)


def members(connection: Connection, organisation: Organisation) -> tuple[Member, ...]:
    """Give the members by name, owners first."""
    rows = connection.execute(
        "SELECT account_id, name, is_owner, since FROM members"
        " JOIN accounts ON accounts.id = account_id"
        " WHERE organisation_id = ? ORDER BY is_owner DESC, name",
        (organisation.id,),
    )
    return tuple(Member(row[0], row[1], bool(row[2]), row[3]) for row in rows)


def find_member(connection: Connection, organisation: Organisation, account: str) -> Member | None:
    """Give an account's membership, if it is one."""
    row = connection.execute(
        "SELECT account_id, name, is_owner, since FROM accounts"
        " JOIN members ON account_id = accounts.id WHERE name = ? AND organisation_id = ?",
        (account, organisation.id),
    ).fetchone()
    return Member(row[0], row[1], bool(row[2]), row[3]) if row else None


def count_owners(connection: Connection, organisation: Organisation) -> int:
    """Give how many accounts own an organisation."""
    row = connection.execute(
        "SELECT count(*) FROM members WHERE organisation_id = ? AND is_owner = 1",
        (organisation.id,),
    ).fetchone()
    return int(row[0])


def set_member(
    connection: Connection,
    organisation: Organisation,
    account: Account,
    *,
    is_owner: bool,
    now: float,
) -> None:
    """Take an account in, or change whether it owns the organisation."""
    connection.execute(
        "INSERT INTO members (organisation_id, account_id, is_owner, since) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (organisation_id, account_id) DO UPDATE SET is_owner = excluded.is_owner",
        (organisation.id, account.id, is_owner, now),
    )


def remove_member(connection: Connection, organisation: Organisation, account_id: int) -> None:
    """Let an account go, out of its teams, too; what it was given by itself here ends as well."""
    connection.execute(
        "DELETE FROM account_roles WHERE account_id = ? AND repository_id IN"
        " (SELECT id FROM repositories WHERE namespace = ?)",
        (account_id, organisation.name),
    )
    connection.execute(
        "DELETE FROM team_members WHERE account_id = ? AND team_id IN"
        " (SELECT id FROM teams WHERE organisation_id = ?)",
        (account_id, organisation.id),
    )
    connection.execute(
        "DELETE FROM members WHERE organisation_id = ? AND account_id = ?",
        (organisation.id, account_id),
    )


_TEAM = (
    "SELECT id, name, (SELECT count(*) FROM team_members WHERE team_id = teams.id) FROM teams"
    " WHERE organisation_id = ?"
)


def teams(connection: Connection, organisation: Organisation) -> tuple[Team, ...]:
    """Give the teams by name."""
    return tuple(
        Team(*row) for row in connection.execute(f"{_TEAM} ORDER BY name", (organisation.id,))
    )


def get_team(connection: Connection, organisation: Organisation, name: str) -> Team:
    """Give the team of that name. Raises: TeamUnknown."""
    row = connection.execute(f"{_TEAM} AND name = ?", (organisation.id, name)).fetchone()
    if row is None:
        raise TeamUnknown(f"{organisation.name} has no team {name!r}")
    return Team(*row)


def add_team(connection: Connection, organisation: Organisation, name: str, *, now: float) -> Team:
    """Make a team without members. Raises: NameTaken."""
    added = connection.execute(
        "INSERT INTO teams (organisation_id, name, created_at) VALUES (?, ?, ?)"
        " ON CONFLICT (organisation_id, name) DO NOTHING",
        (organisation.id, name, now),
    )
    if not added.rowcount:
        raise NameTaken(f"{organisation.name} has a team {name!r} already")
    return get_team(connection, organisation, name)


def remove_team(connection: Connection, team: Team) -> None:
    """Delete a team with the roles it was given."""
    connection.execute("DELETE FROM teams WHERE id = ?", (team.id,))


def team_members(connection: Connection, team: Team) -> tuple[str, ...]:
    """Give the names of who is in a team."""
    rows = connection.execute(
        "SELECT name FROM team_members JOIN accounts ON accounts.id = account_id"
        " WHERE team_id = ? ORDER BY name",
        (team.id,),
    )
    return tuple(str(row[0]) for row in rows)


def join_team(connection: Connection, team: Team, account_id: int) -> None:
    """Put a member of the organisation into a team."""
    connection.execute(
        "INSERT INTO team_members (team_id, account_id) VALUES (?, ?) ON CONFLICT DO NOTHING",
        (team.id, account_id),
    )


def leave_team(connection: Connection, team: Team, account_id: int) -> bool:
    """Take an account out of a team; tell whether it was in it."""
    gone = connection.execute(
        "DELETE FROM team_members WHERE team_id = ? AND account_id = ?", (team.id, account_id)
    )
    return bool(gone.rowcount)
