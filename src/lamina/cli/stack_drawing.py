"""A pile of layers as a picture: boxes one above the other, the container's layer dashed on top."""

from __future__ import annotations

from lamina.cli.table import flat
from lamina.study.instructions import instruction

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Box", "columns_of", "draw", "fold", "instruction"]

_BOLD, _DIM, _COLOUR, _PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[36m", "\x1b[0m"
_UNICODE = {
    "solid": ("┌", "─", "┐", "│", "├", "┤", "└", "┘"),
    "dashed": ("┌", "╌", "┐", "╎", "├", "┤", "└", "┘"),
}
_ASCII = {
    "solid": ("+", "-", "+", "|", "+", "+", "+", "+"),
    "dashed": ("+", "- ", "+", ":", "+", "+", "+", "+"),
}
_LEAST = 24


class Box:
    """One box: `title` with `right` at its end, and lines below; a dashed one can be written."""

    __slots__ = ("dashed", "details", "number", "right", "shared", "title")

    def __init__(
        self,
        title: str,
        right: str = "",
        *,
        number: str = "",
        details: Sequence[str] = (),
        shared: str = "",
        dashed: bool = False,
    ) -> None:
        self.title = title
        self.right = right
        self.number = number
        self.details = tuple(details)
        self.shared = shared
        self.dashed = dashed


def draw(
    boxes: Sequence[Box], *, width: int, unicode: bool, colour: bool, whole: bool = False
) -> str:
    """Draw `boxes`, topmost first, `width` columns wide; `whole` folds long texts, else they end in …."""
    pen = _Pen(max(width, _LEAST), unicode=unicode, colour=colour, whole=whole)
    out: list[str] = []
    above: Box | None = None
    for box in boxes:
        if above is None:
            out.append(pen.edge(box, "top"))
        elif above.dashed == box.dashed:
            out.append(pen.edge(box, "between"))
        else:
            out += [pen.edge(above, "bottom"), pen.edge(box, "top")]
        out += pen.inside(box)
        above = box
    if above is not None:
        out.append(pen.edge(above, "bottom"))
    return "".join(line + "\n" for line in out)


def columns_of(text: str) -> int:
    """Tell how many columns `text` takes on a terminal."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def fold(text: str, width: int) -> list[str]:
    """Break `text` at blanks into lines of at most `width` columns; long words are cut."""
    lines = []
    line = ""
    for word in text.split(" "):
        rest = word
        if line and columns_of(line) + 1 + columns_of(rest) <= width:
            line += " " + rest
            continue
        if line:
            lines.append(line)
        while columns_of(rest) > width:
            head = _cut(rest, width)
            lines.append(head)
            rest = rest[len(head) :]
        line = rest
    return [*lines, line]


def _cut(text: str, width: int) -> str:
    """Give the longest beginning that takes at most `width` columns, and at least one letter."""
    end = len(text)
    while end > 1 and columns_of(text[:end]) > width:
        end -= 1
    return text[:end]


class _Pen:
    def __init__(self, width: int, *, unicode: bool, colour: bool, whole: bool) -> None:
        self.width = width
        self.signs = _UNICODE if unicode else _ASCII
        self.ellipsis = "…" if unicode else "..."
        self.colour = colour
        self.whole = whole
        self.unicode = unicode

    def edge(self, box: Box, where: str) -> str:
        signs = self.signs["dashed" if box.dashed else "solid"]
        left, right = {"top": (0, 2), "between": (4, 5), "bottom": (6, 7)}[where]
        line = (signs[1] * self.width)[: self.width - 2]
        return signs[left] + line + signs[right]

    def inside(self, box: Box) -> list[str]:
        indent = len(box.number) + 2 if box.number else 0
        room = self.width - 4 - indent
        first = box.title
        lines: list[tuple[str, str, str]] = []
        heads = self._fit(first, room - (columns_of(box.right) + 2 if box.right else 0))
        for index, head in enumerate(heads):
            lines.append((head, box.right if index == 0 else "", _BOLD))
        for detail in box.details:
            lines += [(line, "", _DIM) for line in self._fit(detail, room)]
        lines += [(line, "", _COLOUR) for line in self._fit(box.shared, room) if line]
        return [
            self._line(box, box.number if index == 0 else "", indent, line)
            for index, line in enumerate(lines)
        ]

    def _fit(self, text: str, room: int) -> Iterable[str]:
        text = flat(text)
        if not self.unicode:
            text = text.encode("ascii", "replace").decode()
        if columns_of(text) <= room:
            return [text]
        if self.whole:
            return fold(text, max(room, 1))
        return [_cut(text, max(room - len(self.ellipsis), 1)) + self.ellipsis]

    def _line(self, box: Box, number: str, indent: int, line: tuple[str, str, str]) -> str:
        text, right, style = line
        side = self.signs["dashed" if box.dashed else "solid"][3]
        room = self.width - 4 - indent - columns_of(text) - columns_of(right)
        shown = f"{style}{text}{_PLAIN}" if self.colour and text else text
        return f"{side} {number:<{indent}}{shown}{' ' * max(room, 0)}{right} {side}"
