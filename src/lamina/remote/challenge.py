"""`WWW-Authenticate` as registries send it, and the scopes inside. Pure functions.

Spec: RFC 9110 section 11.6.1; distribution's docs/spec/auth/scope.md. Registries are loose with
both: any case, blanks around commas, commas inside quotes, several challenges in one header.
"""

from collections.abc import Iterable, Mapping

from lamina.values import dataclass

__all__ = [
    "Challenge",
    "actions",
    "choose",
    "covers",
    "merge_scopes",
    "parse_challenges",
    "repository_scope",
]

_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_GAP = r"[\s,]*"
_PARAMETER = rf'({_WORD})\s*=\s*(?:"((?:[^"\\]|\\.)*)(?:"|$)|([^\s,"]*))'
_SCHEME = rf"({_WORD})(?:\s+([A-Za-z0-9._~+/-]+=*)\s*(?=,|$))?"
_ESCAPE = r"\\(.)"


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way a server offers to be convinced. Scheme and parameter names are lower case."""

    scheme: str
    parameters: Mapping[str, str]

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes of a Bearer challenge, in its order."""
        return tuple(self.parameters.get("scope", "").split())

    @property
    def error(self) -> str:
        """Why the last token was refused: `insufficient_scope`, `invalid_token`, or empty."""
        return self.parameters.get("error", "")


def parse_challenges(header: str) -> tuple[Challenge, ...]:
    """Read every challenge of a header, in its order; what cannot be read is passed over.

    Several headers may be joined by commas before.
    """
    if not header:
        return ()
    import re  # for registries that ask who we are

    gaps, parameters, schemes = map(re.compile, (_GAP, _PARAMETER, _SCHEME))
    found: list[tuple[str, dict[str, str]]] = []
    position = 0
    while True:
        gap = gaps.match(header, position)
        position = gap.end() if gap else position
        if position >= len(header):
            break
        parameter = parameters.match(header, position) if found else None
        scheme = None if parameter else schemes.match(header, position)
        if parameter:
            name, quoted, plain = parameter.groups()
            value = re.sub(_ESCAPE, r"\1", quoted) if quoted is not None else plain
            found[-1][1].setdefault(name.lower(), value)
            position = parameter.end()
        elif scheme:
            found.append((scheme[1].lower(), {}))
            position = scheme.end()
        else:
            position += 1
    return tuple(Challenge(name, values) for name, values in found)


def choose(challenges: Iterable[Challenge]) -> Challenge | None:
    """Pick the challenge to answer: Bearer with a realm before Basic; None if neither is offered."""
    offered = tuple(challenges)
    for challenge in offered:
        if challenge.scheme == "bearer" and challenge.parameters.get("realm"):
            return challenge
    return next((each for each in offered if each.scheme == "basic"), None)


def repository_scope(repository: str, *actions: str) -> str:
    """Write the scope for `actions` on a repository: `repository:library/debian:pull`."""
    return f"repository:{repository}:{','.join(actions)}"


def merge_scopes(needed: Iterable[str], offered: Iterable[str]) -> tuple[str, ...]:
    """Join the scopes we need and the ones a challenge names, ours first.

    Ours lead because some token services read only the first; one that another covers is left out.
    """
    merged: list[str] = []
    for scope in (*needed, *offered):
        if scope and not any(_covers(other, scope) for other in merged):
            merged.append(scope)
    return tuple(merged)


def _covers(wide: str, narrow: str) -> bool:
    if wide == narrow:
        return True
    wide_name, _, wide_actions = wide.rpartition(":")
    narrow_name, _, narrow_actions = narrow.rpartition(":")
    if not wide_name or wide_name != narrow_name:
        return False
    return set(narrow_actions.split(",")) <= set(wide_actions.split(","))


def covers(wide: Iterable[str], narrow: Iterable[str]) -> bool:
    """Tell whether a token for the scopes `wide` is one for the scopes `narrow`, too."""
    offered = tuple(wide)
    return all(any(_covers(each, scope) for each in offered) for scope in narrow)


def actions(scopes: Iterable[str]) -> str:
    """Give the actions of the first scope: `pull,push`; empty for none."""
    return next(iter(scopes), "").rpartition(":")[2]
