"""`lamina hub token`: personal access tokens of one's account on a hub, over its HTTP interface."""

from __future__ import annotations

from lamina.cli.commands.hub_login import HUB, ask
from lamina.cli.flags import INT, LIST, STRING, Command, Flag
from lamina.cli.formats import FORMAT, JSON, QUIET, Listing, Row, show
from lamina.errors import Invalid, NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments
    from lamina.spec.wire import Document

__all__ = ["COMMAND", "main"]

_USUAL_DAYS = 90
COMMAND = Command(
    name="hub token",
    usage="lamina hub token [OPTIONS] ls | create NAME | rm NAME|ID...",
    summary="List, make or revoke your access tokens on a hub",
    description="List, make or revoke your access tokens on a hub.\nLog in there first: lamina login.",
    flags=(
        Flag(
            "allow",
            kind=STRING,
            default="pull,push",
            value="ACTIONS",
            help="What a new token may do: pull, push, delete",
        ),
        Flag("expires", kind=INT, default=_USUAL_DAYS, help="Days until it ends (0: never)"),
        FORMAT,
        HUB,
        JSON,
        Flag("only", kind=LIST, value="NAME", help="A namespace or repository it is for"),
        QUIET,
    ),
    arity=(1, None),
)
_LISTING = Listing(
    {
        "ID": "TOKEN ID",
        "Name": "NAME",
        "Actions": "MAY",
        "Targets": "IN",
        "LastUsed": "LAST USED",
        "Expires": "EXPIRES",
    },
    ("ID", "Name", "Actions", "Targets", "LastUsed", "Expires"),
)


def main(arguments: Arguments, context: Context) -> int:
    """List, make (the token on stdout, the talk on stderr) or revoke tokens."""
    verb, *names = arguments.positional
    if verb == "ls" and not names:
        return _list(arguments, context)
    if verb == "create" and len(names) == 1:
        return _create(arguments, context, names[0])
    if verb == "rm" and names:
        return _remove(arguments, context, names)
    raise Invalid(
        f"'lamina hub token {' '.join(arguments.positional)}' is not known",
        hint="use 'lamina hub token ls', 'create NAME' or 'rm NAME'",
    )


def _list(arguments: Arguments, context: Context) -> int:
    rows = [_row(each) for each in _tokens(arguments, context)]
    show(context, _LISTING, rows, arguments)
    return 0


def _row(document: Mapping[str, object]) -> Row:
    targets, actions = document["targets"], document["actions"]
    assert isinstance(targets, list)  # noqa: S101 - as the hub's interface has it
    assert isinstance(actions, list)  # noqa: S101
    return Row(
        {
            "ID": document["id"],
            "Name": document["name"],
            "Actions": ",".join(map(str, actions)),
            "Targets": ",".join(map(str, targets)) or "everywhere",
            "LastUsed": document["used_at"] or "never",
            "Expires": document["expires_at"] or "never",
        },
        document,
    )


def _create(arguments: Arguments, context: Context, name: str) -> int:
    days = arguments.number("expires")
    made = ask(
        arguments,
        context,
        "POST",
        "/tokens",
        {
            "name": name,
            "actions": [each.strip() for each in arguments.text("allow").split(",")],
            "targets": list(arguments.texts("only")),
            "expires_in_days": days or None,
        },
    )
    context.say(f"Made {name}: keep this token now, it is not shown again")
    context.print(str(made["token"]))
    return 0


def _remove(arguments: Arguments, context: Context, names: list[str]) -> int:
    found = _tokens(arguments, context)
    ids = []
    for name in names:
        match = [each for each in found if name in (each["id"], each["name"])]
        if not match:
            raise NotFound(f"no access token is named {name!r}", hint="see 'lamina hub token ls'")
        ids.append(str(match[0]["id"]))
    for name, token_id in zip(names, ids, strict=True):
        ask(arguments, context, "DELETE", f"/tokens/{token_id}")
        context.print(name)
    return 0


def _tokens(arguments: Arguments, context: Context) -> list[Document]:
    tokens = ask(arguments, context, "GET", "/tokens")["tokens"]
    assert isinstance(tokens, list)  # noqa: S101 - as the hub's interface has it
    return tokens
