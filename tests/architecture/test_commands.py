"""Every command answers --help, and its help keeps its promises."""

import io
from importlib import import_module

import pytest

from lamina.cli.catalogue import COMMANDS, COMMON, GROUPS
from lamina.cli.context import Context
from lamina.cli.main import main

HUB = [f"hub {name}" for name in import_module("lamina.cli.commands.hub").COMMANDS]


def say(*words: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    code = main(words, Context(out=out, err=err, environ={"COLUMNS": "80"}))
    return code, out.getvalue(), err.getvalue()


@pytest.mark.parametrize("path", [*COMMANDS, *HUB])
def test_a_command_answers_help_with_its_usage_and_its_flags(path: str):
    code, out, err = say(*path.split(), "--help")
    assert (code, err) == (0, "")
    assert "Usage:  lamina " in out
    assert "Options:" in out or "--" not in out.partition("\n")[0]


@pytest.mark.parametrize("path", [*COMMANDS, *HUB])
def test_a_command_refuses_an_unknown_flag_as_docker_does(path: str):
    code, out, err = say(*path.split(), "--no-such-flag")
    assert (code, out) == (125, "")
    assert err.startswith("unknown flag: --no-such-flag\n")
    assert f"Run 'lamina {path} --help' for more information" in err


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_lists_its_commands(group: str):
    code, out, _ = say(group, "--help")
    assert code == 0
    assert "Commands:" in out


def test_the_overview_shows_the_common_commands_first():
    code, out, _ = say("--help")
    assert code == 0
    assert all(f"  {name} " in out for name in COMMON)


def test_a_word_that_is_no_command_is_answered_with_the_nearest_one():
    code, _, err = say("psuh")
    assert code == 1
    assert "push" in err
