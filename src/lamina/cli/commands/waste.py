"""`lamina waste`: bytes that are in an image's layers for nothing, and what gains them."""

from __future__ import annotations

from lamina.cli.flags import BOOL, Command, Flag
from lamina.cli.studying import REMOTE, looked_into

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments
    from lamina.cli.waste_words import WasteGroup
    from lamina.engine.study import Study
    from lamina.study.waste import Waste

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="waste",
    usage="lamina waste [OPTIONS] IMAGE|CONTAINER",
    summary="Find bytes in an image's layers that nobody sees or needs",
    description=(
        "Find bytes in an image's layers that nobody sees or needs, by cause, with what gains them.\n"
        "Efficiency is the bytes that a container sees for each byte in the layers. What a\n"
        "container wrote is its topmost layer."
    ),
    flags=(
        Flag(
            "deep",
            kind=BOOL,
            help="Read the files, too: the same content at several paths, long runs of zeros",
        ),
        Flag("files", "f", kind=BOOL, help="Show each file"),
        Flag("json", kind=BOOL, help="Print one JSON object with exact numbers and each file"),
        *REMOTE,
    ),
    arity=(1, 1),
)
_SHOWN = 12
_ADVICE = 6


def main(arguments: Arguments, context: Context) -> int:
    """Tell the waste of one image."""
    name = arguments.positional[0]
    with looked_into(context, arguments, name) as (study, code):
        found = study.waste(deep=arguments.flag("deep"))
        if arguments.flag("json"):
            from lamina.cli.formats import show_json

            show_json(context, _document(study, found))
        else:
            _tell(study, found, context, whole=arguments.flag("files"))
    return code


def _tell(study: Study, found: Waste, context: Context, *, whole: bool) -> None:
    from lamina.cli.table import render
    from lamina.cli.units import human_size
    from lamina.cli.waste_words import advice, grouped

    count = len(study.layers)
    hidden = found.total - found.visible
    context.print(
        f"{study.name}  {human_size(found.total, precision=3)} of files in "
        f"{count} layer{'' if count == 1 else 's'}, {human_size(hidden, precision=3)} of it never seen; "
        f"efficiency {found.efficiency:.3f}"
    )
    if not found.files:
        context.print("Nothing is wasted.")
        return
    groups = grouped(found.files, whole=whole)
    rows = [["BYTES", "FILES", "CAUSE", "LAYER", "HIDDEN BY", "WHERE"]]
    shown = groups if whole else groups[:_SHOWN]
    rows += [_row(group, context) for group in shown]
    context.print()
    context.out.write(render(rows, least=6, padding=2))
    rest = groups[len(shown) :]
    if rest:
        size = human_size(sum(group.size for group in rest), precision=3)
        plural = "" if len(rest) == 1 else "s"
        context.print(f"and {len(rest)} more group{plural} with {size}; --files shows each file")
    context.print()
    for line in advice(study.made, groups)[:_ADVICE]:
        context.print(line)


def _row(group: WasteGroup, context: Context) -> list[str]:
    from lamina.cli.file_names import quoted
    from lamina.cli.units import human_size

    one = group.first
    where = quoted(b"/" + group.place, unicode=context.unicode)
    if group.count == 1 and one.cause == "duplicate content":
        where += f" = {quoted(b'/' + one.note, unicode=context.unicode)}"
    return [
        human_size(group.size, precision=3),
        str(group.count),
        str(one.cause),
        str(one.number),
        str(one.hidden_by or ""),
        where,
    ]


def _document(study: Study, found: Waste) -> dict[str, object]:
    from lamina.cli.file_names import path_fields

    return {
        "image": study.name,
        "id": str(study.image.id),
        "total": found.total,
        "visible": found.visible,
        "efficiency": found.efficiency,
        "wasted": found.size,
        "files": [
            {
                **path_fields(one.path),
                "size": one.size,
                "cause": str(one.cause),
                "layer": one.number,
                "hidden_by": one.hidden_by or None,
                "note": one.note.decode("utf-8", "replace") or None,
            }
            for one in found.files
        ],
    }
