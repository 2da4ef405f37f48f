"""Columns as Docker lays them out: at least ten wide, three blanks between, the last one ragged.

The rule is that of elastic tab stops: a column is a run of consecutive lines that have a cell
there, so lines with fewer cells begin the columns below them anew.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["align", "flat", "render"]


def render(rows: Iterable[Sequence[str]], *, least: int = 10, padding: int = 3) -> str:
    """Lay out `rows` (the first may be headers); every line ends with a newline."""
    return align(
        "".join("\t".join(flat(cell) for cell in row) + "\n" for row in rows),
        least=least,
        padding=padding,
    )


def align(text: str, *, least: int = 10, padding: int = 3) -> str:
    """Lay out text whose cells end with tabs; what follows a line's last tab is not padded."""
    newline = text.endswith("\n")
    lines = [line.split("\t") for line in (text[:-1] if newline else text).split("\n")]
    widths: list[list[int]] = [[] for _ in lines]
    _measure(lines, widths, 0, len(lines), least=least, padding=padding)
    laid = [
        "".join(cell.ljust(width) for cell, width in zip(line, across, strict=False)) + line[-1]
        for line, across in zip(lines, widths, strict=True)
    ]
    return "\n".join(laid) + ("\n" if newline else "")


def _measure(
    lines: list[list[str]],
    widths: list[list[int]],
    first: int,
    end: int,
    *,
    least: int,
    padding: int,
) -> None:
    """Find the widths of every column block in `lines[first:end]`, from the known ones rightwards."""
    column = len(widths[first]) if first < end else 0
    row = first
    while row < end:
        if column >= len(lines[row]) - 1:
            row += 1
            continue
        start = row
        width = least
        while row < end and column < len(lines[row]) - 1:
            width = max(width, len(lines[row][column]) + padding)
            row += 1
        for line in range(start, row):
            widths[line].append(width)
        _measure(lines, widths, start, row, least=least, padding=padding)


def flat(cell: str) -> str:
    """Keep a cell in its place: tabs and newlines would begin another, escapes move the cursor.

    Names, comments and instructions come from images, whoever made them.
    """
    if cell.isprintable():
        return cell
    return "".join(
        letter if letter.isprintable() else " " if letter in "\t\n\r" else "?" for letter in cell
    )
