"""Two widgets of textual: a list of any length with a cursor, and a few fixed lines.

Only what is on the screen is drawn. Colours are the sixteen of the terminal and its own fore- and
background, so that it does not matter whether that is light or dark.
"""

from __future__ import annotations

from functools import cache

from rich.segment import Segment
from rich.style import Style
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from lamina.cli.file_names import width

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual import events

    from lamina.cli.explorer.lines import Line

__all__ = ["Board", "Rows"]

_WHEEL = 3
_NEAR = 2
"""Lines that stay in view above and below the cursor."""


@cache
def _style(name: str, *, reverse: bool = False, underline: bool = False) -> Style:
    words = name.split()
    colour = next((word for word in words if word not in ("bold", "dim", "reverse")), None)
    if reverse:  # colours of the text would be patches of background
        return Style(reverse=True, bold="bold" in words)
    return Style(
        color=colour,
        bold="bold" in words or underline,
        dim="dim" in words,
        reverse="reverse" in words,
        underline=underline,
    )


def _strip(
    line: Line, columns: int, *, left: int = 0, reverse: bool = False, underline: bool = False
) -> Strip:
    segments = [
        Segment(text, _style(name, reverse=reverse, underline=underline))
        for text, name in line
        if text
    ]
    used = sum(width(text) for text, _ in line)
    end = left + columns
    if used < end:
        filling = _style("", reverse=reverse, underline=underline)
        segments.append(Segment(" " * (end - used), filling))
    return Strip(segments, max(used, end)).crop(left, end)


class Board(Widget):
    """Lines that somebody else decides; what does not fit is cut off.

    `clicked` is told the column, and `resized` called when there is another width to draw for.
    """

    def __init__(
        self,
        name: str,
        *,
        clicked: Callable[[int], object] | None = None,
        resized: Callable[[], object] | None = None,
    ) -> None:
        super().__init__(id=name)
        self._lines: Sequence[Line] = ()
        self._clicked = clicked
        self._resized = resized

    def show(self, lines: Sequence[Line]) -> None:
        """Show other lines."""
        self._lines = lines
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw one line."""
        line = self._lines[y] if y < len(self._lines) else []
        return _strip(line, self.size.width)

    def on_resize(self) -> None:
        """Have it drawn for the new width."""
        if self._resized is not None:
            self._resized()

    def on_click(self, event: events.Click) -> None:
        """Tell where it was clicked."""
        if self._clicked is not None:
            self._clicked(event.x)


class Rows(Widget, can_focus=True):
    """A list with a cursor. `count` and `line(at, columns)` are asked for whenever it is drawn."""

    class Moved(Message):
        """The cursor is on another line."""

        def __init__(self, rows: Rows) -> None:
            super().__init__()
            self.rows = rows

    class Chosen(Message):
        """A line was clicked that the cursor was on."""

        def __init__(self, rows: Rows) -> None:
            super().__init__()
            self.rows = rows

    def __init__(
        self, name: str, count: Callable[[], int], line: Callable[[int, int], Line], *, bar: str
    ) -> None:
        super().__init__(id=name)
        self._count = count
        self._line = line
        self._bar = bar
        self.at = 0
        self.top = 0
        self.left = 0

    @property
    def columns(self) -> int:
        """The columns for text; the last one of the widget shows where one is."""
        return max(self.size.width - 1, 1)

    def render_line(self, y: int) -> Strip:
        """Draw one line of the screen."""
        at, count = self.top + y, self._count()
        if at >= count:
            return _strip([], self.size.width)
        is_here = at == self.at
        strip = _strip(
            self._line(at, self.columns),
            self.columns,
            left=self.left,
            reverse=is_here and self.has_focus,
            underline=is_here and not self.has_focus,
        )
        return Strip.join([strip, Strip([Segment(self._thumb(y, count), _style("dim"))], 1)])

    def _thumb(self, y: int, count: int) -> str:
        height = self.size.height
        if count <= height:
            return " "
        size = max(1, height * height // count)
        first = (height - size) * self.top // max(count - height, 1)
        return self._bar if first <= y < first + size else " "

    def move(self, at: int, *, tell: bool = True) -> None:
        """Put the cursor on a line, or the nearest that there is, and show it."""
        was = self.at
        self.at = max(0, min(at, self._count() - 1))
        self._follow()
        self.refresh()
        if tell and self.at != was:
            self.post_message(self.Moved(self))

    def scroll(self, lines: int) -> None:
        """Show other lines, the cursor staying in what is shown."""
        self.top = max(0, min(self.top + lines, self._count() - self.size.height))
        last = self.top + self.size.height - 1
        self.move(max(self.top, min(self.at, last)))

    def shift(self, columns: int) -> None:
        """Show what is further right, or left."""
        self.left = max(0, self.left + columns)
        self.refresh()

    def _follow(self) -> None:
        height = max(self.size.height, 1)
        near = min(_NEAR, (height - 1) // 2)
        self.top = min(self.top, max(self.at - near, 0))
        self.top = max(self.top, self.at - height + 1 + near)
        self.top = max(0, min(self.top, self._count() - height))

    def page(self) -> int:
        """Give the lines of a page."""
        return max(self.size.height - 1, 1)

    def on_resize(self) -> None:
        """Keep the cursor in view."""
        self._follow()
        self.refresh()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Go on by a few lines."""
        event.stop()
        self.scroll(_WHEEL)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Go back by a few lines."""
        event.stop()
        self.scroll(-_WHEEL)

    def on_click(self, event: events.Click) -> None:
        """Go to a line; choose it where the cursor was on it already."""
        event.stop()
        at = self.top + event.y
        if at >= self._count():
            return
        if at == self.at:
            self.post_message(self.Chosen(self))
        else:
            self.move(at)
