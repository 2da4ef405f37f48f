"""Waste of stacks whose waste is known to the byte."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from tests.layer.changesets import Piece, changesets
from tests.layer.test_view import ROOT, file, folder, stackable, whited
from tests.study.piles import Items, pile

from lamina.layer.entry import Entry, Kind
from lamina.study.causes import Cause
from lamina.study.waste import Waste, hidden_sizes, waste

LOW: Items = [
    ROOT, folder(b"a"), file(b"a/changed", b"c" * 1000), file(b"a/removed", b"r" * 200),
    file(b"a/marked", b"m" * 30), file(b"a/again", b"g" * 4), file(b"a/kept", b"k" * 50_000),
    folder(b"tree"), folder(b"tree/deep"), file(b"tree/deep/one", b"1" * 600), file(b"tree/two", b"2" * 70),
    file(b"empty"),
]  # fmt: skip
HIGH: Items = [
    ROOT, folder(b"a"), file(b"a/changed", b"C" * 900), file(b"a/.wh.removed"),
    (Entry(b"a/marked", Kind.FILE, 0o600), b"m" * 30), file(b"a/again", b"g" * 4), file(b".wh.tree"),
]  # fmt: skip


def told(found: Waste) -> list[tuple[bytes, int, Cause, int, int]]:
    return [(one.path, one.size, one.cause, one.number, one.hidden_by) for one in found.files]


def test_what_later_layers_hide_is_counted_to_the_byte(tmp_path: Path):
    with pile(tmp_path, LOW, HIGH) as layers:
        found = waste(layers)
    assert told(found) == [
        (b"a/again", 4, Cause.REPEATED, 1, 2),
        (b"a/changed", 1000, Cause.OVERWRITTEN, 1, 2),
        (b"a/marked", 30, Cause.COPIED, 1, 2),
        (b"a/removed", 200, Cause.DELETED, 1, 2),
        (b"tree/deep/one", 600, Cause.DELETED, 1, 2),
        (b"tree/two", 70, Cause.DELETED, 1, 2),
    ]
    assert found.files[3].note == b"a/removed"
    assert found.files[5].note == b"tree"
    assert found.total == 51_904 + 934
    assert found.visible == found.total - 1904
    assert found.size == 1904
    assert found.efficiency == found.visible / found.total


def test_a_stack_without_waste_says_so(tmp_path: Path):
    with pile(tmp_path, LOW, [ROOT, file(b"new", b"n")]) as layers:
        found = waste(layers)
    assert (found.files, found.efficiency, found.size) == ((), 1.0, 0)
    with pile(tmp_path / "bare", [ROOT]) as layers:
        assert waste(layers).efficiency == 1.0


def test_a_file_of_two_names_is_wasted_when_the_last_goes(tmp_path: Path):
    low: Items = [ROOT, file(b"one", b"x" * 500), Entry(b"two", Kind.HARDLINK, link=b"one")]
    with pile(tmp_path / "a", low, [ROOT, file(b".wh.one")]) as layers:
        assert waste(layers).files == ()
    with pile(tmp_path / "b", low, [ROOT, file(b".wh.one")], [ROOT, file(b".wh.two")]) as layers:
        assert told(waste(layers)) == [(b"two", 500, Cause.DELETED, 1, 3)]


def test_a_file_that_changes_again_and_again_is_wasted_each_time(tmp_path: Path):
    stack: list[Items] = [[ROOT, file(b"log", b"x" * size)] for size in (10, 20, 30, 40)]
    with pile(tmp_path, *stack) as layers:
        found = waste(layers)
    assert [(one.size, one.number, one.hidden_by) for one in found.files] == [
        (10, 1, 2), (20, 2, 3), (30, 3, 4),
    ]  # fmt: skip
    assert found.efficiency == pytest.approx(0.4)


def test_caches_are_named_with_their_package_manager(tmp_path: Path):
    low: Items = [
        ROOT, folder(b"var"), folder(b"var/lib"), folder(b"var/lib/apt"), folder(b"var/lib/apt/lists"),
        file(b"var/lib/apt/lists/x_Packages", b"p" * 77), folder(b"root"), folder(b"root/.cache"),
        folder(b"root/.cache/pip"), folder(b"root/.cache/pip/http"), file(b"root/.cache/pip/http/w", b"w" * 5),
        Entry(b"root/.cache/pip/http/v", Kind.HARDLINK, link=b"root/.cache/pip/http/w"),
    ]  # fmt: skip
    with pile(tmp_path, low) as layers:
        found = waste(layers)
    assert [(one.path, one.size, one.cause, one.note, one.hidden_by) for one in found.files] == [
        (b"root/.cache/pip/http/v", 5, Cause.CACHE, b"pip", 0),
        (b"var/lib/apt/lists/x_Packages", 77, Cause.CACHE, b"apt", 0),
    ]
    assert found.efficiency == 1.0  # they are seen


def test_what_a_cache_lost_later_is_deleted_and_no_cache(tmp_path: Path):
    low: Items = [ROOT, folder(b"root"), folder(b"root/.npm"), folder(b"root/.npm/_cacache"),
                  file(b"root/.npm/_cacache/x", b"x" * 9)]  # fmt: skip
    with pile(tmp_path, low, [ROOT, folder(b"root"), file(b"root/.wh..npm")]) as layers:
        assert told(waste(layers)) == [(b"root/.npm/_cacache/x", 9, Cause.DELETED, 1, 2)]


@given(changesets(), whited(), whited())
def test_what_is_hidden_is_the_same_without_looking_why(
    one: list[Piece], two: list[Piece], three: list[Piece]
):
    stack = [stackable(items) for items in (one, two, three)]
    with tempfile.TemporaryDirectory() as name, pile(Path(name), *stack) as layers:
        found = waste(layers)
        sizes = hidden_sizes(layers)
        seen = (Cause.CACHE, Cause.DUPLICATE, Cause.ZEROS)
        for number, size in enumerate(sizes, 1):
            rows = [row for row in found.files if row.number == number and row.cause not in seen]
            assert size == sum(row.size for row in rows)
        assert sum(sizes) == found.total - found.visible
