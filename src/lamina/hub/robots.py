"""Use cases of robots: logins of programs, which belong to a namespace. Every call may block.

A robot's login is `acme+name` and a token that takes a password's place. It acts in its own
namespace alone, and goes on when the person who made it leaves. Wrong tokens are not counted as
wrong passwords are: nobody can guess one.
"""

import math
import secrets
from collections.abc import Callable, Sequence

from lamina.hub.access import ACTIONS, Caller, Reach
from lamina.hub.access_tokens import actions_trouble, expiry_of, expiry_trouble
from lamina.hub.database import Connection, Database
from lamina.hub.errors import CredentialsRefused, FormInvalid, NameTaken
from lamina.hub.names import ROBOT_TOKEN_PREFIX, is_repository, namespace_of, part_trouble
from lamina.hub.organisations import check_owner
from lamina.hub.tables import accounts, organisations, robots
from lamina.hub.tables.robots import Robot
from lamina.hub.tokens import fingerprint, opaque

__all__ = ["Robots", "is_robot_id", "is_robot_token"]

_TARGETS_LIMIT, _PER_NAMESPACE = 50, 200
_USED_EVERY_S = 60.0
_ID_PREFIX = "r-"


def is_robot_token(text: str) -> bool:
    """Tell whether a password has the form of a robot's token."""
    return text.startswith(ROBOT_TOKEN_PREFIX)


def is_robot_id(token_id: str) -> bool:
    """Tell whether a short token's access token is a robot's."""
    return token_id.startswith(_ID_PREFIX)


class Robots:
    """The robots of every namespace. `caller` must own the namespace, or be the hub's admin."""

    def __init__(self, database: Database, *, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    def create(
        self,
        caller: Caller,
        namespace: str,
        name: str,
        *,
        actions: Sequence[str],
        targets: Sequence[str] = (),
        expires_in_days: int | None = None,
    ) -> tuple[str, Robot]:
        """Make a robot of `namespace`; give the token it is to keep, and what we know of it.

        `targets` are repositories of the namespace, none: all, those to come as well. Who may push
        or delete may pull, too. Raises: NotYours, OrganisationUnknown, FormInvalid.
        """
        wanted = frozenset(actions)
        fields = {
            "name": part_trouble(name),
            "actions": actions_trouble(wanted),
            "targets": _targets_trouble(namespace, targets),
            "expires_in_days": expiry_trouble(expires_in_days),
        }
        _refuse(fields)
        text = ROBOT_TOKEN_PREFIX + opaque()
        now = self._clock()
        made = Robot(
            id=_new_id(),
            namespace=namespace,
            name=name,
            targets=tuple(dict.fromkeys(targets)),
            actions=tuple(each for each in ACTIONS if each in wanted | {"pull"}),
            created_by=caller.name,
            created_at=now,
            expires_at=expiry_of(expires_in_days, now=now),
        )

        def work(connection: Connection) -> None:
            check_owner(connection, caller, namespace)
            if robots.count(connection, namespace) >= _PER_NAMESPACE:
                raise FormInvalid(
                    {"name": f"A namespace has at most {_PER_NAMESPACE} robots; revoke some first"}
                )
            owner = organisations.find(connection, namespace)
            robots.add(
                connection,
                fingerprint(text),
                made,
                account_id=None if owner else accounts.get(connection, namespace).id,
                organisation_id=owner.id if owner else None,
            )

        try:
            self._database.write(work)
        except NameTaken as error:
            raise FormInvalid({"name": f"There is a robot {made.login} already"}) from error
        return text, made

    def of(self, caller: Caller, namespace: str) -> tuple[Robot, ...]:
        """Give a namespace's robots by name. Raises: NotYours, OrganisationUnknown."""

        def work(connection: Connection) -> tuple[Robot, ...]:
            check_owner(connection, caller, namespace)
            return robots.of_namespace(connection, namespace)

        return self._database.read(work)

    def renew(
        self, caller: Caller, namespace: str, name: str, *, expires_in_days: int | None
    ) -> tuple[str, Robot]:
        """Give a robot another token; the old one ends at once, with every short token of it.

        Raises: NotYours, OrganisationUnknown, RobotUnknown, FormInvalid.
        """
        _refuse({"expires_in_days": expiry_trouble(expires_in_days)})
        text, robot_id = ROBOT_TOKEN_PREFIX + opaque(), _new_id()
        expires_at = expiry_of(expires_in_days, now=self._clock())

        def work(connection: Connection) -> Robot:
            check_owner(connection, caller, namespace)
            robots.renew(
                connection,
                robots.get(connection, namespace, name),
                fingerprint(text),
                robot_id=robot_id,
                expires_at=expires_at,
            )
            return robots.get(connection, namespace, name)

        return text, self._database.write(work)

    def revoke(self, caller: Caller, namespace: str, name: str) -> Robot:
        """End a robot at once; give what it was.

        Raises: NotYours, OrganisationUnknown, RobotUnknown.
        """

        def work(connection: Connection) -> Robot:
            check_owner(connection, caller, namespace)
            found = robots.get(connection, namespace, name)
            robots.remove(connection, found)
            return found

        return self._database.write(work)

    def login(self, name: str, token: str, address: str) -> Caller:
        """Give which robot logs in; `name` must be its login, or empty. Raises: CredentialsRefused."""
        found = self._database.read(lambda connection: robots.find(connection, fingerprint(token)))
        if found is None or name.strip().lower() not in ("", found.login):
            raise CredentialsRefused(
                "the robot's token is not known, or not of this name",
                hint="it may have been renewed or revoked",
            )
        caller = self._caller(found)
        now = self._clock()
        if (
            found.used_at is None
            or found.used_at <= now - _USED_EVERY_S
            or (found.used_from != address)
        ):
            self._database.write(
                lambda connection: robots.touch(connection, found.id, now=now, address=address),
                alone=False,
            )
        return caller

    def caller(self, robot_id: str) -> Caller:
        """Give the robot a short token still speaks for. Raises: CredentialsRefused."""
        found = self._database.read(lambda connection: robots.of_id(connection, robot_id))
        if found is None:
            raise CredentialsRefused("the robot was renewed or revoked", hint="log in again")
        return self._caller(found)

    def _caller(self, robot: Robot) -> Caller:
        if robot.is_over(self._clock()):
            raise CredentialsRefused(
                f"the time of the robot {robot.login} is over",
                hint=f"an owner of {robot.namespace} can renew it",
            )
        if robot.rests:
            raise CredentialsRefused(
                f"the account {robot.namespace} is disabled", hint="ask the hub's admin"
            )
        reach = Reach(robot.targets, frozenset(robot.actions))
        until = math.inf if robot.expires_at is None else robot.expires_at
        return Caller(
            robot.login, token_id=robot.id, reach=reach, robot_of=robot.namespace, until=until
        )


def _new_id() -> str:
    return _ID_PREFIX + secrets.token_hex(8)


def _refuse(fields: dict[str, str]) -> None:
    wrong = {field: text for field, text in fields.items() if text}
    if wrong:
        raise FormInvalid(wrong)


def _targets_trouble(namespace: str, targets: Sequence[str]) -> str:
    if len(targets) > _TARGETS_LIMIT:
        return f"A robot names at most {_TARGETS_LIMIT} repositories"
    for target in targets:
        if not is_repository(target) or namespace_of(target) != namespace:
            return f"{target!r} is not a repository of {namespace} ({namespace}/app)"
    return ""
