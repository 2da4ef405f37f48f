"""Templates become trees that say what they are and where."""

import pytest

from lamina.cli.template_syntax import TemplateInvalid, parse_template

WORDS = frozenset({"len", "printf"})


def test_a_tree_has_its_statements_in_order_with_their_places():
    body, defined = parse_template("a{{.B}}{{if .C}}d{{else}}e{{end}}", WORDS)
    assert [node.kind for node in body] == ["text", "pipe", "if"]
    assert body[1].position == 3
    assert body[1].source == ".B"
    assert [node.value for node in (*body[2].body, *body[2].other)] == ["d", "e"]
    assert defined == {}


def test_definitions_are_kept_apart():
    body, defined = parse_template('{{define "x"}}y{{end}}{{template "x" .}}', WORDS)
    assert [node.kind for node in body] == ["template"]
    assert [node.value for node in defined["x"]] == ["y"]


def test_a_quote_in_an_action_may_hold_its_end():
    body, _ = parse_template('{{"}}"}}', WORDS)
    assert body[0].parts[0].parts[0].value == "}}"


def test_variables_end_with_the_block_that_made_them():
    with pytest.raises(TemplateInvalid, match='undefined variable "\\$x"'):
        parse_template("{{if 1}}{{$x := 1}}{{end}}{{$x}}", WORDS)
    parse_template("{{range $x := 3}}{{$x}}{{end}}", WORDS)


def test_a_refusal_names_the_line():
    with pytest.raises(TemplateInvalid, match="template: :3: unexpected EOF"):
        parse_template("\n\n{{if .X}}", WORDS)
