"""`lamina hub role`: who else may read, write or administer a repository on a hub."""

from __future__ import annotations

from lamina.cli.commands.hub_login import HUB, ask
from lamina.cli.flags import Command
from lamina.cli.formats import FORMAT, JSON, QUIET, Listing, Row, show
from lamina.errors import Invalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments
    from lamina.spec.wire import Document

__all__ = ["COMMAND", "main"]

_TEAM = "team:"
COMMAND = Command(
    name="hub role",
    usage="lamina hub role [OPTIONS] ls REPOSITORY | set REPOSITORY WHO ROLE | rm REPOSITORY WHO...",
    summary="List, give or take roles in a repository on a hub",
    description="List, give or take roles in a repository on a hub. WHO is an account, or team:NAME of the\n"
    "repository's organisation; ROLE is read, write or admin. Log in there first: lamina login.",
    flags=(
        FORMAT,
        HUB,
        JSON,
        QUIET,
    ),
    arity=(2, None),
)
_LISTING = Listing({"Who": "WHO", "Role": "ROLE"}, ("Who", "Role"), quiet="Who")


def main(arguments: Arguments, context: Context) -> int:
    """List, give or take roles."""
    verb, repository, *rest = arguments.positional
    if verb == "ls" and not rest:
        found = ask(arguments, context, "GET", f"/repositories/{repository}/roles")["roles"]
        assert isinstance(found, list)  # noqa: S101 - as the hub's interface has it
        show(context, _LISTING, [_row(each) for each in found], arguments)
        return 0
    if verb == "set" and len(rest) == 2:  # noqa: PLR2004 - WHO and ROLE
        ask(arguments, context, "PUT", _path(repository, rest[0]), {"role": rest[1]})
        context.print(f"{rest[0]} {rest[1]}")
        return 0
    if verb == "rm" and rest:
        for who in rest:
            ask(arguments, context, "DELETE", _path(repository, who))
            context.print(who)
        return 0
    raise Invalid(
        f"'lamina hub role {' '.join(arguments.positional)}' is not known",
        hint="use 'ls REPOSITORY', 'set REPOSITORY WHO ROLE' or 'rm REPOSITORY WHO'",
    )


def _row(document: Document) -> Row:
    team = document.get("team")
    who = f"{_TEAM}{team}" if team else document["account"]
    return Row({"Who": who, "Role": document["role"]}, document)


def _path(repository: str, who: str) -> str:
    kind, name = ("teams", who.removeprefix(_TEAM)) if who.startswith(_TEAM) else ("accounts", who)
    return f"/repositories/{repository}/roles/{kind}/{name}"
