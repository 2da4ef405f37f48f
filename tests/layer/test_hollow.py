"""A layer without its files' content answers what the whole one does."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.layer.trees import sealed_with, tar_of

from lamina.errors import Corrupt, LaminaError
from lamina.layer.entry import Entry, Kind
from lamina.layer.hollow import ContentLeftOut, HollowLayer, pack, remove, unpack
from lamina.layer.view import Tree


def _file(path: bytes, body: bytes) -> tuple[Entry, bytes]:
    return Entry(path, Kind.FILE, 0o644, 0, 0, len(body), 0), body


def _layer(folder: Path, *items: Entry | tuple[Entry, bytes]) -> bytes:
    layer, _ = sealed_with(folder / "whole", tar_of(items))
    with layer:
        return pack(layer, lambda path: path.startswith(b"keep/"), notes=b"noted")


@pytest.fixture
def packed(tmp_path: Path) -> bytes:
    return _layer(
        tmp_path,
        Entry(b"keep", Kind.DIRECTORY, 0o755, 0, 0, 0, 0),
        _file(b"keep/list", b"kept content"),
        _file(b"large", os.urandom(300_000)),
        _file(b"same", b"one"),
        _file(b"twin", b"one"),
        _file(b"other", b"two"),
        _file(b"empty", b""),
        Entry(b"link", Kind.SYMLINK, 0o777, 0, 0, 0, 0, b"/" + b"a" * 3000),
    )


def test_it_lists_what_the_whole_layer_lists(tmp_path: Path, packed: bytes) -> None:
    unpack(packed, str(tmp_path / "hollow"))
    with HollowLayer.open(str(tmp_path / "hollow")) as hollow:
        found = {path: (node.kind, node.size) for path, node in Tree.of([hollow]).walk()}
        link = hollow.lookup(b"link")
        assert link is not None
        assert link.target == b"/" + b"a" * 3000
        assert hollow.notes == b"noted"
    assert found[b"large"] == (Kind.FILE, 300_000)
    assert sorted(found) == sorted(
        [b"", b"empty", b"keep", b"keep/list", b"large", b"link", b"other", b"same", b"twin"]
    )
    assert len(packed) < 10_000  # of 300,000 that do not compress


def test_content_that_is_kept_is_read_and_other_content_is_refused(
    tmp_path: Path, packed: bytes
) -> None:
    unpack(packed, str(tmp_path / "hollow"))
    with HollowLayer.open(str(tmp_path / "hollow")) as hollow:
        kept, left, empty = (hollow.lookup(one) for one in (b"keep/list", b"large", b"empty"))
        assert kept is not None
        assert left is not None
        assert empty is not None
        assert hollow.read(kept) == b"kept content"
        assert hollow.read(empty) == b""
        with pytest.raises(ContentLeftOut):
            hollow.read(left, 5, 10)


def test_digests_tell_contents_apart(tmp_path: Path, packed: bytes) -> None:
    unpack(packed, str(tmp_path / "hollow"))
    with HollowLayer.open(str(tmp_path / "hollow")) as hollow:
        nodes = [hollow.lookup(name) for name in (b"same", b"twin", b"other")]
        same, twin, other = (hollow.digest(node) for node in nodes if node is not None)
        root = hollow.digest(hollow.root)
    assert same == twin != other
    assert root is None


def test_the_same_layer_gives_the_same_bytes(tmp_path: Path) -> None:
    items = (_file(b"a", b"1"), _file(b"keep/b", b"2"))
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    assert _layer(tmp_path / "one", *items) == _layer(tmp_path / "two", *items)


def test_removing_takes_all_of_it(tmp_path: Path, packed: bytes) -> None:
    unpack(packed, str(tmp_path / "hollow"))
    remove(str(tmp_path / "hollow"))
    remove(str(tmp_path / "hollow"))
    assert os.listdir(tmp_path) == ["whole"]


def test_a_hollow_layer_whose_digests_are_gone_is_corrupt(tmp_path: Path, packed: bytes) -> None:
    unpack(packed, str(tmp_path / "hollow"))
    (tmp_path / "hollow.sums").unlink()
    with pytest.raises(Corrupt, match="digests are gone"):
        HollowLayer.open(str(tmp_path / "hollow"))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damaged_bytes_are_refused_in_words_or_read_as_damaged(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    whole = bytearray(_layer(folder, _file(b"keep/a", b"kept"), _file(b"b", b"left")))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.integers(0, len(whole)))
    for damaged in (bytes(whole), bytes(whole[:cut])):
        try:
            unpack(damaged, str(folder / "hollow"))
            with HollowLayer.open(str(folder / "hollow")) as hollow:
                list(hollow.walk())
        except LaminaError:
            continue
