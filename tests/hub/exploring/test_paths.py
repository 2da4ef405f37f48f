"""Paths that anyone may have chosen lead back to their very bytes, and are shown without their tricks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.hub.exploring.paths import asked, crumbs, link, path_of, shown, whole_number


@given(
    st.lists(
        st.binary(min_size=1).filter(lambda part: b"/" not in part and part not in (b".", b"..")),
        max_size=4,
    )
)
def test_a_link_leads_back_to_the_same_bytes(parts: list[bytes]):
    path = b"/".join(parts)
    query = link("/a/-/files/v1", path, {"layer": 3, "page": 0}).partition("?")[2]
    assert query.isascii()
    found = asked(query)
    assert path_of(found["path"]) == path
    assert found["layer"] == "3"
    assert "page" not in found


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/etc//passwd/", b"etc/passwd"),
        ("../../etc", b"etc"),
        ("a/./b/../c", b"a/c"),
        ("\ud800", b"?"),
        ("", b""),
    ],
)
def test_what_people_type_is_a_path_in_the_image(text: str, path: bytes):
    assert path_of(text) == path


def test_what_is_no_letter_is_written_out():
    assert shown(b"a\xff\n\x1b[31m\xe2\x80\xae") == "a\\xff\\n\\u001b[31m\\u202e"
    assert crumbs(b"a/\xff") == [("a", b"a"), ("\\xff", b"a/\xff")]


def test_numbers_are_small_or_none():
    assert [whole_number(text) for text in ("7", "", "-1", "1e9", "٣", "1234567")] == [
        7,
        0,
        0,
        0,
        0,
        0,
    ]
