"""Waste put together for people: files with one cause and one cure, and the words of the cure."""

from __future__ import annotations

from lamina.study.gains import Group as WasteGroup
from lamina.study.gains import grouped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lamina.engine.study import Made

__all__ = ["WasteGroup", "advice", "grouped"]


def advice(made: Sequence[Made], groups: Iterable[WasteGroup]) -> list[str]:
    """Say for each cause and pair of layers what would gain the bytes, the most first."""
    from lamina.cli.units import human_size
    from lamina.study.gains import gains
    from lamina.study.instructions import instruction

    texts = [instruction(row.created_by) or row.comment for row in made]
    return [
        f"{human_size(gain.size, precision=3):>8}  {gain.advice}" for gain in gains(groups, texts)
    ]
