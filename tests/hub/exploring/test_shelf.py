"""Blobs of what was found, as files that are read quickly; as many as there is room for."""

from pathlib import Path

import pytest
from tests.hub.exploring.images import BOTTOM
from tests.layer.trees import sealed_with

from lamina.errors import Corrupt
from lamina.hub.exploring.shelf import Shelf
from lamina.layer.hollow import pack
from lamina.spec.digest import Digest
from lamina.stream.codec import compressor


@pytest.fixture
def packed(tmp_path: Path) -> bytes:
    layer, _ = sealed_with(tmp_path / "sealed", BOTTOM)
    with layer:
        return pack(layer, lambda _: False)


class Fetched:
    """Gives one blob, and counts."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.count = 0

    def __call__(self, _: Digest) -> bytes:
        self.count += 1
        return self.data


def test_an_index_is_fetched_once_and_again_when_its_file_is_damaged(
    tmp_path: Path, packed: bytes
) -> None:
    shelf, fetch, digest = Shelf(str(tmp_path / "shelf")), Fetched(packed), Digest.of(packed)
    for _ in range(2):
        with shelf.layer(digest, fetch) as layer:
            assert layer.lookup(b"srv/large") is not None
    assert fetch.count == 1
    Path(shelf.index(digest, fetch)).write_bytes(b"?")
    with shelf.layer(digest, fetch) as layer:
        assert layer.lookup(b"srv/large") is not None
    assert fetch.count == 2


def test_a_list_of_paths_is_kept_unpacked(tmp_path: Path) -> None:
    machine = compressor("zstd")
    data = machine.compress(b"d 0 1\t\0") + machine.flush()
    shelf, fetch = Shelf(str(tmp_path / "shelf")), Fetched(data)
    for _ in range(2):
        with shelf.paths(Digest.of(data), fetch) as found:
            assert found[:] == b"d 0 1\t\0"
    assert fetch.count == 1


def test_what_was_not_used_for_longest_goes_first(tmp_path: Path, packed: bytes) -> None:
    shelf, fetch = Shelf(str(tmp_path / "shelf"), limit=1), Fetched(packed)
    shelf.index(Digest.of(b"first"), fetch)
    for number in range(64):
        shelf.index(Digest.of(b"%d" % number), fetch)
    shelf.index(Digest.of(b"first"), fetch)
    assert fetch.count == 66


def test_what_is_no_index_is_refused(tmp_path: Path) -> None:
    shelf = Shelf(str(tmp_path / "shelf"))
    with pytest.raises(Corrupt), shelf.layer(Digest.of(b"?"), Fetched(b"?")):
        pass
