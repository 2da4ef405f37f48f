"""`lamina hub cache`: namespaces of a hub that stand for other registries, over its HTTP interface."""

from __future__ import annotations

from lamina.cli.commands.hub_login import HUB, ask
from lamina.cli.flags import BOOL, INT, STRING, Command, Flag
from lamina.cli.formats import FORMAT, JSON, QUIET, Listing, Row, show
from lamina.errors import Invalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

_FRESH_S, _KEEP_DAYS = 300, 30
COMMAND = Command(
    name="hub cache",
    usage="lamina hub cache [OPTIONS] ls | create NAMESPACE REGISTRY[/PATH] | rm NAMESPACE...",
    summary="List, make or remove namespaces that stand for other registries",
    description="List, make or remove namespaces of a hub that stand for other registries.\n"
    "Log in there as an admin first: lamina login.",
    flags=(
        Flag("default", kind=BOOL, help="Look there for names that are nobody's on the hub, too"),
        FORMAT,
        Flag("fresh", kind=INT, default=_FRESH_S, help="Seconds that a tag is believed"),
        HUB,
        JSON,
        Flag("keep", kind=INT, default=_KEEP_DAYS, help="Days that what nobody pulls is kept"),
        Flag("password-stdin", kind=BOOL, help="Take the registry's password or token from stdin"),
        Flag("private", kind=BOOL, help="Only for those who may read the namespace"),
        QUIET,
        Flag("username", "u", kind=STRING, value="NAME", help="Who the hub is to that registry"),
    ),
    arity=(1, None),
)
_LISTING = Listing(
    {
        "ID": "NAMESPACE",
        "Upstream": "STANDS FOR",
        "Access": "FOR",
        "Default": "DEFAULT",
        "Fresh": "FRESH",
        "Keep": "KEPT",
        "Limit": "LIMIT",
    },
    ("ID", "Upstream", "Access", "Default", "Fresh", "Keep", "Limit"),
)


def main(arguments: Arguments, context: Context) -> int:
    """List, make or remove caches."""
    verb, *words = arguments.positional
    if verb == "ls" and not words:
        rows = ask(arguments, context, "GET", "/caches")["caches"]
        assert isinstance(rows, list)  # noqa: S101 - as the hub's interface has it
        show(context, _LISTING, [_row(each) for each in rows], arguments)
    elif verb == "create" and len(words) == 2:  # noqa: PLR2004 - namespace and registry
        _create(arguments, context, *words)
    elif verb == "rm" and words:
        for word in words:
            ask(arguments, context, "DELETE", f"/caches/{word}")
            context.print(word)
    else:
        raise Invalid(
            f"'lamina hub cache {' '.join(arguments.positional)}' is not known",
            hint="use 'lamina hub cache ls', 'create NAMESPACE REGISTRY' or 'rm NAMESPACE'",
        )
    return 0


def _create(arguments: Arguments, context: Context, namespace: str, upstream: str) -> None:
    given = arguments.flag("password-stdin")
    made = ask(
        arguments,
        context,
        "POST",
        "/caches",
        {
            "namespace": namespace,
            "upstream": upstream,
            "username": arguments.text("username"),
            "password": context.stdin.read().rstrip("\r\n") if given else "",
            "is_private": arguments.flag("private"),
            "is_default": arguments.flag("default"),
            "fresh_s": arguments.number("fresh"),
            "keep_days": arguments.number("keep"),
        },
    )
    context.say(f"{made['namespace']} stands for {made['upstream']} now")
    context.print(str(made["namespace"]))


def _row(document: Mapping[str, object]) -> Row:
    limit, left = document["rate_limit"], document["rate_remaining"]
    return Row(
        {
            "ID": document["namespace"],
            "Upstream": document["upstream"],
            "Access": "members" if document["is_private"] else "everyone",
            "Default": "yes" if document["is_default"] else "",
            "Fresh": f"{document['fresh_s']} s",
            "Keep": f"{document['keep_days']} days",
            "Limit": "" if left is None else f"{left} of {limit} left" if limit else f"{left} left",
        },
        document,
    )
