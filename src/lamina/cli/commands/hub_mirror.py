"""`lamina hub mirror`: repositories of a hub that are filled from other registries, over HTTP."""

from __future__ import annotations

from lamina.cli.commands.hub_login import HUB, ask
from lamina.cli.flags import BOOL, INT, LIST, STRING, Command, Flag
from lamina.cli.formats import FORMAT, JSON, QUIET, Listing, Row, show
from lamina.errors import Invalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

_EVERY_HOURS = 24
COMMAND = Command(
    name="hub mirror",
    usage="lamina hub mirror [OPTIONS] ls | create REPOSITORY SOURCE | run ID | log ID | rm ID...",
    summary="List, make, run or remove rules that copy images from other registries",
    description="List, make, run or remove rules that copy images from other registries to a hub\n"
    "every few hours. Log in there as an admin first: lamina login.",
    flags=(
        Flag("delete", kind=BOOL, help="Remove tags here that are gone there"),
        Flag("every", kind=INT, default=_EVERY_HOURS, help="Hours between two runs"),
        FORMAT,
        HUB,
        JSON,
        Flag("password-stdin", kind=BOOL, help="Take the source's password or token from stdin"),
        QUIET,
        Flag("tags", kind=LIST, value="PATTERN", help="Tags to copy, such as v* (default all)"),
        Flag("username", "u", kind=STRING, value="NAME", help="Who the hub is to the source"),
    ),
    arity=(1, None),
)
_LISTING = Listing(
    {
        "ID": "MIRROR ID",
        "Target": "REPOSITORY",
        "Source": "OF",
        "Tags": "TAGS",
        "Every": "EVERY",
        "Last": "LAST RUN",
        "Next": "NEXT",
    },
    ("ID", "Target", "Source", "Tags", "Every", "Last", "Next"),
)


def main(arguments: Arguments, context: Context) -> int:
    """List, make, run, look into or remove rules."""
    verb, *words = arguments.positional
    if verb == "ls" and not words:
        rows = ask(arguments, context, "GET", "/mirrors")["mirrors"]
        assert isinstance(rows, list)  # noqa: S101 - as the hub's interface has it
        show(context, _LISTING, [_row(each) for each in rows], arguments)
    elif verb == "create" and len(words) == 2:  # noqa: PLR2004 - repository and source
        _create(arguments, context, *words)
    elif verb == "run" and len(words) == 1:
        ask(arguments, context, "POST", f"/mirrors/{words[0]}/run")
        context.say(f"It runs within seconds; see: lamina hub mirror log {words[0]}")
        context.print(words[0])
    elif verb == "log" and len(words) == 1:
        _log(arguments, context, words[0])
    elif verb == "rm" and words:
        for word in words:
            ask(arguments, context, "DELETE", f"/mirrors/{word}")
            context.print(word)
    else:
        raise Invalid(
            f"'lamina hub mirror {' '.join(arguments.positional)}' is not known",
            hint="use 'lamina hub mirror ls', 'create REPOSITORY SOURCE', 'run', 'log' or 'rm'",
        )
    return 0


def _create(arguments: Arguments, context: Context, target: str, source: str) -> None:
    given = arguments.flag("password-stdin")
    made = ask(
        arguments,
        context,
        "POST",
        "/mirrors",
        {
            "target": target,
            "source": source,
            "tags": list(arguments.texts("tags")),
            "every_hours": arguments.number("every"),
            "deletes": arguments.flag("delete"),
            "username": arguments.text("username"),
            "password": context.stdin.read().rstrip("\r\n") if given else "",
        },
    )
    context.say(f"{made['target']} is filled from {made['source']} now and every so often")
    context.print(str(made["id"]))


def _log(arguments: Arguments, context: Context, mirror: str) -> None:
    """Print the last run's log, or every run as JSON."""
    runs = ask(arguments, context, "GET", f"/mirrors/{mirror}")["runs"]
    assert isinstance(runs, list)  # noqa: S101 - as the hub's interface has it
    if arguments.flag("json"):
        from lamina.cli.formats import show_json

        show_json(context, runs)
    elif runs:
        context.say(f"Began {runs[0]['began_at']}: {_state(runs[0])}")
        context.out.write(str(runs[0]["log"]))
    else:
        context.say("It has not run yet")


def _row(document: Mapping[str, object]) -> Row:
    last, tags = document["last_run"], document["tags"]
    assert isinstance(tags, list)  # noqa: S101 - as the hub's interface has it
    assert last is None or isinstance(last, dict)  # noqa: S101
    return Row(
        {
            "ID": document["id"],
            "Target": document["target"],
            "Source": document["source"],
            "Tags": ",".join(map(str, tags)),
            "Every": f"{document['every_hours']} h",
            "Last": "" if last is None else _state(last),
            "Next": document["next_at"],
        },
        document,
    )


def _state(run: Mapping[str, object]) -> str:
    return (
        f"{run['state']}: {run['copied']} copied, {run['same']} as before,"
        f" {run['removed']} removed, {run['failed']} failed"
    )
