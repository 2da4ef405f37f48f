"""Who asks, and what they may do with a repository. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from lamina.hub.errors import LoginRequired, NameUnknown, PushDenied
from lamina.hub.names import namespace_of
from lamina.hub.tables.repositories import Repository
from lamina.hub.tables.roles import Reader, Role

__all__ = [
    "ACTIONS",
    "ANONYMOUS",
    "Caller",
    "Reach",
    "Scope",
    "needs_role",
    "parse_scopes",
    "require",
    "rights",
]

ACTIONS = ("pull", "push", "delete")
_ACTIONS = frozenset(ACTIONS)
_OF_ROLE = {
    Role.NONE: frozenset[str](),
    Role.READ: frozenset({"pull"}),
    Role.WRITE: frozenset({"pull", "push"}),
    Role.ADMIN: _ACTIONS,
}


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a personal access token goes: `targets` are namespaces and repositories, none: all."""

    targets: tuple[str, ...] = ()
    actions: frozenset[str] = _ACTIONS

    def allows(self, name: str) -> frozenset[str]:
        """Give the actions on the repository `name`, or on its namespace."""
        if not self.targets or name in self.targets or namespace_of(name) in self.targets:
            return self.actions
        return frozenset()


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: an account's name, or empty for nobody.

    `grants` limits a token's holder to `{repository: actions}`; None means no token limits them.
    `token_id` names the access token they came with, `reach` how far that goes. `robot_of` is the
    namespace of a robot, which has no account. From `until` (epoch seconds) on the access token is over.
    One who `is_claimed` is who a short token was given to; `admit` looks how their account stands now.
    """

    name: str = ""
    is_admin: bool = False
    grants: Mapping[str, frozenset[str]] | None = None
    token_id: str = ""
    reach: Reach = Reach()
    robot_of: str = ""
    until: float = math.inf
    is_claimed: bool = False

    @property
    def namespace(self) -> str:
        """The namespace that is all theirs; empty for nobody."""
        return self.robot_of or self.name

    @property
    def as_reader(self) -> Reader:
        """Whoever sees lists over many repositories: nobody, if a token is for some of them alone."""
        return Reader() if self.reach.targets else self._reader

    @property
    def _reader(self) -> Reader:
        return Reader("" if self.robot_of else self.name, self.namespace, self.is_admin)

    def reader_of(self, source: str) -> Reader:
        """Whoever pulls `source` (empty: from anywhere): nobody, if a token keeps them from it."""
        if self.grants is not None and "pull" not in self.grants.get(source, ()):
            return Reader()
        return self._reader if "pull" in self.reach.allows(source) else Reader()


ANONYMOUS = Caller()


@dataclass(frozen=True, slots=True)
class Scope:
    """`repository:alice/app:pull,push`: what a client wants of which resource."""

    kind: str
    name: str
    actions: frozenset[str]


def parse_scopes(texts: "list[str]") -> tuple[Scope, ...]:
    """Read scope parameters; each may hold several with spaces between. Bad ones are left out."""
    scopes = []
    for text in " ".join(texts).split():
        kind, _, rest = text.partition(":")
        name, colon, actions = rest.rpartition(":")
        if colon and name:
            scopes.append(Scope(kind.partition("(")[0], name, frozenset(actions.split(","))))
    return tuple(scopes)


def needs_role(caller: Caller, name: str, repository: Repository | None, action: str) -> bool:
    """Tell whether it depends on a role, which is read from the database, if `caller` may `action`.

    It does not for what everyone may, nor for owners, nobody and robots: they have none.
    """
    if not caller.name or caller.robot_of or _owns(caller, name):
        return False
    return action != "pull" or repository is None or repository.is_private


def rights(caller: Caller, name: str, repository: Repository | None, role: Role) -> frozenset[str]:
    """Give what `caller`, who was given `role`, may do with the repository `name` (None: not there yet).

    An access token narrows it; `grants` are looked at by `require`.
    """
    everyones = frozenset({"pull"} if repository is not None and not repository.is_private else ())
    return (_held(caller, name, role) & caller.reach.allows(name)) | everyones


def _held(caller: Caller, name: str, role: Role) -> frozenset[str]:
    return _ACTIONS if _owns(caller, name) else _OF_ROLE[role]


def _owns(caller: Caller, name: str) -> bool:
    return caller.is_admin or (caller.namespace != "" and caller.namespace == namespace_of(name))


def require(
    caller: Caller, name: str, repository: Repository | None, action: str, role: Role
) -> None:
    """Let `caller`, who was given `role`, pass; else answer so that nobody learns of private repositories.

    Nobody and a stranger get the same answer for a private repository and for none at all.
    Raises: LoginRequired, NameUnknown, PushDenied.
    """
    allowed = rights(caller, name, repository, role)
    wanted = "pull" if action == "pull" else f"pull,{action}" if action == "push" else action
    scope = f"repository:{name}:{wanted}"
    if action not in allowed:
        if not caller.name:
            raise LoginRequired("authentication required", scope=scope)
        if action == "pull":
            raise NameUnknown(f"repository {name} is not known here")
        message, hint = _why_not(caller, name, action, role)
        raise PushDenied(message, hint=hint)
    if caller.grants is not None and action not in caller.grants.get(name, ()):
        if action == "pull" and repository is not None and not repository.is_private:
            return
        raise LoginRequired("the token does not allow this", scope=scope, insufficient=True)


def _why_not(caller: Caller, name: str, action: str, role: Role) -> tuple[str, str]:
    """Give why someone may not `action`, and what they can do."""
    if action in _held(caller, name, role):
        return (
            f"this access token does not allow to {action} {name}",
            "make one that does in the hub's settings",
        )
    if caller.robot_of:
        return f"{caller.name} may not {action} {name}", "robots stay in their own namespace"
    if role is not Role.NONE:
        return (
            f"{caller.name} may not {action} {name}: the role is {role.word}",
            f"ask an owner of {namespace_of(name)} for more",
        )
    return (
        f"{caller.name} may not {action} {name}",
        f"name the image HOST/{caller.name}/... to publish it as your own",
    )
