"""Rows of robots: logins of programs, one namespace each."""

from dataclasses import dataclass

from lamina.hub.database import Connection, Row
from lamina.hub.errors import NameTaken, RobotUnknown

__all__ = [
    "Robot",
    "add",
    "count",
    "find",
    "get",
    "of_id",
    "of_namespace",
    "remove",
    "renew",
    "touch",
]


@dataclass(frozen=True, slots=True)
class Robot:
    """What is known of a robot; its token's bits are not. Times are epoch seconds.

    `targets` are repositories of its namespace, none of them: all. `expires_at` None: never.
    """

    id: str
    namespace: str
    name: str
    targets: tuple[str, ...]
    actions: tuple[str, ...]
    created_by: str
    created_at: float
    expires_at: float | None
    used_at: float | None = None
    used_from: str = ""
    rests: bool = False
    """The account whose it is was disabled."""

    @property
    def login(self) -> str:
        """Give the name it logs in with; no account's has a `+`."""
        return f"{self.namespace}+{self.name}"

    def is_over(self, now: float) -> bool:
        """Tell whether its time has passed."""
        return self.expires_at is not None and self.expires_at <= now


_SELECT = (
    "SELECT robots.id, namespace, robots.name, targets, actions, created_by, robots.created_at,"
    " expires_at, used_at, used_from, disabled_at IS NOT NULL"
    " FROM robots LEFT JOIN accounts ON accounts.id = account_id"
)


def _robot(row: Row) -> Robot:
    return Robot(
        id=row[0],
        namespace=row[1],
        name=row[2],
        targets=tuple(row[3].split()),
        actions=tuple(row[4].split(",")),
        created_by=row[5],
        created_at=row[6],
        expires_at=row[7],
        used_at=row[8],
        used_from=row[9],
        rests=bool(row[10]),
    )


def add(
    connection: Connection,
    token: bytes,
    made: Robot,
    *,
    account_id: int | None,
    organisation_id: int | None,
) -> None:
    """Keep a robot of an account or an organisation; `token` is the SHA-256 of what it gets.

    Raises: NameTaken.
    """
    added = connection.execute(
        "INSERT INTO robots (id, token, namespace, account_id, organisation_id, name, targets,"
        " actions, created_by, created_at, expires_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (namespace, name) DO NOTHING",
        (
            made.id,
            token,
            made.namespace,
            account_id,
            organisation_id,
            made.name,
            " ".join(made.targets),
            ",".join(made.actions),
            made.created_by,
            made.created_at,
            made.expires_at,
        ),
    )
    if not added.rowcount:
        raise NameTaken(f"there is a robot {made.login} already", hint="renew it, or revoke it")


def find(connection: Connection, token: bytes) -> Robot | None:
    """Give the robot with the token of that SHA-256, whether or not its time is over."""
    row = connection.execute(f"{_SELECT} WHERE token = ?", (token,)).fetchone()
    return _robot(row) if row else None


def of_id(connection: Connection, robot_id: str) -> Robot | None:
    """Give the robot of that id, whether or not its time is over."""
    row = connection.execute(f"{_SELECT} WHERE robots.id = ?", (robot_id,)).fetchone()
    return _robot(row) if row else None


def get(connection: Connection, namespace: str, name: str) -> Robot:
    """Give a namespace's robot. Raises: RobotUnknown."""
    row = connection.execute(
        f"{_SELECT} WHERE namespace = ? AND robots.name = ?", (namespace, name)
    ).fetchone()
    if row is None:
        raise RobotUnknown(f"{namespace} has no robot {name!r}")
    return _robot(row)


def of_namespace(connection: Connection, namespace: str) -> tuple[Robot, ...]:
    """Give a namespace's robots by name."""
    rows = connection.execute(f"{_SELECT} WHERE namespace = ? ORDER BY robots.name", (namespace,))
    return tuple(_robot(row) for row in rows)


def count(connection: Connection, namespace: str) -> int:
    """Give how many robots a namespace has."""
    row = connection.execute(
        "SELECT count(*) FROM robots WHERE namespace = ?", (namespace,)
    ).fetchone()
    return int(row[0])


def renew(
    connection: Connection, robot: Robot, token: bytes, *, robot_id: str, expires_at: float | None
) -> None:
    """Give a robot another token, and another id: short tokens of the old one end with it."""
    connection.execute(
        "UPDATE robots SET token = ?, id = ?, expires_at = ? WHERE id = ?",
        (token, robot_id, expires_at, robot.id),
    )


def remove(connection: Connection, robot: Robot) -> None:
    """Revoke a robot."""
    connection.execute("DELETE FROM robots WHERE id = ?", (robot.id,))


def touch(connection: Connection, robot_id: str, *, now: float, address: str) -> None:
    """Note that a robot logged in."""
    connection.execute(
        "UPDATE robots SET used_at = ?, used_from = ? WHERE id = ?", (now, address, robot_id)
    )
