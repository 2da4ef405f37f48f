"""Nothing of an image becomes a part of the page."""

from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest

from lamina.study.drawing.markup import (
    Markup,
    count_text,
    escaped,
    joined,
    path_text,
    share_text,
    size_text,
    tag,
)

NASTY = "</style><script>alert('1')</script>\"&amp;\x00\x1b[31m\u202e\udc80"


class Reader(HTMLParser):
    """What a browser would make of it: elements, and their text."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, attrs))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_texts_and_attributes_are_shown_and_never_read():
    reader = Reader()
    reader.feed(tag("p", NASTY, title=NASTY, onclick_=None))
    shown = "</style><script>alert('1')</script>\"&amp;" + "\ufffd\ufffd[31m\ufffd\ufffd"
    assert reader.found == [("p", [("title", shown)])]
    assert reader.text == shown
    ET.fromstring(tag("p", NASTY))  # what XML has no sign for is gone, too
    assert tag("p", NASTY).encode()


def test_markup_stays_markup_and_what_is_put_to_it_is_escaped():
    assert escaped(Markup("<b>")) == "<b>"
    assert Markup("<b>") + "<" + Markup("</b>") == "<b>&lt;</b>"
    assert joined(["<", Markup("<br>")]) == "&lt;<br>"
    assert tag("col", span=2) == '<col span="2">'
    assert tag("text", "x", font_size=11.0, class_="a", y=1.26) == (
        '<text font-size="11" class="a" y="1.3">x</text>'
    )


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (b"etc/caf\xc3\xa9", "etc/café"),
        (b"caf\xe9", "caf\\xe9"),
        (b"a\x1b[31m\nb", "a\\x1b[31m\\nb"),
        ("a\u202eb".encode(), "a\\u202eb"),
    ],
)
def test_a_path_is_written_so_that_it_can_be_read(path: bytes, shown: str):
    assert path_text(path) == shown


def test_figures_are_written_as_people_do():
    assert [size_text(size) for size in (0, 8, 999, 1000, 4_190_000, 999_999, 36.45e9)] == [
        "0B", "8B", "999B", "1kB", "4.19MB", "1MB", "36.5GB",
    ]  # fmt: skip
    assert [count_text(1, "file"), count_text(70_000, "entry", "entries")] == [
        "1 file",
        "70,000 entries",
    ]
    assert [share_text(*one) for one in ((1, 3), (1, 300), (1, 10**6), (0, 5), (0, 0), (5, 5))] == [
        "33%", "0.3%", "<0.1%", "0%", "0%", "100%",
    ]  # fmt: skip
