"""One listing, every form it has."""

import json

import pytest
from tests.consoles import Console, text_of

from lamina.cli.flags import parse
from lamina.cli.formats import FORMAT, JSON, QUIET, Listing, Row, show
from lamina.cli.template_syntax import TemplateInvalid

LISTING = Listing({"ID": "THING ID", "Name": "NAME", "Label": "()"}, ("ID", "Name"))
ROWS = (
    Row(
        {"Name": "one", "ID": "a1", "Label": lambda key: {"k": "v"}.get(key, "")},
        {"id": "sha256:a1", "size": 5},
    ),
    Row({"ID": "b2", "Name": "two\x1b[31m", "Label": lambda _: ""}),
)


def shown(*words: str) -> str:
    context = Console().context()
    show(context, LISTING, ROWS, parse((FORMAT, JSON, QUIET), words))
    return text_of(context)


def test_the_table_is_the_default_and_escapes_stay_out_of_it():
    expected = "THING ID   NAME\na1         one\nb2         two?[31m\n"
    assert shown() == expected
    assert shown("--format", "table") == expected


def test_quiet_gives_ids_also_for_a_table():
    assert shown("-q") == shown("-q", "--format", "table {{.Name}}") == "a1\nb2\n"


def test_a_template_wins_over_quiet():
    assert shown("-q", "--format", "{{.Name | len}}") == "3\n8\n"


def test_tabs_and_newlines_may_be_written_with_a_backslash():
    assert shown("--format", r"{{.ID}}\t{{.Name}}\n").startswith("a1\tone\n\n")


def test_a_table_of_ones_own_gets_headers_methods_included():
    assert shown("--format", r'table {{.Name}}\t{{.Label "k"}}').splitlines()[:2] == [
        "NAME       k",
        "one        v",
    ]


def test_json_lines_are_sorted_and_have_no_methods():
    assert shown("--format", "json").splitlines()[0] == '{"ID":"a1","Name":"one"}'


def test_the_json_flag_prints_the_documents():
    assert json.loads(shown("--json"))[0] == {"id": "sha256:a1", "size": 5}


def test_an_unknown_field_is_refused_before_anything_is_printed():
    with pytest.raises(TemplateInvalid, match="can't evaluate field Nope"):
        shown("--format", "{{.Nope}}")
