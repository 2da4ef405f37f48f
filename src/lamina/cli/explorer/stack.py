"""The stack as lines, topmost layer first: number, size, share of the whole, and who made it."""

from __future__ import annotations

from lamina.cli.explorer.lines import fit
from lamina.cli.explorer.story import made_by
from lamina.cli.units import human_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lamina.cli.explorer.lines import Line, Signs
    from lamina.engine.study import Made

__all__ = ["Stack"]

_WIDE = 44
_BAR = 8
_WHOLE = 0.995


class Stack:
    """Rows of layers. `lost` has a word for those that are not whole."""

    def __init__(self, made: Sequence[Made], sizes: Sequence[int], lost: Mapping[int, str]) -> None:
        self._made = made
        self._sizes = sizes
        self._lost = lost
        self._total = sum(sizes) or 1
        self.since = len(made)
        self.height = len(made)

    def __len__(self) -> int:
        return len(self._made)

    def number(self, at: int) -> int:
        """Give the number of the layer in a line."""
        return len(self._made) - at

    def line(self, at: int, columns: int, signs: Signs) -> Line:
        """Draw one layer; the layers that are compared have a sign before them."""
        number = self.number(at)
        made = self._made[number - 1]
        size, share = self._sizes[number - 1], self._sizes[number - 1] / self._total
        is_in = self.since <= number <= self.height
        head = f"{'*' if is_in else ' '}{number:>{len(str(len(self)))}} "
        percent = "100%" if share >= _WHOLE else f"{share:>4.0%}"
        if size and percent == "  0%":
            percent = " <1%"
        pieces = [
            (head, "bold" if is_in else ""),
            (f"{human_size(size, precision=3):>7} ", ""),
            (percent + " ", "cyan"),
        ]
        if columns >= _WIDE:
            pieces.append((signs.bar(share, _BAR) + " ", "cyan"))
        room = columns - sum(len(text) for text, _ in pieces)
        text = made_by(made, signs)
        style = ""
        if number in self._lost:
            text, style = f"{self._lost[number]} {signs.dot} {text}", "red"
        return [*pieces, (fit(text, room, ellipsis=signs.ellipsis), style)]
