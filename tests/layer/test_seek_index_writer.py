"""Indexes that are written: the same each time, small, and without the tar."""

import subprocess
from pathlib import Path

from tests.layer.seeking import PACKERS, indexed, packed_by
from tests.layer.test_sealed import SAMPLE
from tests.layer.trees import sealed, tar_of

from lamina.layer.entry import Entry, Kind
from lamina.layer.view import Tree


def test_the_same_layer_and_blob_give_the_same_bytes(tmp_path: Path):
    data = tar_of(SAMPLE)
    layer = sealed(tmp_path / "a", data)
    again = sealed(tmp_path / "b", data)
    for name in PACKERS:
        blob = packed_by(name, data)
        assert indexed(layer, blob).file.data == indexed(again, blob).file.data


def test_content_is_not_in_the_index(tmp_path: Path):
    noise = bytes(range(256)) * 40_000
    data = tar_of([(Entry(b"f", Kind.FILE), noise)])
    made = indexed(sealed(tmp_path / "l", data), packed_by("plain", data), every=1 << 21)
    assert len(made.file.data) < 2000


def test_a_file_of_several_names_has_one_digest_and_a_directory_none(tmp_path: Path):
    data = tar_of(
        [
            Entry(b"d", Kind.DIRECTORY),
            (Entry(b"d/a", Kind.FILE), b"one"),
            Entry(b"d/b", Kind.HARDLINK, link=b"d/a"),
            Entry(b"s", Kind.SYMLINK, link=b"d"),
        ]
    )
    made = indexed(sealed(tmp_path / "l", data), packed_by("zlib", data))
    assert sum(row.files for row in made.index.digests) == 1
    with made.layer() as layer:
        tree = Tree.of([layer])
        first, second = tree.lookup(b"d/a"), tree.lookup(b"d/b")
        assert first is not None
        assert second is not None
        assert layer.digest(first) == layer.digest(second) is not None
        directory = tree.lookup(b"d")
        assert directory is not None
        assert layer.digest(directory) is None


def test_a_file_of_mere_holes_beyond_reason_has_no_digest(tmp_path: Path):
    folder = tmp_path / "tree"
    folder.mkdir()
    with (folder / "large").open("wb") as file:
        file.truncate(1 << 34)
    with (folder / "small").open("wb") as file:
        file.truncate(1 << 20)
        file.write(b"x")
    words = ["tar", "-C", str(folder), "-S", "--format=posix", "-c", "large", "small"]
    data = subprocess.run(words, capture_output=True, check=True).stdout
    made = indexed(sealed(tmp_path / "l", data), packed_by("zlib", data))
    with made.layer() as found:
        tree = Tree.of([found])
        large, small = tree.lookup(b"large"), tree.lookup(b"small")
        assert large is not None
        assert small is not None
        assert found.digest(large) is None
        assert found.digest(small) is not None
        assert found.read(small) == b"x" + bytes((1 << 20) - 1)
        assert found.read(large, (1 << 34) - 5) == bytes(5)
