"""Templates give what docker's own command gives: recorded from docker 28, case by case."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.cli.template import Template, TemplateInvalid
from lamina.cli.template_functions import to_json

GOLDEN = json.loads((Path(__file__).parent / "go_templates.json").read_text(encoding="utf-8"))
IMAGE = {
    "Id": "sha256:ab",
    "RepoTags": ["a:1", "b:2"],
    "Config": {"Env": ["A=1", "B=2"], "Labels": {"v": "1.0"}, "Cmd": None, "Tty": False},
    "RootFS": {"Layers": ["sha256:1", "sha256:2"]},
    "Size": 4190000,
}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


def applied(text: str, value: object, *, strict: bool = False) -> str:
    try:
        return Template(text).render(value, strict=strict)
    except TemplateInvalid as error:
        return error.message


@pytest.mark.parametrize(("text", "expected"), GOLDEN["cases"], ids=[c[0] for c in GOLDEN["cases"]])
def test_a_template_prints_what_docker_prints(text: str, expected: str):
    assert applied(text, GOLDEN["document"], strict=True) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{.Id}}", "sha256:ab"),
        ("{{.ID}}", "sha256:ab"),
        ("{{json .Config.Env}}", '["A=1","B=2"]'),
        ("{{.Config.Env}}", "[A=1 B=2]"),
        ("{{.Config.Labels}}", "map[v:1.0]"),
        ("{{.Config.Cmd}}", "<no value>"),
        ("{{.Config.Nothing}}", "<no value>"),
        ("{{.Config.Nothing.Deeper}}", "<no value>"),
        ('{{index .Config.Labels "v"}}', "1.0"),
        ('{{index .Config.Labels "none"}}|', "|"),
        ("{{range .RootFS.Layers}}{{println .}}{{end}}", "sha256:1\nsha256:2\n"),
        ('{{join .RepoTags ", "}}', "a:1, b:2"),
        ('{{.Id | trimPrefix "sha256:"}}', "ab"),
        ('{{trimSuffix ":1" (index .RepoTags 0)}}', "a"),
        ('{{trimSpace "  x "}}{{trim " y "}}{{trimLeft "ab" "abc"}}{{trimRight "bc" "abc"}}', "xyca"),
        ("{{.Size}}", "4190000"),
        ("{{if .Config.Tty}}tty{{else}}plain{{end}}", "plain"),
        ("{{len .RepoTags}} {{with .Config}}{{len .Env}}{{end}}", "2 2"),
        ("{{$n := len .RepoTags}}{{range $i, $t := .RepoTags}}{{$i}}/{{$n}}={{$t}} {{end}}",
         "0/2=a:1 1/2=b:2 "),
    ],
)  # fmt: skip
def test_an_inspected_image_answers_the_templates_people_write(text: str, expected: str):
    assert applied(text, IMAGE) == expected


def test_a_strict_root_refuses_a_field_it_lacks_and_names_those_it_has():
    with pytest.raises(TemplateInvalid, match="can't evaluate field Sise") as caught:
        Template("{{.Sise}}").render({"Size": "1B", "Tag": "x"}, strict=True)
    assert caught.value.hint == "there are .Size, .Tag"


def test_a_callable_field_is_a_method_with_arguments():
    row = {"Label": lambda name: {"a": "1"}.get(name, "")}
    assert Template('{{.Label "a"}}{{.Label "b"}}').render(row) == "1"


def test_a_template_that_calls_itself_forever_is_refused():
    with pytest.raises(TemplateInvalid, match="maximum template depth"):
        Template('{{define "x"}}{{template "x" .}}{{end}}{{template "x" .}}').render({})


def test_errors_count_lines_and_columns_from_the_start_of_the_line():
    assert applied("x\n{{foo}}", {}) == (
        'template parsing error: template: :2: function "foo" not defined'
    )


@given(VALUES)
def test_json_of_any_document_reads_back_as_the_same(value: object):
    assert json.loads(to_json(value)) == value
    assert Template("{{json .}}").render(value) == to_json(value)


@given(st.text(max_size=40))
def test_any_text_without_braces_is_itself(text: str):
    text = text.replace("{{", "")
    assert Template(text).render(None) == text


@given(st.text(alphabet='{}. $|"`-:=()/*abrangeifdwtho\n', max_size=40))
def test_any_text_at_all_is_a_template_or_a_clear_refusal(text: str):
    applied("{{" + text, IMAGE)
    applied(text, IMAGE)
