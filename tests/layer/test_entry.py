"""Paths as layers say them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.layer.entry import Entry, EntryInvalid, Kind, normal_path


@given(st.lists(st.sampled_from([b"a", b".", b"..", b"", b"x y", b"\xff"]), max_size=8))
def test_a_normal_path_stays_inside_and_is_its_own_normal_form(parts: list[bytes]):
    try:
        path = normal_path(b"/".join(parts))
    except EntryInvalid:
        return
    assert normal_path(path) == path
    assert not path.startswith(b"/")
    assert b".." not in path.split(b"/")


@pytest.mark.parametrize("path", [b"..", b"a/../..", b"/../x", b"a\0b", b"n" * 256])
def test_a_path_that_leaves_the_root_or_cannot_be_is_invalid(path: bytes):
    with pytest.raises(EntryInvalid):
        normal_path(path)


def test_an_error_shows_a_long_path_shortened():
    with pytest.raises(EntryInvalid) as caught:
        normal_path(b"\0" + b"x" * 5000)
    assert len(str(caught.value)) < 300


def test_an_entry_is_a_plain_file_unless_it_says_otherwise():
    entry = Entry(b"f", Kind.FILE)
    assert (entry.mode, entry.uid, entry.size, entry.xattrs, entry.segments) == (
        0o644,
        0,
        0,
        (),
        (),
    )
    assert entry._replace(uid=5) == Entry(b"f", Kind.FILE, uid=5)
