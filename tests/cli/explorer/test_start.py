"""Where there is no terminal or no textual, `lamina explore` says what to do instead."""

import io
import sys

import pytest
from tests.consoles import Console

from lamina.cli.context import Context
from lamina.cli.explorer.start import NoTerminal, TextualMissing, explore
from lamina.engine.engine import Engine


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def terminal(term: str = "xterm") -> Context:
    return Context(out=_Terminal(), err=_Terminal(), stdin=_Terminal(), environ={"TERM": term})


def test_without_a_terminal_other_commands_are_named(world: Engine):
    said = Console({"LAMINA_ROOT": world.settings.root, "TERM": "xterm"}).run("explore", "three")
    assert said.code == 1
    assert "needs a terminal" in said.err
    assert "--html FILE" in said.err


@pytest.mark.parametrize("term", ["dumb", ""])
def test_a_terminal_that_cannot_move_its_cursor_is_none(term: str):
    with pytest.raises(NoTerminal):
        explore("three", terminal(term))


def test_without_textual_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch):
    for name in [name for name in sys.modules if name.startswith("lamina.cli.explorer.")]:
        if name != "lamina.cli.explorer.start":
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "textual.app", None)
    monkeypatch.setitem(sys.modules, "textual.binding", None)
    with pytest.raises(TextualMissing) as raised:
        explore("three", terminal())
    assert "lamina[tui]" in raised.value.hint


def test_an_explorer_that_fails_ends_with_1(world: Engine, monkeypatch: pytest.MonkeyPatch):
    from lamina.cli.explorer.app import Explorer

    def fail(_self: object) -> None:
        raise ValueError("made to fail")

    monkeypatch.setattr(
        "textual.constants.DRIVER", "textual.drivers.headless_driver:HeadlessDriver"
    )
    monkeypatch.setattr(Explorer, "on_mount", fail)
    context = terminal()
    context.environ = {"TERM": "xterm", "LAMINA_ROOT": world.settings.root}
    assert explore("three", context) == 1
