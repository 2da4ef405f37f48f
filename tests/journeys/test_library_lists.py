"""The library's tables in docs/library.md are complete: each flag and each command, and no other."""

import re
from pathlib import Path

from lamina.cli import refused
from lamina.cli.catalogue import members
from lamina.cli.creating import FLAGS
from lamina.engine.container import Container
from lamina.engine.containers import Containers
from lamina.engine.network_request import Endpoint, NetworkRequest
from lamina.engine.requests import CreateRequest
from lamina.engine.restarting import HealthRequest
from lamina.spec.limits import Limits

TEXT = (Path(__file__).parents[2] / "docs" / "library.md").read_text(encoding="utf-8")
OF_THE_COMMAND = {"attach", "isolation", "pull", "quiet"}
"""What is about the command itself, or has one value here."""
INNER = {
    "networking": NetworkRequest,
    "endpoints": Endpoint,
    "limits": Limits,
    "health": HealthRequest,
}


def table(title: str) -> list[tuple[list[str], list[str]]]:
    """Give what stands in back quotes in both columns of the table that `title` begins."""
    rows = TEXT.partition(f"| {title} |\n|---|---|\n")[2].partition("\n\n")[0].splitlines()
    cells = [row.strip("|").split(" | ", 1) for row in rows]
    return [
        (re.findall("`([^`]+)`", left), re.findall("`([^`]+)`", right)) for left, right in cells
    ]


def has(kind: type, path: str) -> bool:
    head, _, rest = path.partition(".")
    return hasattr(kind, head) and (not rest or has(INNER[head], rest))


def test_each_flag_of_create_has_its_field():
    rows = table("flags | field")
    told = [flag.removeprefix("--") for flags, _ in rows for flag in flags]
    others = (*refused.CREATE, *refused.LINK_LOCAL, *refused.DRIVER, *refused.TRUST)
    taken = {flag.name for flag in FLAGS} - {flag.name for flag in others} - OF_THE_COMMAND
    assert sorted(told) == sorted(taken)
    for flags, names in rows:
        assert has(CreateRequest, names[0]), (flags, names)


def test_each_field_has_a_flag_or_is_said():
    told = {names[0].partition(".")[0] for _, names in table("flags | field")}
    assert set(CreateRequest.__match_args__) - told == {"image", "command", "stdin_once"}


def test_each_command_has_its_method():
    rows = table("command | method")
    wanted = {name for name, _ in members("container")}
    assert {name for names, _ in rows for name in names} == wanted
    for _, methods in rows:
        for path in methods:
            owner, _, name = path.partition(".")
            assert hasattr({"Container": Container, "Containers": Containers}[owner], name), path
