"""Inspection goes on past what is not there."""

from collections.abc import Mapping

import pytest
from tests.consoles import Console, text_of

from lamina.cli.inspecting import first_of, inspect_all
from lamina.errors import Invalid, NotFound

THINGS: dict[str, dict[str, object]] = {"a": {"Id": "1", "B": None}, "b": {"Id": "2"}}


def lookup(name: str) -> Mapping[str, object]:
    if name not in THINGS:
        raise NotFound(f"No such thing: {name}")
    return THINGS[name]


def nothing(name: str) -> Mapping[str, object]:
    raise NotFound(name)


def test_json_lines_are_one_for_each_thing():
    context = Console().context()
    assert inspect_all(context, ["a", "x", "b"], lookup, form="json") == 1
    assert text_of(context) == '{"Id":"1","B":null}\n{"Id":"2"}\n'


def test_a_template_is_read_before_anything_is_looked_up():
    with pytest.raises(Invalid, match="unclosed action"):
        inspect_all(Console().context(), ["a"], nothing, form="{{")


def test_the_first_kind_that_knows_the_name_answers():
    assert first_of({"x": nothing, "y": lookup}, "a") == THINGS["a"]
    with pytest.raises(NotFound, match="No such object: c"):
        first_of({"x": nothing, "y": lookup}, "c")


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{.Config.Labels}}|{{.Config.Volumes}}|{{.Config.ExposedPorts}}", "map[]|map[]|map[]"),
        ("{{.Config.Cmd}}|{{.Config.Entrypoint}}", "[]|[]"),
        ("{{json .Config.Labels}}|{{json .Config.Cmd}}", "null|null"),
        ('{{index .Config.Labels "a"}}|{{len .Config.Labels}}', "|0"),
        ("{{range .Config.Cmd}}x{{end}}{{if .Config.Labels}}y{{end}}", ""),
        ("{{.Config.Healthcheck}}", "<no value>"),
    ],
)
def test_null_maps_and_lists_print_as_docker_prints_its_own(template: str, expected: str):
    nulls = dict.fromkeys(("Labels", "Volumes", "Cmd", "Entrypoint", "Healthcheck"))
    context = Console().context()
    assert inspect_all(context, ["x"], lambda _: {"Config": nulls}, form=template) == 0
    assert text_of(context) == expected + "\n"
