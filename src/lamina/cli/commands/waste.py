"""`lamina waste`: bytes that are in an image's layers for nothing, and what gains them."""

from __future__ import annotations

from lamina.cli.flags import BOOL, Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments
    from lamina.engine.study import Study
    from lamina.study.causes import Wasted
    from lamina.study.waste import Waste

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="waste",
    usage="lamina waste [OPTIONS] IMAGE",
    summary="Find bytes in an image's layers that nobody sees or needs",
    description=(
        "Find bytes in an image's layers that nobody sees or needs, by cause, with what gains them.\n"
        "Efficiency is the bytes that a container sees for each byte in the layers. Of a container:\n"
        "of its image."
    ),
    flags=(
        Flag(
            "deep",
            kind=BOOL,
            help="Read the files, too: the same content at several paths, long runs of zeros",
        ),
        Flag("files", "f", kind=BOOL, help="Show each file"),
        Flag("json", kind=BOOL, help="Print one JSON object with exact numbers and each file"),
    ),
    arity=(1, 1),
)
_GAINS = {
    "deleted later": "remove them in the step that brings them, {made}: {by} only hides them",
    "overwritten": (
        "write them once, in one step or in a stage before: {by} replaces what {made} brought"
    ),
    "copied for its mode or owner": (
        "set mode and owner in {made} (COPY --chmod, --chown): {by} has the files whole again for that"
    ),
    "repeated": "do not bring them again in {by}: {made} has them as they are",
    "package cache": "{made} leaves a cache of {note} behind: {advice}",
    "duplicate content": "link what {made} has a second time",
    "zeros written out": "leave long runs of zeros in {made} as holes, or out: they are stored and sent",
}
"""What would gain the bytes of each cause."""
_SHOWN = 12
_ADVICE = 6
_DEPTH = 3


def main(arguments: Arguments, context: Context) -> int:
    """Tell the waste of one image."""
    from lamina.engine.study import studied

    name = arguments.positional[0]
    with studied(context.engine, name) as study:
        found = study.waste(deep=arguments.flag("deep"))
        if arguments.flag("json"):
            from lamina.cli.formats import show_json

            show_json(context, _document(study, found))
        else:
            _tell(study, found, context, whole=arguments.flag("files"))
    return 0


class _Group:
    """Files with one cause in one layer, hidden by one layer, below one directory."""

    __slots__ = ("count", "first", "place", "size")

    def __init__(self, first: Wasted, place: bytes) -> None:
        self.first = first
        self.place = place
        self.count = 0
        self.size = 0


def _tell(study: Study, found: Waste, context: Context, *, whole: bool) -> None:
    from lamina.cli.table import render
    from lamina.cli.units import human_size

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
    groups = _grouped(found.files, whole=whole)
    rows = [["BYTES", "FILES", "CAUSE", "LAYER", "HIDDEN BY", "WHERE"]]
    shown = groups if whole else groups[:_SHOWN]
    rows += [_row(group, context) for group in shown]
    context.print()
    context.out.write(render(rows, least=6, padding=2))
    rest = groups[len(shown) :]
    if rest:
        size = human_size(sum(group.size for group in rest), precision=3)
        context.print(f"and {len(rest)} more groups with {size}; --files shows each file")
    context.print()
    for line in _advice(study, groups)[:_ADVICE]:
        context.print(line)


def _grouped(files: Iterable[Wasted], *, whole: bool) -> list[_Group]:
    """Put files together that have one cause and one advice, the largest group first."""
    groups: dict[tuple[object, ...], _Group] = {}
    for one in files:
        place = one.path if whole else _place(one)
        key = (one.cause, one.number, one.hidden_by, place)
        group = groups.setdefault(key, _Group(one, place))
        group.count += 1
        group.size += one.size
    for group in groups.values():
        if group.count == 1:
            group.place = group.first.path
    return sorted(groups.values(), key=lambda group: (-group.size, group.place))


def _place(one: Wasted) -> bytes:
    """Give the directory to show a file under: what was removed as a whole, else the upper ones."""
    if one.cause == "deleted later" and one.note and one.note != one.path:
        return one.note
    return b"/".join(one.path.split(b"/")[:-1][:_DEPTH])


def _row(group: _Group, context: Context) -> list[str]:
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


def _advice(study: Study, groups: Iterable[_Group]) -> list[str]:
    """Say for each cause and pair of layers what would gain the bytes, the most first."""
    from lamina.cli.units import human_size

    gains: dict[tuple[str, int, int, str], int] = {}
    for group in groups:
        one = group.first
        note = one.note.decode("utf-8", "replace") if one.cause == "package cache" else ""
        key = (str(one.cause), one.number, one.hidden_by, note)
        gains[key] = gains.get(key, 0) + group.size
    lines = []
    for (cause, number, by, note), size in sorted(gains.items(), key=lambda item: -item[1]):
        text = _gain(cause, _layer(study, number), _layer(study, by) if by else "", note)
        lines.append(f"{human_size(size, precision=3):>8}  {text}")
    return lines


def _gain(cause: str, made: str, by: str, note: str) -> str:
    from lamina.study.caches import advice

    return _GAINS[cause].format(made=made, by=by, note=note, advice=advice(note))


def _layer(study: Study, number: int) -> str:
    from lamina.cli.stack_drawing import instruction
    from lamina.cli.units import shorten

    made = study.made[number - 1]
    text = shorten(instruction(made.created_by) or made.comment, 40)
    return f"layer {number} ({text})" if text else f"layer {number}"


def _document(study: Study, found: Waste) -> dict[str, object]:
    return {
        "image": study.name,
        "id": str(study.image.id),
        "total": found.total,
        "visible": found.visible,
        "efficiency": found.efficiency,
        "wasted": found.size,
        "files": [
            {
                "path": "/" + one.path.decode("utf-8", "replace"),
                "size": one.size,
                "cause": str(one.cause),
                "layer": one.number,
                "hidden_by": one.hidden_by or None,
                "note": one.note.decode("utf-8", "replace") or None,
            }
            for one in found.files
        ],
    }
