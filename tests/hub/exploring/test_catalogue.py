"""All paths of an image: found by a part of them, and each directory's weight."""

import re
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.hub.exploring.images import HOSTILE, file, folder, gone
from tests.study.piles import Items, pile

from lamina.hub.exploring.catalogue import Row, catalogue_of, search, weights

TEXTS = st.text("aBbcC/\t1 \n", min_size=1, max_size=9).map(str.encode)


@pytest.fixture
def catalogue(tmp_path: Path) -> bytes:
    low: Items = [
        folder(b"etc"), file(b"etc/Passwd", b"12345"), file(b"etc/" + HOSTILE, b"1"),
        folder(b"etc/ssl"), file(b"etc/ssl/cert", b"1234567"), folder(b"etcetera"),
        file(b"etcetera/x", b"123"), file(b"f 1 1", b""),
    ]  # fmt: skip
    high: Items = [
        folder(b"etc"),
        folder(b"etc/ssl"),
        gone(b"etc/ssl/cert"),
        file(b"etc/ssl/new", b"12"),
    ]
    with ExitStack() as stack:
        return catalogue_of(stack.enter_context(pile(tmp_path, low, high)))


def found(catalogue: bytes, words: bytes) -> list[bytes]:
    return [row.path for row in search(catalogue, words, limit=100).rows]


def test_paths_are_found_by_a_part_whatever_the_capitals(catalogue: bytes) -> None:
    assert search(catalogue, b"PASSW", limit=9).rows == (Row("f", 5, 1, b"etc/Passwd"),)
    assert found(catalogue, b"/ssl/n") == [b"etc/ssl/new"]
    assert found(catalogue, b"cert") == []


def test_stars_and_question_marks_stand_for_anything(catalogue: bytes) -> None:
    assert found(catalogue, b"etc/*new") == [b"etc/ssl/new"]
    assert found(catalogue, b"n?w") == [b"etc/ssl/new"]
    assert found(catalogue, b"etc?ssl") == []
    assert found(catalogue, b"*") == []


def test_many_stars_take_no_longer_than_one_of_them() -> None:
    long = b"usr/share/" + b"a" * 4000 + b"/end"
    here = b"".join(b"f 1 1\t%s%d\0" % (long, number) for number in range(200))
    assert not search(here, b"?*" * 90 + b"nowhere", limit=9).rows  # took longer than anyone lives
    assert not search(here, b"a*" * 90 + b"b", limit=9).rows
    assert [row.path for row in search(here, b"a*" * 90 + b"end77", limit=9).rows] == [long + b"77"]


def test_pieces_come_one_after_the_other_and_do_not_overlap(catalogue: bytes) -> None:
    assert found(catalogue, b"new*ssl") == []
    assert found(catalogue, b"ss*sl") == []
    assert found(catalogue, b"s*sl") == [b"etc/ssl", b"etc/ssl/new"]


def test_a_match_is_found_wherever_a_long_list_is_cut() -> None:
    names = [b"%06d-%s" % (number, b"x" * (number % 97)) for number in range(9000)]
    here = b"".join(b"f 1 1\t%s\0" % name for name in names)
    assert [row.path for row in search(here, b"0*-", limit=9999).rows] == names
    assert [row.path for row in search(here, b"*8999-", limit=9).rows] == [names[-1]]


def test_what_stands_before_a_path_is_not_searched(catalogue: bytes) -> None:
    assert found(catalogue, b"f 1 1") == [b"f 1 1"]
    assert found(catalogue, b"d 10") == []


def test_hostile_names_are_found_like_others(catalogue: bytes) -> None:
    assert found(catalogue, b"<IMG") == [b"etc/" + HOSTILE]
    assert found(catalogue, b"(.*)+[") == []


def test_a_search_stops_at_its_limit_and_says_so(catalogue: bytes) -> None:
    assert search(catalogue, b"etc", limit=2).has_more
    assert not search(catalogue, b"etc", limit=50).has_more


def test_a_directory_weighs_what_all_files_below_it_do(catalogue: bytes) -> None:
    assert weights(catalogue, [b"etc", b"etcetera"]) == {b"etc": 8, b"etcetera": 3}
    assert weights(catalogue, [b"etc/ssl"]) == {b"etc/ssl": 2}
    assert weights(catalogue, [b"etc", b"nowhere", b"etcetera"]) == {b"etc": 8, b"etcetera": 3}


def test_a_name_that_ends_as_another_row_does_is_not_taken_for_it() -> None:
    rows = [b"f 9 1\ta\tetc/ssl", b"d 3 1\tetc", b"d 3 1\tetc/ssl", b"f 3 1\tetc/ssl/x"]
    catalogue = b"d 12 1\t\0" + b"".join(row + b"\0" for row in rows)
    assert weights(catalogue, [b"etc/ssl"]) == {b"etc/ssl": 3}


def test_a_weight_is_found_wherever_a_long_list_is_read_in_pieces() -> None:
    names = [b"%05d%s" % (number, b"x" * (number % 97)) for number in range(9000)]
    catalogue = b"".join(b"d %d 1\t%s\0" % (number, name) for number, name in enumerate(names))
    assert weights(catalogue, names) == {name: number for number, name in enumerate(names)}


@given(paths=st.sets(TEXTS, max_size=8), wanted=st.text("aBc/?*\t1 ", max_size=6).map(str.encode))
@example(paths={b"ab"}, wanted=b"?*?*?")
def test_a_search_finds_what_a_pattern_for_all_of_it_would(
    paths: set[bytes], wanted: bytes
) -> None:
    pieces = wanted.strip(b"/").split(b"*")
    whole = b".*".join(re.escape(piece).replace(rb"\?", b"[^/]") for piece in pieces)
    expected = [
        path
        for path in sorted(paths)
        if any(pieces) and re.search(whole, path, re.IGNORECASE | re.DOTALL)
    ]
    catalogue = b"".join(b"f 1 1\t%s\0" % path for path in sorted(paths))
    assert found(catalogue, wanted) == expected
