"""Who asks, and what they may do with a repository. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from lamina.hub.errors import LoginRequired, NameUnknown, PushDenied
from lamina.hub.names import namespace_of
from lamina.hub.tables.repositories import Repository

__all__ = ["ACTIONS", "ANONYMOUS", "Caller", "Reach", "Scope", "parse_scopes", "require", "rights"]

ACTIONS = ("pull", "push", "delete")
_ACTIONS = frozenset(ACTIONS)


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
    `token_id` names the personal access token they came with, `reach` how far that goes.
    """

    name: str = ""
    is_admin: bool = False
    grants: Mapping[str, frozenset[str]] | None = None
    token_id: str = ""
    reach: Reach = Reach()

    @property
    def as_reader(self) -> "Caller":
        """Whoever sees lists over many repositories: nobody, if a token is for some of them alone."""
        return ANONYMOUS if self.reach.targets else self

    def may_read_from(self, source: str) -> bool:
        """Tell whether no token keeps them from pulling `source`; empty: from anywhere."""
        if self.grants is not None and "pull" not in self.grants.get(source, ()):
            return False
        return "pull" in self.reach.allows(source)


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


def rights(caller: Caller, name: str, repository: Repository | None) -> frozenset[str]:
    """Give what `caller` may do with the repository `name` (None: not there yet).

    A personal access token narrows it; `grants` are looked at by `require`.
    """
    everyones = frozenset({"pull"} if repository is not None and not repository.is_private else ())
    if _owns(caller, name):
        return caller.reach.allows(name) | everyones
    return everyones


def _owns(caller: Caller, name: str) -> bool:
    return caller.is_admin or (caller.name != "" and caller.name == namespace_of(name))


def require(caller: Caller, name: str, repository: Repository | None, action: str) -> None:
    """Let `caller` pass if they may; else answer so that nobody learns of private repositories.

    Nobody and a stranger get the same answer for a private repository and for none at all.
    Raises: LoginRequired, NameUnknown, PushDenied.
    """
    allowed = rights(caller, name, repository)
    wanted = "pull" if action == "pull" else f"pull,{action}" if action == "push" else action
    scope = f"repository:{name}:{wanted}"
    if action not in allowed:
        if not caller.name:
            raise LoginRequired("authentication required", scope=scope)
        if action == "pull":
            raise NameUnknown(f"repository {name} is not known here")
        if _owns(caller, name):
            raise PushDenied(
                f"this access token does not allow to {action} {name}",
                hint="make one that does in the hub's settings",
            )
        raise PushDenied(
            f"{caller.name} may not {action} {name}",
            hint=f"name the image HOST/{caller.name}/... to publish it as your own",
        )
    if caller.grants is not None and action not in caller.grants.get(name, ()):
        if action == "pull" and repository is not None and not repository.is_private:
            return
        raise LoginRequired("the token does not allow this", scope=scope, insufficient=True)
