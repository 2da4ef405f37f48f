"""Sizes, ages and instructions as people read them."""

import pytest

from lamina.hub.words import age, count, instruction, moment, size, visible


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0B"),
        (999, "999B"),
        (7462, "7.46kB"),
        (4_194_304, "4.19MB"),
        (104_000_000, "104MB"),
        (10**10, "10GB"),
    ],
)
def test_sizes_are_dockers(value, text):
    assert size(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "less than a second ago"),
        (1, "1 second ago"),
        (30, "30 seconds ago"),
        (60, "about a minute ago"),
        (500, "8 minutes ago"),
        (3600, "about an hour ago"),
        (3 * 3600, "3 hours ago"),
        (47 * 3600, "47 hours ago"),
        (3 * 86400, "3 days ago"),
        (20 * 86400, "2 weeks ago"),
        (100 * 86400, "3 months ago"),
        (800 * 86400, "2 years ago"),
    ],
)
def test_ages_are_dockers(seconds, text):
    assert age(seconds) == text


def test_counts_get_units_from_ten_thousand_on():
    assert [count(value) for value in (0, 9999, 12345, 2_500_000)] == ["0", "9999", "12.3K", "2.5M"]


def test_moments_are_rfc_3339():
    assert moment(0) == "1970-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("created_by", "expected"),
    [
        ('/bin/sh -c #(nop)  CMD ["bash"]', ("CMD", '["bash"]')),
        ("/bin/sh -c #(nop) ADD file:5d in / ", ("ADD", "file:5d in /")),
        ("/bin/sh -c apt-get update", ("RUN", "apt-get update")),
        ("RUN /bin/sh -c pip install x # buildkit", ("RUN", "pip install x")),
        ("RUN |1 V=2 /bin/sh -c make # buildkit", ("RUN", "make")),
        ("COPY app /app # buildkit", ("COPY", "app /app")),
        ("bash", ("", "bash")),
        ("", ("", "")),
    ],
)
def test_instructions_lose_what_builders_add(created_by, expected):
    assert instruction(created_by) == expected


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, שלום, نص and 🦀\tand\nlines", "plain, שלום, نص and 🦀\tand\nlines"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("\u2067a\u2069", "\\u2067a\\u2069"),
        ("\x1b[2J\x00\x7f\x9b", "\\u001b[2J\\u0000\\u007f\\u009b"),
        ("\ud800", "\\ud800"),
        ("a\u200db", "a\u200db"),
    ],
)
def test_what_would_hide_or_turn_text_is_written_out(text, shown):
    assert visible(text) == shown
