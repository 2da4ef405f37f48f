"""`lamina hub webhook`: who a hub tells of pushes and deletions, over its HTTP interface."""

from __future__ import annotations

from lamina.cli.commands.hub_login import HUB, ask
from lamina.cli.flags import BOOL, STRING, Command, Flag
from lamina.cli.formats import FORMAT, JSON, QUIET, Listing, Row, show
from lamina.errors import Invalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="hub webhook",
    usage="lamina hub webhook [OPTIONS] ls SCOPE | create SCOPE URL | log|test|rest|wake ID |"
    " redeliver ID DELIVERY | rm ID...",
    summary="List, make, test or delete webhooks of a repository or namespace",
    description="List, make, test or delete webhooks of a repository or namespace (SCOPE).\n"
    "Log in there first: lamina login.",
    flags=(
        Flag(
            "events",
            kind=STRING,
            default="push",
            value="EVENTS",
            help="What a new webhook is told of: push, move, delete, pull",
        ),
        FORMAT,
        HUB,
        JSON,
        QUIET,
        Flag("secret-stdin", kind=BOOL, help="Take the receiver's own secret from stdin"),
    ),
    arity=(2, None),
)
_LISTING = Listing(
    {"ID": "WEBHOOK ID", "URL": "ADDRESS", "Events": "TOLD OF", "State": "STATE", "Made": "MADE"},
    ("ID", "URL", "Events", "State", "Made"),
)
_LOG = Listing(
    {
        "ID": "DELIVERY ID",
        "Event": "EVENT",
        "Subject": "SUBJECT",
        "State": "STATE",
        "Status": "STATUS",
        "Tries": "TRIES",
        "Made": "MADE",
    },
    ("ID", "Event", "Subject", "State", "Status", "Tries", "Made"),
)


def main(arguments: Arguments, context: Context) -> int:
    """List, make (the secret on stdout, the talk on stderr), look into, test or delete webhooks."""
    verb, *words = arguments.positional
    if verb == "ls" and len(words) == 1:
        rows = ask(arguments, context, "GET", f"/webhooks?scope={words[0]}")["webhooks"]
        assert isinstance(rows, list)  # noqa: S101 - as the hub's interface has it
        show(context, _LISTING, [_row(each) for each in rows], arguments)
    elif verb == "create" and len(words) == 2:  # noqa: PLR2004 - scope and address
        _create(arguments, context, *words)
    elif verb == "log" and len(words) == 1:
        rows = ask(arguments, context, "GET", f"/webhooks/{words[0]}")["deliveries"]
        assert isinstance(rows, list)  # noqa: S101 - as the hub's interface has it
        show(context, _LOG, [_delivery(each) for each in rows], arguments)
    elif verb in ("rest", "wake", "test") and len(words) == 1:
        _change(arguments, context, verb, words[0])
    elif verb == "redeliver" and len(words) == 2:  # noqa: PLR2004 - webhook and delivery
        ask(arguments, context, "POST", f"/webhooks/{words[0]}/deliveries/{words[1]}")
        context.print(words[1])
    elif verb == "rm" and words:
        for word in words:
            ask(arguments, context, "DELETE", f"/webhooks/{word}")
            context.print(word)
    else:
        raise Invalid(
            f"'lamina hub webhook {' '.join(arguments.positional)}' is not known",
            hint="see 'lamina hub webhook --help'",
        )
    return 0


def _create(arguments: Arguments, context: Context, scope: str, url: str) -> None:
    secret = context.stdin.read().strip() if arguments.flag("secret-stdin") else ""
    events = [each.strip() for each in arguments.text("events").split(",")]
    document = {"scope": scope, "url": url, "events": events, "secret": secret}
    made = ask(arguments, context, "POST", "/webhooks", document)
    context.say(f"Made webhook {made['id']}: its secret is not shown again")
    context.print(str(made["secret"]))


def _change(arguments: Arguments, context: Context, verb: str, webhook: str) -> None:
    if verb == "test":
        ask(arguments, context, "POST", f"/webhooks/{webhook}/test")
        context.say(f"A test is on its way; see: lamina hub webhook log {webhook}")
    else:
        ask(arguments, context, "PATCH", f"/webhooks/{webhook}", {"is_active": verb == "wake"})
    context.print(webhook)


def _row(document: Mapping[str, object]) -> Row:
    events = document["events"]
    assert isinstance(events, list)  # noqa: S101 - as the hub's interface has it
    return Row(
        {
            "ID": document["id"],
            "URL": document["url"],
            "Events": ",".join(map(str, events)),
            "State": "told" if document["is_active"] else "rests",
            "Made": document["created_at"],
        },
        document,
    )


def _delivery(document: Mapping[str, object]) -> Row:
    return Row(
        {
            "ID": document["id"],
            "Event": document["event"],
            "Subject": document["subject"],
            "State": document["state"],
            "Status": document["status"] or "",
            "Tries": document["attempts"],
            "Made": document["made_at"],
        },
        document,
    )
