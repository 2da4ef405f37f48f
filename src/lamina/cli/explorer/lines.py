"""Lines of text in pieces, each with the name of a style: what panes are made of, without a terminal."""

from __future__ import annotations

from lamina.cli.file_names import width

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    Piece = tuple[str, str]
    Line = list[Piece]

__all__ = ["Signs", "fit", "harmless", "text_of", "wrapped"]


class Signs:
    """The signs that the explorer draws with: on a terminal that has them, or in ASCII alone."""

    def __init__(self, *, unicode: bool) -> None:
        self.unicode = unicode
        self.closed, self.opened = ("▸", "▾") if unicode else (">", "v")
        self.ellipsis = "…" if unicode else "~"
        self.arrow = "→" if unicode else "->"
        self.dot = "·" if unicode else "-"
        self.below = "·" if unicode else "."
        self.up = "↑" if unicode else "^"
        self._bar = " ▏▎▍▌▋▊▉█" if unicode else " #"

    def bar(self, share: float, cells: int) -> str:
        """Draw a share of 1 as a bar of `cells` columns; what is more than nothing shows."""
        steps = len(self._bar) - 1
        filled = round(max(0.0, min(share, 1.0)) * cells * steps)
        if share > 0:
            filled = max(filled, 1)
        whole, part = divmod(filled, steps)
        return (self._bar[-1] * whole + (self._bar[part] if part else "")).ljust(cells)


def harmless(text: str, *, unicode: bool) -> str:
    """Take out of a text whatever could move a cursor, tabs too."""
    if text.isprintable() and (unicode or text.isascii()):
        return text
    return "".join(
        letter
        if letter.isprintable() and (unicode or letter.isascii())
        else " "
        if letter in "\t\r\n"
        else "?"
        for letter in text
    )


def text_of(line: Line) -> str:
    """Give a line without its styles."""
    return "".join(text for text, _ in line)


def fit(text: str, room: int, *, ellipsis: str = "…") -> str:
    """Cut `text` to `room` columns, the last an ellipsis; its end is padded with blanks."""
    columns = width(text)
    if columns > room:
        if room <= 0:
            return ""
        end = min(len(text), room)
        while end and width(text[:end]) > room - 1:
            end -= 1
        text = text[:end] + ellipsis
        columns = width(text)
    return text + " " * (room - columns)


def wrapped(text: str, room: int) -> Iterator[str]:
    """Break a text at blanks into lines of at most `room` columns."""
    from lamina.cli.stack_drawing import fold

    yield from fold(text, max(room, 8))
