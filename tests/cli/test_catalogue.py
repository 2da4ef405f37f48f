"""The table of commands is true: every row leads somewhere."""

import importlib
from pathlib import Path

import pytest
from tests.consoles import Console

import lamina.cli.commands
from lamina.cli.catalogue import COMMANDS, COMMON, GROUPS, aliases, members

MODULES = sorted({module for module, _ in COMMANDS.values()})


@pytest.mark.parametrize("module", MODULES)
def test_every_module_of_the_table_has_its_command_and_main(module: str):
    loaded = importlib.import_module(f"lamina.cli.commands.{module}")
    assert loaded.COMMAND.usage.startswith(f"lamina {loaded.COMMAND.name}")
    assert callable(loaded.main)


def test_every_command_module_is_in_the_table():
    folder = Path(lamina.cli.commands.__path__[0])
    stems = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    here = {
        each for each in stems if each != "hub" and not each.startswith("hub_")
    }  # `hub` has its own
    assert here == set(MODULES)


@pytest.mark.parametrize("path", sorted(COMMANDS))
def test_every_path_answers_help_with_its_own_name(path: str):
    text = Console()(*path.split(), "--help")
    assert text.startswith(f"Usage:  lamina {path}")


@pytest.mark.parametrize("path", [path for path, (_, summary) in COMMANDS.items() if summary])
def test_the_tables_summary_is_the_commands_own(path: str):
    module, summary = COMMANDS[path]
    loaded = importlib.import_module(f"lamina.cli.commands.{module}")
    assert loaded.COMMAND.summary == summary


def test_no_two_flags_of_a_command_share_a_name_or_letter():
    for module in MODULES:
        flags = importlib.import_module(f"lamina.cli.commands.{module}").COMMAND.flags
        for names in ([f.name for f in flags], [f.short for f in flags if f.short]):
            assert len(names) == len(set(names)), module


def test_every_group_has_members_and_the_common_commands_exist():
    assert all(members(group) for group in GROUPS if group != "hub")
    assert set(COMMON) <= {name for name, _ in members()}


def test_aliases_are_listed_as_docker_lists_them():
    assert aliases("images") == ("image ls", "image list", "images")
    assert aliases("rmi") == ("image rm", "image remove", "rmi")
