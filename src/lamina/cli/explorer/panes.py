"""The panes of the explorer on a terminal: what is where, and what is drawn around the lists."""

from __future__ import annotations

from functools import partial

from textual.app import App
from textual.containers import Horizontal, Vertical

from lamina.cli.explorer.keys import keys_line
from lamina.cli.explorer.rows import Board, Rows
from lamina.cli.explorer.session import TABS, Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.widget import Widget

    from lamina.cli.explorer.comparison import Item
    from lamina.cli.explorer.lines import Line, Signs
    from lamina.cli.explorer.pages import Page
    from lamina.engine.partial_study import PartialStudy

__all__ = ["Panes"]


class Panes(App[None]):
    """Textual's application with the panes in it, around a `Session`."""

    CSS = """
    Screen, Board, Rows, Horizontal, Vertical { background: ansi_default; color: ansi_default; }
    Board { height: 1; width: 1fr; }
    #files, #list { height: 1fr; }
    #left { width: 2fr; max-width: 60; margin-right: 1; }
    #right { width: 3fr; }
    Rows { height: 1fr; width: 1fr; }
    #story { height: 5; margin-top: 0; }
    #list, #ask { display: none; }
    .-list #files { display: none; }
    .-list #list { display: block; }
    .-narrow #files { layout: vertical; }
    .-narrow #left { width: 1fr; max-width: 100%; height: 2fr; margin-right: 0; }
    .-narrow #right { width: 1fr; height: 3fr; }
    .-low #story { height: 2; }
    Input .input--cursor { text-style: reverse; background: ansi_default; color: ansi_default; }
    Input .input--placeholder { text-style: dim; color: ansi_default; }
    Input { height: 1; border: none; padding: 0; background: ansi_default; color: ansi_default; }
    """
    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False  # a line is drawn when it is seen: there is no text to select from
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (64, "-wide")]  # noqa: RUF012 - as textual has it
    VERTICAL_BREAKPOINTS = [(0, "-low"), (18, "-high")]  # noqa: RUF012 - as textual has it

    def __init__(self, opened: PartialStudy, signs: Signs) -> None:
        super().__init__(ansi_color=True)
        self.theme = "ansi-dark"
        self.session = Session(opened, signs)
        self.signs = signs
        self.tab = TABS[0]
        self.text: Page | None = None
        self.text_kind = "help"
        self.text_item: Item | None = None
        self.as_bytes: bool | None = None
        self._places: dict[str, int] = {}
        bar = "┃" if signs.unicode else "|"
        session = self.session
        self.head = Board("head", clicked=partial(self._clicked, "head"), resized=self._draw)
        self.stack_title = Board("stack-title")
        self.tree_title = Board("tree-title", resized=self._draw)
        self.list_title = Board("list-title", resized=self._draw)
        self.story = Board("story", resized=self._resized)
        self.keys = Board("keys", clicked=partial(self._clicked, "keys"))
        self.stack_rows = Rows(
            "stack",
            lambda: len(session.stack),
            lambda at, columns: session.stack.line(at, columns, signs),
            bar=bar,
        )
        self.tree_rows = Rows(
            "tree", lambda: len(session.outline.branches), session.tree_line, bar=bar
        )
        self.list_rows = Rows("rows", self._list_count, self._list_line, bar=bar)
        self._ends: dict[str, list[tuple[int, str]]] = {}

    def compose(self) -> ComposeResult:
        """Lay out the panes."""
        yield self.head
        with Horizontal(id="files"):
            with Vertical(id="left"):
                yield self.stack_title
                yield self.stack_rows
            with Vertical(id="right"):
                yield self.tree_title
                yield self.tree_rows
        with Vertical(id="list"):
            yield self.list_title
            yield self.list_rows
        yield self.story
        yield self.keys

    def _resized(self) -> None:
        """Have the story told for another width, by whoever knows it."""

    def _draw(self) -> None:
        """Draw everything around the lists, and the lists."""
        line, self._ends["head"] = self.session.head(self.head.size.width, self.tab)
        self.head.show([line])
        line, self._ends["keys"] = keys_line(self._keys_name(), self.keys.size.width)
        self.keys.show([line])
        count = len(self.session.stack)
        self.stack_title.show([[(f"{count} layer{'' if count == 1 else 's'}", "bold")]])
        self.tree_title.show(
            [self.session.tree_title(self.tree_rows.at, self.tree_title.size.width)]
        )
        page = self._page()
        if page is not None:
            self.list_title.show([page.heading(self.list_title.size.width, self.signs)])
        elif self.tab != TABS[0]:
            word = "Nothing was looked for yet: press /" if self.tab == "Found" else "Looking"
            self.list_title.show([[(word + self.signs.ellipsis, "dim")]])
        for rows in (self.stack_rows, self.tree_rows, self.list_rows):
            rows.refresh()

    @property
    def _is_on_stack(self) -> bool:
        # Not what the widget itself knows: that comes too late for keys that are typed at once.
        return bool(self.screen_stack) and self.screen.focused is self.stack_rows

    def _is_asking(self) -> bool:
        return bool(self.screen_stack) and bool(self.query("#field"))

    def _focus(self, widget: Widget) -> None:
        """Give a widget the focus at once: its own `focus` does it after the keys that came with this."""
        self.screen.set_focus(widget)

    def _focus_name(self) -> str:
        if self._is_asking():
            return "ask"
        if self.text is not None:
            return "text"
        if self.tab != TABS[0]:
            return "list"
        return "stack" if self._is_on_stack else "tree"

    def _keys_name(self) -> str:
        name = self._focus_name()
        if name == "text":
            return self.text_kind
        return "found" if name == "list" and self.tab == "Found" else name

    def _rows(self) -> Rows:
        if self.text is not None or self.tab != TABS[0]:
            return self.list_rows
        return self.stack_rows if self._is_on_stack else self.tree_rows

    def _page(self) -> Page | None:
        return self.text if self.text is not None else self.session.pages.get(self.tab)

    def _list_count(self) -> int:
        page = self._page()
        return len(page) if page is not None else 0

    def _list_line(self, at: int, columns: int) -> Line:
        page = self._page()
        return page.line(at, columns, self.signs) if page is not None else []

    def _item(self) -> Item | None:
        branches = self.session.outline.branches
        return branches[self.tree_rows.at].item if self.tree_rows.at < len(branches) else None

    def _clicked(self, what: str, column: int) -> None:
        """Do what stands in a column of the first or the last line."""
        for end, action in self._ends.get(what, ()):
            if column < end:
                if action:
                    self.call_later(self.run_action, action)
                return
