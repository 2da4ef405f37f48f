"""Waste put together for people: files with one cause and one cure, and the words of the cure."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lamina.engine.study import Made
    from lamina.study.causes import Wasted

__all__ = ["WasteGroup", "advice", "grouped"]

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
_DEPTH = 3


class WasteGroup:
    """Files with one cause in one layer, hidden by one layer, below one directory, `place`."""

    __slots__ = ("count", "first", "place", "size")

    def __init__(self, first: Wasted, place: bytes) -> None:
        self.first = first
        self.place = place
        self.count = 0
        self.size = 0


def grouped(files: Iterable[Wasted], *, whole: bool) -> list[WasteGroup]:
    """Put files together that have one cause and one cure, the largest group first.

    With `whole` each file is by itself.
    """
    groups: dict[tuple[object, ...], WasteGroup] = {}
    for one in files:
        place = one.path if whole else _place(one)
        key = (one.cause, one.number, one.hidden_by, place)
        group = groups.setdefault(key, WasteGroup(one, place))
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


def advice(made: Sequence[Made], groups: Iterable[WasteGroup]) -> list[str]:
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
        text = _gain(cause, _layer(made, number), _layer(made, by) if by else "", note)
        lines.append(f"{human_size(size, precision=3):>8}  {text}")
    return lines


def _gain(cause: str, made: str, by: str, note: str) -> str:
    from lamina.study.caches import advice as cure

    return _GAINS[cause].format(made=made, by=by, note=note, advice=cure(note))


def _layer(rows: Sequence[Made], number: int) -> str:
    from lamina.cli.stack_drawing import instruction
    from lamina.cli.units import shorten

    row = rows[number - 1]
    text = shorten(instruction(row.created_by) or row.comment, 40)
    return f"layer {number} ({text})" if text else f"layer {number}"
