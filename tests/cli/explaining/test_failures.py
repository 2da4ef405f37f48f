"""Whatever fails has a meaning, and the error's own words stay as they are."""

import importlib
import io
import pkgutil

import pytest
from tests.consoles import Console

import lamina
import lamina.errors
from lamina.cli.errors import CommandFailed
from lamina.cli.explaining.failures import MEANINGS, meaning_of, tell_failure
from lamina.cli.explaining.page import Page
from lamina.errors import LaminaError
from lamina.remote.errors import LoginRefused, RealmRefused


def classes() -> set[str]:
    """The names of all our errors."""
    for module in pkgutil.walk_packages(lamina.__path__, "lamina."):
        if module.name.startswith(
            ("lamina.engine", "lamina.remote", "lamina.stream", "lamina.image", "lamina.runtime")
        ):
            importlib.import_module(module.name)
    found: set[type] = set()
    waiting: list[type] = [LaminaError]
    while waiting:
        kind = waiting.pop()
        found.add(kind)
        waiting += kind.__subclasses__()
    return {kind.__name__ for kind in found}


def test_each_meaning_is_of_an_error_that_exists():
    assert set(MEANINGS) <= classes()


@pytest.mark.parametrize("kind", [name for name in lamina.errors.__all__ if name != "LaminaError"])
def test_each_of_the_nine_kinds_has_a_meaning(kind: str):
    assert meaning_of(getattr(lamina.errors, kind)("x")) == MEANINGS[kind]


def test_the_nearest_class_is_the_one_that_counts():
    assert (
        meaning_of(RealmRefused("x")) == meaning_of(LoginRefused("x")) == MEANINGS["LoginRefused"]
    )
    assert meaning_of(ValueError("x")) == ""


def test_the_commands_own_words_stand_between_the_heading_and_the_meaning():
    context = Console().context()
    assert isinstance(context.err, io.StringIO)
    made = Page(context, context.err, width=80)
    assert tell_failure(lamina.errors.InUse("it is\x1b used", hint="wait"), made, context) == 1
    assert context.err.getvalue() == (
        "\nIt did not work\nlamina: it is\\x1b used\nhint: wait\n"
        "   Something else still needs it, so it was left as it is.\n"
    )


def test_what_was_told_already_is_not_told_again():
    context = Console().context()
    assert isinstance(context.err, io.StringIO)
    made = Page(context, context.err, width=80)
    assert tell_failure(CommandFailed(7), made, context) == 7
    assert context.err.getvalue() == ""
