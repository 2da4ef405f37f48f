"""Hard links into lower layers, and directories that only they describe."""

import os
from pathlib import Path

import pytest
from tests.layer.trees import erofs, gnu_tar, sealed, tar_of

from lamina.layer.entry import Entry, Kind
from lamina.layer.sealed import SealedLayer

ROOT = Entry(b"", Kind.DIRECTORY, 0o755)


def link(path: bytes, target: bytes) -> Entry:
    return Entry(path, Kind.HARDLINK, link=target)


def file(path: bytes) -> Entry:
    return Entry(path, Kind.FILE)


def content(layer: SealedLayer, path: bytes) -> bytes:
    node = layer.lookup(path)
    assert node is not None, path
    return layer.read(node)


def test_a_link_before_an_entry_of_its_targets_name_means_the_lower_layers_file(tmp_path: Path):
    low = tar_of([ROOT, (file(b"f"), b"old")])
    high = tar_of([ROOT, link(b"kept", b"f"), (file(b"f"), b"new"), link(b"also", b"f")])
    with sealed(tmp_path / "low", low) as below, sealed(tmp_path / "high", high, [below]) as layer:
        assert content(layer, b"kept") == b"old"
        assert content(layer, b"f") == content(layer, b"also") == b"new"
        assert layer.needs_parents


def test_links_to_two_names_of_a_lower_layers_file_share_one_inode(tmp_path: Path):
    low = tar_of([ROOT, (file(b"f"), b"x" * 4000), link(b"g", b"f")])
    high = tar_of([ROOT, link(b"one", b"f"), link(b"two", b"g")])
    with sealed(tmp_path / "low", low) as below, sealed(tmp_path / "high", high, [below]) as layer:
        nodes = [layer.lookup(name) for name in (b"one", b"two")]
        assert len({node.nid for node in nodes if node}) == 1


@pytest.mark.root
def test_a_link_to_a_lower_layers_sparse_file_keeps_its_holes(tmp_path: Path):
    source = tmp_path / "source"
    source.mkdir()
    with (source / "hole").open("wb") as hole:
        hole.write(b"start")
        hole.seek((1 << 34) + 100)
        hole.write(b"end")
    low = gnu_tar(source, "--format=posix", "--sparse")
    high = tar_of([ROOT, link(b"linked", b"hole")])
    with (
        sealed(tmp_path / "low", low) as below, sealed(tmp_path / "high", high, [below]) as layer,
        erofs(layer, tmp_path / "mount") as mount,
    ):  # fmt: skip
        assert os.stat(tmp_path / "high").st_blocks * 512 < 1 << 21
        for root in (mount, source):
            with next(root.iterdir()).open("rb") as body:
                assert body.read(5) == b"start"
                body.seek(1 << 34)
                assert body.read() == bytes(100) + b"end"


def test_a_deep_directory_that_is_not_listed_takes_what_the_topmost_layer_says(tmp_path: Path):
    path = b"/".join([b"d"] * 500)
    known = [
        Entry(path[: 2 * depth - 1], Kind.DIRECTORY, 0o700, uid=depth) for depth in (1, 200, 499)
    ]
    with (
        sealed(tmp_path / "one", tar_of([ROOT, *known])) as one,
        sealed(tmp_path / "two", tar_of([ROOT, known[1]._replace(mode=0o711)]), [one]) as two,
        sealed(tmp_path / "top", tar_of([ROOT, file(path + b"/f")]), [one, two]) as top,
    ):
        found = [top.lookup(entry.path) for entry in known]
        modes = [(node.mode, node.uid) for node in found if node is not None]
        assert modes == [(0o700, 1), (0o711, 200), (0o700, 499)]
