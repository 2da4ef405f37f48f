"""What a rule or a quota is for: one repository, a namespace, or the whole hub; and who may set it."""

from lamina.errors import Invalid
from lamina.hub.access import Caller
from lamina.hub.admission import allowed
from lamina.hub.database import Connection
from lamina.hub.errors import LoginRequired, PushDenied
from lamina.hub.names import HUB, is_repository, name_trouble, namespace_of
from lamina.hub.registry import visible
from lamina.hub.tables import roles
from lamina.hub.tables.roles import Role

__all__ = ["check_target", "covers", "is_owner", "require_owner"]


def check_target(text: str) -> str:
    """Give a target back. Raises: Invalid."""
    if text != HUB and not is_repository(text) and name_trouble(text):
        raise Invalid(
            f"{text!r} is neither a repository nor a namespace",
            hint=f"name alice/app, or alice for all of hers, or {HUB} for everything",
        )
    return text


def covers(target: str, repository: str) -> bool:
    """Tell whether a target is the repository, its namespace or the hub."""
    return target in (repository, namespace_of(repository), HUB)


def require_owner(connection: Connection, caller: Caller, target: str) -> None:
    """Let pass who may change everything in `target`.

    Raises: LoginRequired, NameUnknown (a private repository of others, or none), PushDenied.
    """
    if not caller.name:
        raise LoginRequired("log in first")
    if is_repository(target):
        visible(connection, caller, target)
    if not is_owner(connection, caller, target):
        raise PushDenied(f"{caller.name} may not change {target}")


def is_owner(connection: Connection, caller: Caller, target: str) -> bool:
    """Tell whether `caller` may change everything in `target`."""
    if caller.is_admin:
        return "delete" in caller.reach.allows(target)
    if target == HUB:
        return False
    if is_repository(target):
        found = visible(connection, caller, target)
        return "delete" in allowed(connection, caller, target, found)
    if "delete" not in caller.reach.allows(target):
        return False
    if caller.namespace == target:
        return not caller.robot_of
    given = roles.of_account(connection, caller.name, namespace=target, repository_id=0)
    return bool(caller.name) and not caller.robot_of and given is Role.ADMIN
