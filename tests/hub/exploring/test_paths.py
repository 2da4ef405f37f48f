"""Paths that anyone may have chosen lead back to their very bytes, and are shown without their tricks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.errors import Invalid
from lamina.hub.exploring.paths import (
    asked,
    check_names,
    crumbs,
    link,
    number_in,
    path_of,
    shown,
    words_in,
)


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


@pytest.mark.parametrize("text", ["abc", "-1", "1e9", "٣", "1234567890", "0x1", " 1", "0"])
def test_what_is_no_number_is_refused_and_named(text: str):
    """It counted as 0, which is all layers together."""
    with pytest.raises(Invalid, match=f"`page={text}` is no number from 1 on"):
        number_in({"page": text}, "page", least=1)


def test_numbers_that_are_not_there_are_the_least():
    assert [number_in({"page": "7", "layer": ""}, name, least=1) for name in ("page", "layer", "x")] == [7, 1, 1]  # fmt: skip
    assert number_in({"layer": "0"}, "layer", least=0) == 0


def test_names_that_nobody_answers_are_refused():
    check_names({"path": "a"}, ("path", "page"))
    with pytest.raises(Invalid, match="`sort` cannot be asked for here") as caught:
        check_names({"path": "a", "sort": "size"}, ("path", "page"))
    assert caught.value.hint == "what can: path, page"
    assert words_in({"q": f" {'a' * 200} "}) == "a" * 200
    with pytest.raises(Invalid, match="201 letters"):
        words_in({"q": "a" * 201})
