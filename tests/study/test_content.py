"""What only content tells: equal files, and zeros that could be holes."""

from contextlib import ExitStack
from pathlib import Path

from tests.layer.seeking import indexed, packed_by
from tests.layer.test_view import ROOT, file, folder
from tests.study.piles import Items, pile

from lamina.layer.entry import Entry, Kind
from lamina.layer.hollow import HollowLayer, pack, unpack
from lamina.study.causes import Cause
from lamina.study.lives import life
from lamina.study.waste import waste

LONG = b"beginning" + b"." * 200_000


def test_the_same_bytes_at_several_paths_are_there_once_for_nothing_else(tmp_path: Path):
    low: Items = [
        ROOT, folder(b"lib"), file(b"lib/b", b"same" * 40), file(b"lib/c", b"other" * 32),
        file(b"lib/long", LONG + b"1"), file(b"lib/alike", LONG + b"2"), file(b"none"), file(b"nil"),
        Entry(b"lib/name", Kind.HARDLINK, link=b"lib/c"),
    ]  # fmt: skip
    high: Items = [ROOT, file(b"a", b"same" * 40), file(b"z", LONG + b"1")]
    with pile(tmp_path, low, high) as layers:
        assert waste(layers).files == ()
        found = waste(layers, deep=True)
    assert [(one.path, one.size, one.cause, one.number, one.note) for one in found.files] == [
        (b"a", 160, Cause.DUPLICATE, 2, b"lib/b"),
        (b"z", len(LONG) + 1, Cause.DUPLICATE, 2, b"lib/long"),
    ]


def test_long_runs_of_zeros_are_counted_and_holes_are_not(tmp_path: Path):
    run = 64 * 1024
    low: Items = [
        ROOT, file(b"full", b"x" + bytes(run - 1) + bytes(3 * run) + b"y"), file(b"short", bytes(run - 1)),
    ]  # fmt: skip
    with pile(tmp_path, low) as layers:
        found = waste(layers, deep=True)
    assert [(one.path, one.size, one.cause) for one in found.files] == [
        (b"full", 3 * run, Cause.ZEROS)
    ]


def test_a_sparse_files_holes_cost_nothing(tmp_path: Path):
    sparse = Entry(
        b"hole", Kind.FILE, size=1 << 20, segments=((0, 0, 512), ((1 << 20) - 512, 512, 512))
    )
    with pile(tmp_path, [ROOT, (sparse, b"x" * 1024)]) as layers:
        assert waste(layers, deep=True).files == ()


def test_duplicates_are_found_by_digests_where_content_is_left_out(tmp_path: Path):
    low: Items = [
        ROOT,
        file(b"a", b"one" * 9),
        file(b"b", b"two" * 9),
        file(b"zeros", bytes(1 << 17)),
    ]
    high: Items = [ROOT, file(b"b", b"six" * 9), file(b"c", b"one" * 9)]
    with pile(tmp_path / "whole", low, high) as layers, ExitStack() as opened:
        whole = waste(layers, deep=True)
        hollow = []
        for number, layer in enumerate(layers):
            path = str(tmp_path / f"hollow{number}")
            unpack(pack(layer, lambda _: False), path)
            hollow.append(opened.enter_context(HollowLayer.open(path)))
        found = waste(hollow, deep=True)
    assert [one for one in whole.files if one.cause is not Cause.ZEROS] == list(found.files)
    assert [(one.path, one.cause) for one in found.files] == [
        (b"b", Cause.OVERWRITTEN),
        (b"c", Cause.DUPLICATE),
    ]


def test_contents_here_and_elsewhere_are_compared_by_digest_and_not_fetched(tmp_path: Path):
    low: Items = [ROOT, file(b"a", b"one" * 9), file(b"b", b"two" * 9), file(b"c", b"1" * 99)]
    high: Items = [ROOT, file(b"b", b"six" * 9), file(b"c", b"1" * 99), file(b"d", b"one" * 9)]
    with pile(tmp_path, low, high) as layers:
        whole = waste(layers, deep=True)
        made = indexed(layers[1], packed_by("zlib", b"".join(layers[1].tar())))
        with made.layer() as elsewhere:
            found = waste([layers[0], elsewhere], deep=True)
            story = [(one.change, one.aspects) for one in life([layers[0], elsewhere], b"b")]
        assert made.blob.asked == []
        assert found.files == whole.files
        assert story == [(one.change, one.aspects) for one in life(layers, b"b")]
