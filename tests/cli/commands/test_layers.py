"""`lamina layers` draws the stack of an image."""

import json

from tests.consoles import Console

PICTURE = """\
mysql  {id}  736B in 2 layers
┌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌┐
╎ container layer                                                              ╎
╎ read-write; `lamina commit` makes an image layer of it                       ╎
└╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌┘
┌──────────────────────────────────────────────────────────────────────────────┐
│ 2  RUN initialise                                                        36B │
│    {top}  3 years ago                                                 │
├──────────────────────────────────────────────────────────────────────────────┤
│ 1  ADD file:12 in /                                                     700B │
│    {low}  3 years ago                                                 │
│    shared with: example.com/app:v1                                           │
└──────────────────────────────────────────────────────────────────────────────┘
"""


def test_the_stack_is_drawn_topmost_first_with_who_shares_each_layer(shelf: Console):
    top, low = shelf("layers", "-q", "mysql").split()
    image_id = shelf("images", "-q", "mysql").strip()
    assert shelf("layers", "mysql") == PICTURE.format(id=image_id, top=top, low=low)


def test_a_terminal_without_unicode_gets_plain_signs(shelf: Console):
    said = shelf.run("layers", "mysql", encoding="ascii")
    assert said.code == 0
    assert said.out.isascii()
    assert ": container layer" in said.out


def test_a_comment_stands_in_for_an_instruction_and_the_author_is_named(shelf: Console):
    text = shelf("layers", "example.com/app:v1")
    assert "│ 2  by hand" in text
    assert "  by me" in text


def test_json_and_templates_have_the_facts(shelf: Console):
    rows = json.loads(shelf("layers", "--json", "mysql"))
    assert [(row["number"], row["size"]) for row in rows] == [(2, 36), (1, 700)]
    assert rows[1]["shared_with"] == ["example.com/app:v1"]
    assert shelf("layers", "--format", "{{.Number}}={{.CreatedBy}}", "mysql").splitlines() == [
        "2=RUN initialise",
        "1=ADD file:12 in /",
    ]


def test_neither_image_nor_container_is_told_as_an_image_unknown(shelf: Console):
    said = shelf.run("layers", "nosuch")
    assert said.code == 1
    assert said.err.startswith("lamina: No such image: nosuch:latest")
