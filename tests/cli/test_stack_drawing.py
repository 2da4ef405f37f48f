"""Boxes keep their width whatever is in them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.cli.stack_drawing import Box, columns_of, draw, fold, instruction

TEXTS = st.text(st.characters(blacklist_categories=["Cs"]), max_size=120)


@pytest.mark.parametrize(
    ("created_by", "expected"),
    [
        ('/bin/sh -c #(nop)  CMD ["bash"]', 'CMD ["bash"]'),
        ("/bin/sh -c apt-get update", "RUN apt-get update"),
        ("RUN /bin/sh -c initialise # buildkit", "RUN initialise"),
        ("COPY a b # buildkit", "COPY a b"),
        ("/bin/sh -c #(nop) ADD file:12 in / ", "ADD file:12 in /"),
        ("a\tb\n c", "a b c"),
        ("", ""),
    ],
)
def test_a_command_is_shown_as_the_line_it_came_from(created_by: str, expected: str):
    assert instruction(created_by) == expected


def test_boxes_stand_on_each_other_and_the_dashed_one_apart():
    boxes = [Box("top", dashed=True), Box("two", "2B", number="2"), Box("one", "1B", number="1")]
    assert draw(boxes, width=24, unicode=False, colour=False) == (
        "+- - - - - - - - - - - +\n"
        ": top                  :\n"
        "+- - - - - - - - - - - +\n"
        "+----------------------+\n"
        "| 2  two            2B |\n"
        "+----------------------+\n"
        "| 1  one            1B |\n"
        "+----------------------+\n"
    )


def test_nothing_is_drawn_for_nothing():
    assert draw([], width=80, unicode=True, colour=True) == ""


def test_colour_changes_no_width():
    boxes = [Box("RUN x", "1MB", number="1", details=("detail",), shared="shared with: y")]
    plain = draw(boxes, width=60, unicode=True, colour=False)
    coloured = draw(boxes, width=60, unicode=True, colour=True)
    assert coloured != plain
    assert re.sub(r"\x1b\[\d+m", "", coloured) == plain


def test_long_texts_end_in_an_ellipsis_or_are_folded_whole():
    boxes = [Box("word " * 30, "1MB", number="1")]
    short = draw(boxes, width=40, unicode=True, colour=False)
    whole = draw(boxes, width=40, unicode=True, colour=False, whole=True)
    assert "…" in short
    assert len(short.splitlines()) == 3
    assert whole.count("word") == 30


def test_wide_letters_count_twice():
    assert columns_of("abc") == 3
    assert columns_of("日本") == 4
    assert columns_of("e\u0301") == 1


@given(TEXTS, TEXTS, TEXTS, st.integers(24, 120), st.tuples(st.booleans(), st.booleans()))
def test_every_line_is_as_wide_as_the_picture(
    title: str, detail: str, shared: str, width: int, flags: tuple[bool, bool]
):
    unicode, whole = flags
    boxes = [Box(title, "4.19MB", number="12", details=(detail,), shared=shared)]
    text = draw(boxes, width=width, unicode=unicode, colour=False, whole=whole)
    assert {columns_of(line) for line in text.split("\n") if line} == {width}
    assert unicode or text.isascii()


@given(TEXTS, st.integers(2, 40))
def test_folding_loses_no_letter(text: str, width: int):
    lines = fold(text, width)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(columns_of(line) <= width for line in lines)
