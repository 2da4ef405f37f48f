"""`lamina history`: the steps an image came about by, newest first."""

from __future__ import annotations

from lamina.cli.flags import BOOL, Command, Flag
from lamina.cli.formats import FORMAT, JSON, Listing, Row, show
from lamina.cli.units import ago, human_size, short_id, shorten, since_epoch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments
    from lamina.engine.inspect import HistoryRow

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="history",
    usage="lamina history [OPTIONS] IMAGE",
    summary="Show the history of an image",
    flags=(
        FORMAT,
        Flag(
            "human",
            "H",
            kind=BOOL,
            default=True,
            help="Print sizes and dates in human readable format",
        ),
        JSON,
        Flag("no-trunc", kind=BOOL, help="Don't truncate output"),
        Flag("platform", help="Show the history of the image for a platform, e.g. linux/amd64"),
        Flag("quiet", "q", kind=BOOL, help="Only show image IDs"),
    ),
    arity=(1, 1),
)
_LISTING = Listing(
    {
        "ID": "IMAGE",
        "CreatedSince": "CREATED",
        "CreatedAt": "CREATED AT",
        "CreatedBy": "CREATED BY",
        "Size": "SIZE",
        "Comment": "COMMENT",
    },
    ("ID", "CreatedSince", "CreatedBy", "Size", "Comment"),
)
_COMMAND_WIDTH = 45


def main(arguments: Arguments, context: Context) -> int:
    """List the steps of one image."""
    from lamina.cli.unreadable import image_of
    from lamina.engine.inspect import history

    name, platform = arguments.positional[0], arguments.text("platform")
    if platform:
        image, code = context.engine.images.resolve(name, platform=platform), 0
    else:
        image, code = image_of(context, name)
    steps = history(context.engine, image)
    whole, human = arguments.flag("no-trunc"), arguments.flag("human")
    rows = [_row(step, context.now(), whole=whole, human=human) for step in steps]
    show(context, _LISTING, rows, arguments)
    return code


def _row(step: HistoryRow, now: float, *, whole: bool, human: bool) -> Row:
    created = since_epoch(step.created)
    command = step.created_by.replace("\t", " ").replace("\n", " ")
    image_id = step.id or "<missing>"
    at = step.created or "N/A"
    return Row(
        {
            "Comment": step.comment,
            "CreatedAt": at,
            "CreatedBy": command if whole else shorten(command, _COMMAND_WIDTH),
            "CreatedSince": ago(created, now) if human else at,
            "ID": image_id if whole or not step.id else short_id(step.id),
            "Size": human_size(step.size, precision=3) if human else str(step.size),
        },
        {
            "id": step.id or None,
            "created": step.created,
            "created_by": step.created_by,
            "size": step.size,
            "comment": step.comment,
            "author": step.author,
        },
    )
