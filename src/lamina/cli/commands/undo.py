"""`lamina undo`: take back the last tag move, rmi or prune while its bytes are still here."""

from __future__ import annotations

from lamina.cli.flags import BOOL, Command, Flag
from lamina.cli.formats import FORMAT, JSON, Listing, Row, show
from lamina.cli.units import ago, human_duration, human_size, short_id
from lamina.errors import Invalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments
    from lamina.engine.undo import Undoable
    from lamina.store.names import Named

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="undo",
    usage="lamina undo [OPTIONS] [CHANGE]",
    summary="Take back the last tag move, rmi or prune",
    description=(
        "Take back the last tag move, rmi or prune, or the CHANGE with that number in --list. "
        "What was removed is kept for an hour (LAMINA_UNDO=30m, 2d or off), and for less where "
        "it would take more than a tenth of the free room."
    ),
    flags=(
        Flag("force", "f", kind=BOOL, help="Move names that were given to other images since"),
        FORMAT,
        JSON,
        Flag("list", "l", kind=BOOL, help="List what can be taken back"),
        Flag("quiet", "q", kind=BOOL, help="Only show numbers of changes, or names that came back"),
    ),
    arity=(0, 1),
)
_COLUMNS = {
    "Change": "CHANGE",
    "When": "WHEN",
    "Command": "COMMAND",
    "Lost": "TOOK AWAY",
    "State": "STATE",
    "Size": "SIZE",
    "Left": "KEPT FOR",
}
_LISTING = Listing(_COLUMNS, tuple(_COLUMNS), quiet="Change")
_SHOWN = 3


def main(arguments: Arguments, context: Context) -> int:
    """Put names back and say which; 1 when some of them could not come back."""
    from lamina.engine.undo import listing, undo

    if arguments.flag("list"):
        if arguments.positional:
            raise Invalid("--list takes no change")
        rows = [_row(row, context.now()) for row in listing(context.engine)]
        show(context, _LISTING, rows, arguments)
        return 0
    done = undo(context.engine, _number(arguments), force=arguments.flag("force"))
    for row in done.back:
        context.print(_shown(row) if arguments.flag("quiet") else f"Back: {_shown(row)}")
    for row in done.gone:
        context.say(f"lamina: {_shown(row)} is not here any more")
    if not done.back and not done.gone:
        context.say(f"Nothing to do: all that `{done.command}` took away is here")
    return 1 if done.gone else 0


def _number(arguments: Arguments) -> int:
    if not arguments.positional:
        return 0
    text = arguments.positional[0]
    if not (text.isascii() and text.isdigit() and int(text)):
        raise Invalid(f"{text!r} is no change", hint="give a number of `lamina undo --list`")
    return int(text)


def _row(change: Undoable, now: float) -> Row:
    return Row(
        {
            "Change": str(change.number),
            "When": ago(change.time_s, now),
            "Command": change.command,
            "Lost": _lost(change.lost, change.moved),
            "State": change.state,
            "Size": human_size(change.size),
            "Left": human_duration(change.left_s) if change.left_s > 0 else "-",
        },
        {
            "change": change.number,
            "time": change.time_s,
            "command": change.command,
            "lost": [
                {
                    "name": row.name or None,
                    "digest": str(row.target.digest),
                    "image": row.facts.get("id"),
                    "moved": row.name in change.moved,
                }
                for row in change.lost
            ],
            "state": change.state,
            "size": change.size,
            "left": max(0, round(change.left_s)),
        },
    )


def _lost(rows: Sequence[Named], moved: Container[str]) -> str:
    """Name what a change took away: names by tag first, and no more than three.

    Of a name that was given to another image also say which one it stood for.
    """
    tags = [row for row in rows if row.name and "@" not in row.name] or list(rows)
    shown = ", ".join(
        f"{_shown(row)} as {short_id(row.facts.get('id') or row.target.digest)}"
        if row.name in moved
        else _shown(row)
        for row in tags[:_SHOWN]
    )
    more = len(tags) - _SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


def _shown(row: Named) -> str:
    from lamina.spec.reference import Reference

    if row.name:
        return Reference.parse(row.name).familiar
    return f"<none>@{row.target.digest.short}"
