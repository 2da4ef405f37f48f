"""Rows of roles: what accounts and teams may do in a repository, and what a reader may see of all."""

from dataclasses import dataclass
from enum import IntEnum

from lamina.hub.database import Connection

__all__ = [
    "MAY_READ",
    "Holder",
    "Reader",
    "Role",
    "give_account",
    "give_team",
    "of_account",
    "of_repository",
    "of_team",
    "reader_values",
    "take_account",
    "take_team",
]


class Role(IntEnum):
    """What someone may do in a repository; each may do what those before it may."""

    NONE = 0
    READ = 1
    WRITE = 2
    ADMIN = 3

    @property
    def word(self) -> str:
        """Give the role as people and JSON say it."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Holder:
    """An account or a team (`is_team`) and its role in one repository."""

    name: str
    is_team: bool
    role: Role


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads a list over many repositories.

    `name` is the account whose memberships and roles count, `namespace` what is all theirs; empty:
    none. `is_admin` sees everything.
    """

    name: str = ""
    namespace: str = ""
    is_admin: bool = False


# Sets of what a reader was given, each found once per statement: lists stay as quick as they were.
MAY_READ = (
    "(is_private = 0 OR namespace = ? OR ?"
    " OR namespace IN (SELECT organisations.name FROM accounts"
    "  JOIN members ON members.account_id = accounts.id"
    "  JOIN organisations ON organisations.id = members.organisation_id"
    "  WHERE accounts.name = ? AND (is_owner = 1 OR members_role > 0))"
    " OR repositories.id IN (SELECT repository_id FROM accounts"
    "  JOIN account_roles ON account_roles.account_id = accounts.id WHERE accounts.name = ?)"
    " OR repositories.id IN (SELECT repository_id FROM accounts"
    "  JOIN team_members ON team_members.account_id = accounts.id"
    "  JOIN team_roles ON team_roles.team_id = team_members.team_id WHERE accounts.name = ?))"
)
"""A condition on `repositories`: its reader may see the row; wants `reader_values`."""


def reader_values(reader: Reader) -> tuple[object, ...]:
    """Give the values that `MAY_READ` wants."""
    return (reader.namespace, reader.is_admin, reader.name, reader.name, reader.name)


_OF_ACCOUNT = (
    "SELECT max(role) FROM ("
    "SELECT CASE WHEN is_owner = 1 THEN 3 ELSE members_role END AS role FROM accounts"
    " JOIN members ON members.account_id = accounts.id"
    " JOIN organisations ON organisations.id = members.organisation_id"
    " WHERE accounts.name = ? AND organisations.name = ?"
    " UNION ALL SELECT account_roles.role FROM accounts"
    " JOIN account_roles ON account_roles.account_id = accounts.id"
    " WHERE accounts.name = ? AND repository_id = ?"
    " UNION ALL SELECT team_roles.role FROM accounts"
    " JOIN team_members ON team_members.account_id = accounts.id"
    " JOIN team_roles ON team_roles.team_id = team_members.team_id"
    " WHERE accounts.name = ? AND repository_id = ?) AS held"
)


def of_account(connection: Connection, account: str, *, namespace: str, repository_id: int) -> Role:
    """Give the highest role of an account in a repository: by itself, by team, by organisation.

    `repository_id` 0 is one that is not there yet. Costs one statement over indexes.
    """
    values = (account, namespace, account, repository_id, account, repository_id)
    row = connection.execute(_OF_ACCOUNT, values).fetchone()
    return Role(row[0] or 0)


def of_repository(connection: Connection, repository_id: int) -> tuple[Holder, ...]:
    """Give who was given a role in a repository: teams first, by name."""
    rows = connection.execute(
        "SELECT teams.name, 1 AS is_team, role FROM team_roles"
        " JOIN teams ON teams.id = team_id WHERE repository_id = ?"
        " UNION ALL SELECT accounts.name, 0 AS is_team, role FROM account_roles"
        " JOIN accounts ON accounts.id = account_id WHERE repository_id = ?"
        " ORDER BY 2 DESC, 1",
        (repository_id, repository_id),
    )
    return tuple(Holder(row[0], bool(row[1]), Role(row[2])) for row in rows)


def of_team(connection: Connection, team_id: int) -> tuple[tuple[str, Role], ...]:
    """Give a team's role by repository name."""
    rows = connection.execute(
        "SELECT name, role FROM team_roles JOIN repositories ON repositories.id = repository_id"
        " WHERE team_id = ? ORDER BY name",
        (team_id,),
    )
    return tuple((str(row[0]), Role(row[1])) for row in rows)


def give_account(connection: Connection, repository_id: int, account_id: int, role: Role) -> None:
    """Give an account a role in a repository, in place of the one it had."""
    connection.execute(
        "INSERT INTO account_roles (repository_id, account_id, role) VALUES (?, ?, ?)"
        " ON CONFLICT (repository_id, account_id) DO UPDATE SET role = excluded.role",
        (repository_id, account_id, int(role)),
    )


def give_team(connection: Connection, repository_id: int, team_id: int, role: Role) -> None:
    """Give a team a role in a repository, in place of the one it had."""
    connection.execute(
        "INSERT INTO team_roles (repository_id, team_id, role) VALUES (?, ?, ?)"
        " ON CONFLICT (repository_id, team_id) DO UPDATE SET role = excluded.role",
        (repository_id, team_id, int(role)),
    )


def take_account(connection: Connection, repository_id: int, account_id: int) -> bool:
    """Take an account's own role in a repository away; tell whether it had one."""
    gone = connection.execute(
        "DELETE FROM account_roles WHERE repository_id = ? AND account_id = ?",
        (repository_id, account_id),
    )
    return bool(gone.rowcount)


def take_team(connection: Connection, repository_id: int, team_id: int) -> bool:
    """Take a team's role in a repository away; tell whether it had one."""
    gone = connection.execute(
        "DELETE FROM team_roles WHERE repository_id = ? AND team_id = ?", (repository_id, team_id)
    )
    return bool(gone.rowcount)
