"""What the explorer asks in threads while people look around, and where the answers go."""

from __future__ import annotations

from functools import partial

from textual.message import Message

from lamina.cli.explorer import questions
from lamina.cli.explorer.jobs import Jobs
from lamina.cli.explorer.lines import harmless, wrapped
from lamina.cli.explorer.pages import (
    Page,
    Target,
    found_page,
    packages_page,
    secrets_page,
    text_page,
    waste_page,
)
from lamina.cli.explorer.panes import Panes
from lamina.cli.explorer.session import TABS, tree_at
from lamina.cli.explorer.story import layer_lines, story_lines
from lamina.errors import LaminaError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable
    from typing import Any

    from lamina.cli.explorer.jobs import Open, Turn
    from lamina.cli.explorer.lines import Line, Signs
    from lamina.engine.partial_study import PartialStudy
    from lamina.engine.study import Study

__all__ = ["Answered", "Asking"]

_PAUSE_S = 0.06
"""What the cursor has to rest for before the story of a path is asked for."""


class Answered(Message):
    """A thread has an answer."""

    def __init__(self, key: Hashable, value: Any) -> None:  # noqa: ANN401 - what it is, its key says
        super().__init__()
        self.key = key
        self.value = value


class Asking(Panes):
    """Panes that fill themselves: each answer is asked for when it is first of use."""

    def __init__(self, opening: Open, opened: PartialStudy, signs: Signs) -> None:
        super().__init__(opened, signs)
        self._jobs = Jobs(opening, opened.study.name, self._answer)
        self._sizing: tuple[int, int] = (0, 0)
        self._deeds: dict[int, tuple[questions.Did, ...]] = {}

    def on_unmount(self) -> None:
        """Want no more answers."""
        self._jobs.close()

    def _tell(self, *texts: str, style: str = "") -> None:
        """Say something where stories stand."""
        self._jobs.drop("story")
        texts = tuple(harmless(text, unicode=self.signs.unicode) for text in texts)
        self.story.show([[(text, style)] for text in texts])

    def _answer(self, key: Hashable, value: object) -> None:
        self.post_message(Answered(key, value))

    def _ask_soon(self) -> None:
        """Ask for the story of where the cursor is, once it rests."""
        self._jobs.drop("story")
        if self.is_running:
            self.set_timer(_PAUSE_S, partial(self._ask_story, self._mark()))

    def _resized(self) -> None:
        self._ask_soon()

    def _mark(self) -> tuple[object, ...]:
        rows = self._rows()
        path = self.session.outline.path(self.tree_rows.at)
        return rows.id, rows.at, self.session.height, path, self.story.size.width

    def _ask_story(self, mark: tuple[object, ...]) -> None:
        if self._jobs.is_closed or mark != self._mark():
            return
        number = self.session.height
        self._ask_sizes()
        name = self._focus_name()
        columns = self.story.size.width
        if name == "stack" and len(self.session.stack):
            made = self.session.study.made[number - 1]
            lost = self.session.lost.get(number)
            did = self._deeds.get(number)
            if did is None:
                self._jobs.ask("deeds", partial(_deeds, number))
            lines = layer_lines(
                made,
                did or (),
                signs=self.signs,
                columns=columns,
                lost=lost.said if lost else "",
            )
            self.story.show(list(lines))
        elif name == "tree" and (item := self._item()) is not None:
            self._jobs.ask("story", partial(self._short_story, item.path, columns))
        elif name == "list" and (page := self._page()) is not None:
            row = page.row(self.list_rows.at)
            notes = [part for note in (row.note if row else ()) for part in wrapped(note, columns)]
            self.story.show([[(page.title, "bold")], *([(text, "")] for text in notes)])
        elif name == "text":
            self.story.show([])

    def _ask_sizes(self) -> None:
        span = self.session.span
        if not self.session.has_sizes() and self._sizing != span:
            self._sizing = span
            self._jobs.ask("sizes", partial(_sizes, span), slow=True)

    def _short_story(self, path: bytes, columns: int, study: Study, _: Turn) -> list[Line]:
        lines = story_lines(study, path, signs=self.signs, columns=columns, whole=False)
        return [line for _, line in lines]

    def _whole_story(self, path: bytes, columns: int, study: Study, _: Turn) -> Page:
        lines = story_lines(study, path, signs=self.signs, columns=columns, whole=True)
        rows = [(line, Target(path, number) if number else None) for number, line in lines]
        return text_page("Whence: Enter goes to the layer", rows)

    def _find(self, wanted: str, study: Study, turn: Turn) -> Page:
        found = questions.found_names(study, wanted, turn)
        return found_page(wanted, found, questions.FOUND_LIMIT, self.signs)

    def _ask_page(self, name: str) -> None:
        if name == "Packages":
            self._jobs.ask("packages", lambda study, _: study.packages(), slow=True)
        elif name == "Secrets":
            self._jobs.ask("secrets", lambda study, _: study.secrets(), slow=True)

    def on_answered(self, message: Answered) -> None:
        """Take an answer."""
        key, value = message.key, message.value
        if isinstance(value, LaminaError):
            self._take_failure(str(key), value)
        elif key == "sizes":
            path = self.session.outline.path(self.tree_rows.at)
            self.session.learn_sizes(*value)
            self._keep(path)
        elif key == "story":
            self.story.show(value)
        elif key == "deeds":
            self._deeds[value[0]] = value[1]
            self._ask_soon()
        elif key == "whence":
            self._show_text(value, "whence")
        else:
            self._take_page(str(key), value)
        self._draw()

    def _take_page(self, key: str, value: Any) -> None:  # noqa: ANN401 - by the key
        made = self.session.study.made
        name = key.capitalize()
        if key == "waste":
            path = self.session.outline.path(self.tree_rows.at)
            self.session.learn_waste(value)
            self.session.pages[name] = waste_page(made, value, self.signs)
            self._keep(path)
        elif key == "packages":
            self.session.pages[name] = packages_page(made, value, self.signs)
        elif key == "secrets":
            self.session.pages[name] = secrets_page(value, self.signs)
        else:
            self.session.pages[name] = value
        if self.tab == name and self.text is None:
            self.list_rows.move(0, tell=False)
            self._ask_soon()

    def _take_failure(self, key: str, error: LaminaError) -> None:
        name = key.capitalize()
        texts = [text for text in (error.message, error.hint) if text]
        if name in TABS:
            lines: list[tuple[Line, Target | None]] = [
                ([(harmless(text, unicode=self.signs.unicode), "red")], None) for text in texts
            ]
            self.session.pages[name] = text_page(name, lines)
        else:
            self._tell(*texts, style="red")

    def _arrange(self) -> None:
        """Show what belongs to the tab, with the focus and the cursor where they were."""
        is_list = self.text is not None or self.tab != TABS[0]
        self.screen.set_class(is_list, "-list")
        self.list_rows.left = 0
        if is_list:
            self.list_rows.move(
                0 if self.text is not None else self._places.get(self.tab, 0), tell=False
            )
            self._focus(self.list_rows)
        else:
            self._focus(self.tree_rows)
        self._draw()
        self._ask_soon()

    def _keep(self, path: bytes) -> None:
        """Put the tree's cursor on a path, if it is still shown."""
        self.tree_rows.move(self.session.outline.index(path), tell=False)
        self._draw()
        self._ask_soon()

    def _show_text(self, page: Page, kind: str) -> None:
        """Show a text over everything; its `kind` is the name of its keys."""
        self.text_kind = kind
        self._places[self.tab] = (
            self.list_rows.at if self.text is None else self._places.get(self.tab, 0)
        )
        self.text = page
        self._arrange()


_Span = tuple[int, int]


def _sizes(span: _Span, study: Study, turn: Turn) -> tuple[_Span, dict[bytes, int]]:
    """Count what is in directories, also in those that are not there any more."""
    since, height = span
    gone = questions.directory_sizes(tree_at(study, since - 1), turn)
    return span, gone | questions.directory_sizes(tree_at(study, height), turn)


def _deeds(number: int, study: Study, turn: Turn) -> tuple[int, tuple[questions.Did, ...]]:
    return number, questions.deeds(study, number, turn)
