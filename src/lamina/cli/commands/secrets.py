"""`lamina secrets`: keys, passwords and tokens in an image, also those that a later layer only hides."""

from __future__ import annotations

from lamina.cli.flags import BOOL, Command, Flag
from lamina.cli.formats import FORMAT, JSON, Listing, Row, show
from lamina.cli.studying import REMOTE, looked_into

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments
    from lamina.engine.study import Study
    from lamina.study.secrets import Secret

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="secrets",
    usage="lamina secrets [OPTIONS] IMAGE|CONTAINER",
    summary="Find keys, passwords and tokens in an image, also in what a later layer hides",
    description=(
        "Find keys, passwords and tokens in an image, in the files of every layer, the environment,\n"
        "the labels and the history. What a later layer removed or replaced is still in its own, for\n"
        "everybody who has the image. What a container wrote is its topmost layer."
    ),
    flags=(
        FORMAT,
        JSON,
        REMOTE[0],
        Flag("quiet", "q", kind=BOOL, help="Only show where they are"),
        REMOTE[1],
        Flag("strict", kind=BOOL, help="End with code 1 where anything is found"),
    ),
    arity=(1, 1),
)
_LISTING = Listing(
    {
        "What": "WHAT",
        "Layer": "LAYER",
        "Hidden": "HIDDEN BY",
        "Where": "WHERE",
        "CreatedBy": "CREATED BY",
    },
    ("What", "Layer", "Hidden", "CreatedBy", "Where"),
    quiet="Where",
)


def main(arguments: Arguments, context: Context) -> int:
    """List them; what is hidden counts as what is seen."""
    with looked_into(context, arguments, arguments.positional[0]) as (study, code):
        found = study.secrets()
        rows = [_row(study, one, context) for one in found]
    show(context, _LISTING, rows, arguments)
    return 1 if rows and arguments.flag("strict") else code


def _row(study: Study, one: Secret, context: Context) -> Row:
    from lamina.cli.file_names import path_fields, quoted
    from lamina.cli.stack_drawing import instruction
    from lamina.cli.units import shorten
    from lamina.study.regrets import masked

    made = study.made[one.number - 1] if one.number else None
    command = masked(made.created_by) if made else ""  # a key may be in it
    by = (instruction(command) or masked(made.comment)) if made else ""
    path = b"/" + one.path if one.number else one.path
    return Row(
        {
            "What": one.what,
            "Layer": str(one.number) if one.number else "config",
            "Hidden": f"layer {one.hidden_by}" if one.hidden_by else "",
            "Where": quoted(path, unicode=context.unicode) if one.number else path.decode(),
            "CreatedBy": shorten(by, 40),
        },
        {
            "what": one.what,
            **(path_fields(one.path) if one.number else {"path": path.decode()}),
            "layer": one.number or None,
            "hidden_by": one.hidden_by or None,
            "diff_id": (made.diff_id or None) if made else None,
            "created_by": command if made else None,
        },
    )
