"""The explorer on a terminal: its keys, and what they do."""

from __future__ import annotations

from contextlib import suppress
from functools import partial

from textual.binding import Binding

from lamina.cli.explorer.asking import Asking
from lamina.cli.explorer.comparison import Mark
from lamina.cli.explorer.content import content_lines
from lamina.cli.explorer.keys import HELP
from lamina.cli.explorer.pages import Target, text_page
from lamina.cli.explorer.session import TABS
from lamina.cli.file_names import quoted
from lamina.cli.life_words import brief
from lamina.errors import LaminaError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import ClassVar

    from textual.binding import BindingType

    from lamina.cli.explorer.rows import Rows

__all__ = ["Explorer"]

_SHIFT = 8


class Explorer(Asking):
    """Explore an image that is open. `run` returns when the person quits."""

    # All before the widgets: keys that come at once, as pasted or over a slow line, keep their order.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "stop", show=False, priority=True),
        Binding("ctrl+c", "quit", show=False, priority=True),
        *(
            Binding(str(at), f"tab('{name}')", show=False, priority=True)
            for at, name in enumerate(TABS, 1)
        ),
        Binding("tab,shift+tab", "other_pane", show=False, priority=True),
        Binding("up,k", "move(-1)", show=False, priority=True),
        Binding("down,j", "move(1)", show=False, priority=True),
        Binding("pageup", "page(-1)", show=False, priority=True),
        Binding("pagedown", "page(1)", show=False, priority=True),
        Binding("home,g", "end(0)", show=False, priority=True),
        Binding("end,G", "end(1)", show=False, priority=True),
        Binding("enter", "choose", show=False, priority=True),
        Binding("space", "mark", show=False, priority=True),
        Binding("right", "open", show=False, priority=True),
        Binding("left", "close", show=False, priority=True),
        Binding("ctrl+at,z", "close_all", show=False, priority=True),
        Binding("a,ctrl+a", "kind('added')", show=False, priority=True),
        Binding("c,m", "kind('changed')", show=False, priority=True),
        Binding("r,ctrl+r", "kind('removed')", show=False, priority=True),
        Binding("u,ctrl+u", "kind('unchanged')", show=False, priority=True),
        Binding("h", "only_hidden", show=False, priority=True),
        Binding("s", "sort", show=False, priority=True),
        Binding("b,ctrl+b", "attributes", show=False, priority=True),
        Binding("l,ctrl+l", "together", show=False, priority=True),
        Binding("v", "view", show=False, priority=True),
        Binding("x", "bytes", show=False, priority=True),
        Binding("w", "whence", show=False, priority=True),
        Binding("o", "origin", show=False, priority=True),
        Binding("slash,ctrl+f", "find", show=False, priority=True),
        Binding("n", "next(1)", show=False, priority=True),
        Binding("N", "next(-1)", show=False, priority=True),
        Binding("escape", "leave", show=False, priority=True),
        Binding("question_mark", "help", show=False, priority=True),
    ]

    def on_mount(self) -> None:
        """Begin in the tree; what takes long is asked once the first screen is there."""
        import signal
        from asyncio import get_running_loop

        ended = partial(self.exit, return_code=128 + signal.SIGTERM)
        with suppress(ValueError, RuntimeError):  # not in the main thread: somebody else's program
            # Killed without this, it would leave the terminal raw, without echo and on its other screen.
            get_running_loop().add_signal_handler(signal.SIGTERM, ended)
        self._focus(self.tree_rows)
        self.call_after_refresh(self._ask_first)

    def _ask_first(self) -> None:
        self._draw()
        self._ask_sizes()
        self._jobs.ask("waste", lambda study, _: study.waste(), slow=True)
        self._ask_soon()

    def on_descendant_focus(self) -> None:
        """Show the keys of the pane that has the focus."""
        self._draw()
        self._ask_soon()

    def on_rows_moved(self, message: Rows.Moved) -> None:
        """Follow the cursor: another layer's tree, another path's story."""
        if message.rows is self.stack_rows and self.stack_rows.at < len(self.session.stack):
            self._look(self.session.stack.number(self.stack_rows.at))
        self._draw()
        self._ask_soon()

    def on_rows_chosen(self, message: Rows.Chosen) -> None:
        """Do what Enter does."""
        del message
        self.action_choose()

    def action_move(self, lines: int) -> None:
        """Go up or down."""
        rows = self._rows()
        rows.move(rows.at + lines)

    def action_page(self, pages: int) -> None:
        """Go a page up or down."""
        rows = self._rows()
        rows.move(rows.at + pages * rows.page())

    def action_end(self, where: int) -> None:
        """Go to the first or the last line."""
        self._rows().move(where * 10**9)

    def action_tab(self, name: str) -> None:
        """Go to a part of the explorer."""
        self._places[self.tab] = self.list_rows.at
        self.text = None
        self.tab = name
        self._arrange()
        if name not in self.session.pages:
            self._ask_page(name)

    def action_leave(self) -> None:
        """Leave a text, then a list."""
        if self._is_asking():
            self._end_asking()
        elif self.text is not None:
            self.text = None
            self._arrange()
        elif self.tab != TABS[0]:
            self.action_tab(TABS[0])

    def _look(self, number: int, *, since: int = 0) -> None:
        path = self.session.outline.path(self.tree_rows.at)
        self.session.look(number, since=since)
        self._keep(path)

    def _go(self, target: Target) -> None:
        """Show where a target is in the tree."""
        try:
            at = self.session.show(target.path, target.number)
        except LaminaError as error:
            self._tell(error.message, error.hint, style="red")
            return
        self.stack_rows.move(len(self.session.stack) - target.number, tell=False)
        self.text = None
        self._places[self.tab] = self.list_rows.at
        self.tab = TABS[0]
        self.tree_rows.move(at, tell=False)
        self._arrange()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave the keys to whoever is asked for something to find, but for the ways out."""
        del parameters
        return action in ("quit", "leave", "other_pane") or not self._is_asking()

    def action_stop(self) -> None:
        """End."""
        self.exit()

    def action_other_pane(self) -> None:
        """Go from the tree to the stack, or back."""
        if not self._is_asking() and self.text is None and self.tab == TABS[0]:
            self._focus(self.tree_rows if self._is_on_stack else self.stack_rows)
            self._draw()
            self._ask_soon()

    def action_choose(self) -> None:
        """Open what the cursor is on, or go where it leads."""
        page = self._page()
        if page is not None and (self.text is not None or self.tab != TABS[0]):
            target = page.target(self.list_rows.at)
            if page.turn(self.list_rows.at):
                self._draw()
            elif target is not None:
                self._go(target)
        elif self._is_on_stack:
            self._focus(self.tree_rows)
        elif (item := self._item()) is not None and not item.is_directory:
            self.action_view()
        elif not self.session.outline.close(self.tree_rows.at):
            self.action_open()
        self._draw()

    def action_open(self) -> None:
        """Open a directory; go into one that is open. Show what is further right of a text."""
        if self.text is not None:
            self.list_rows.shift(_SHIFT)
            return
        outline = self.session.outline
        if self._rows() is not self.tree_rows or not outline.branches:
            return
        if not outline.open(self.tree_rows.at) and outline.branches[self.tree_rows.at].is_open:
            self.tree_rows.move(self.tree_rows.at + 1)
        self._draw()

    def action_close(self) -> None:
        """Close a directory; from anything else, go to the directory it is in. As `open` for a text."""
        if self.text is not None:
            self.list_rows.shift(-_SHIFT)
            return
        outline = self.session.outline
        if self._rows() is not self.tree_rows or not outline.branches:
            return
        if not outline.close(self.tree_rows.at):
            self.tree_rows.move(outline.parent(self.tree_rows.at))
        self._draw()

    def action_close_all(self) -> None:
        """Close all directories."""
        path = self.session.outline.path(self.tree_rows.at)
        self.session.outline.close_all()
        self._keep(path)

    def action_mark(self) -> None:
        """In the stack, look at all from here on together; elsewhere as Enter."""
        if self._rows() is not self.stack_rows:
            self.action_choose()
        elif len(self.session.stack):
            self._look(self.session.height, since=self.session.stack.number(self.stack_rows.at))

    def action_kind(self, kind: str) -> None:
        """Hide or show a kind of change."""
        path = self.session.outline.path(self.tree_rows.at)
        self.session.outline.toggle(Mark(kind))
        self._keep(path)

    def action_only_hidden(self) -> None:
        """Show only what a later layer hides, or everything again."""
        outline = self.session.outline
        path = outline.path(self.tree_rows.at)
        outline.only_hidden = not outline.only_hidden
        outline.rebuild()
        self._keep(path)

    def action_sort(self) -> None:
        """Sort by the next thing."""
        path = self.session.outline.path(self.tree_rows.at)
        self.session.next_order()
        self._keep(path)

    def action_attributes(self) -> None:
        """Show modes and owners, or not."""
        self.session.attributes = not self.session.attributes
        self._draw()

    def action_together(self) -> None:
        """Look at all layers above the first together, or at one alone."""
        path = self.session.outline.path(self.tree_rows.at)
        self.session.widen()
        self._keep(path)

    def action_origin(self) -> None:
        """Look at the layer that brought the file under the cursor."""
        item = self._item()
        if self._rows() is self.tree_rows and item is not None:
            self._go(Target(item.path, self.session.origin(item.node)))

    def action_view(self) -> None:
        """Show what is in the file under the cursor."""
        item = self._item()
        if self._rows() is not self.tree_rows or item is None:
            return
        if item.node.kind != "file":
            self._tell(f"not a file but a {item.node.kind}")
            return
        self.text_item = item
        self.as_bytes = None
        self._show_content()

    def action_bytes(self) -> None:
        """Show a file as bytes, or as text."""
        if self.text is not None and self.text_item is not None:
            self.as_bytes = not self.as_bytes
            self._show_content()

    def _show_content(self) -> None:
        item = self.text_item
        if item is None:
            return
        try:
            lines = content_lines(
                item.node,
                as_bytes=self.as_bytes,
                columns=self.size.width - 1,
                unicode=self.signs.unicode,
            )
        except LaminaError as error:
            self._tell(error.message, error.hint, style="red")
            return
        name = quoted(b"/" + item.path, unicode=self.signs.unicode)
        about = brief(item.node, unicode=self.signs.unicode)
        page = text_page(f"{name}  {about}", ((line, None) for line in lines))
        self._show_text(page, "content")

    def action_help(self) -> None:
        """Show all keys."""
        self.text_item = None
        lines = [
            ([(line, "" if line.startswith(" ") else "bold")], None)
            for line in HELP.replace("· .", f"{self.signs.below}  ").split("\n")
        ]
        self._show_text(text_page("Keys", lines), "help")

    def action_whence(self) -> None:
        """Tell the whole story of the path under the cursor."""
        path = self._path_here()
        if path is None:
            return
        self.text_item = None
        columns = self.size.width - 1
        self._tell("Looking" + self.signs.ellipsis, style="dim")
        self._jobs.ask("whence", partial(self._whole_story, path, columns))

    def _path_here(self) -> bytes | None:
        if self.text is not None:
            return None
        if self.tab != TABS[0]:
            page = self._page()
            target = page.target(self.list_rows.at) if page is not None else None
            return target.path if target is not None else None
        item = self._item()
        return item.path if item is not None else None

    def action_find(self) -> None:
        """Ask for what to find."""
        from textual.widgets import Input

        if self._is_asking():
            return
        field = Input(placeholder="find", id="field")
        self.mount(field, before=self.keys)
        self._focus(field)
        self.call_after_refresh(self._draw)

    def on_input_submitted(self, event: object) -> None:
        """Find it: rows in a list, lines in a text, names everywhere."""
        if not self._is_asking():  # Enter came twice
            return
        wanted = str(getattr(event, "value", ""))
        self._end_asking()
        page = self._page()
        if self.text is not None:
            self.text.wanted = wanted
            self.action_next(1)
        elif self.tab not in ("Files", "Found") and page is not None:
            page.narrow(wanted)
            self.list_rows.move(0)
            self._draw()
        elif wanted:
            self.session.pages.pop("Found", None)
            self.action_tab("Found")
            self._tell("Looking" + self.signs.ellipsis, style="dim")
            self._jobs.ask("found", partial(self._find, wanted))

    def _end_asking(self) -> None:
        self.query("#field").remove()
        self._arrange_focus()

    def _arrange_focus(self) -> None:
        is_list = self.text is not None or self.tab != TABS[0]
        self._focus(self.list_rows if is_list else self.tree_rows)
        self.call_after_refresh(self._draw)

    def action_next(self, step: int) -> None:
        """Go to the next line of a text that has what is looked for, or to the next path found."""
        from lamina.cli.explorer.lines import text_of

        if self.text is not None:
            wanted = self.text.wanted.lower()
            count = len(self.text)
            for more in range(1, count + 1):
                at = (self.list_rows.at + step * more) % count
                if wanted and wanted in text_of(self.text.line(at, 1, self.signs)).lower():
                    self.list_rows.move(at)
                    return
            self._tell(f"{self.text.wanted!r} is not in it")
            return
        page = self.session.pages.get("Found")
        if page is not None and len(page):
            at = (self._places.get("Found", 0) + step) % len(page)
            target = page.target(at)
            if target is not None:
                self._go(target)
            self._places["Found"] = at
