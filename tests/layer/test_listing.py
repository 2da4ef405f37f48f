"""Directories listed with their inodes: what the nodes say, in pieces, and nothing that is not checked."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from tests.layer.changesets import Piece, changesets
from tests.layer.test_sealed import SAMPLE, forged, place_of
from tests.layer.trees import sealed, tar_of

from lamina.layer.entry import Entry, Kind
from lamina.layer.erofs import INODE
from lamina.layer.listing import FORMS, listing
from lamina.layer.sealed import SealedLayer, SealedLayerCorrupt


@given(changesets())
def test_a_listing_says_what_the_nodes_say(items: list[Piece]):
    with tempfile.TemporaryDirectory() as name, sealed(Path(name, "l"), tar_of(items)) as layer:
        for _, directory in layer.walk():
            if directory.kind is not Kind.DIRECTORY:
                continue
            rows = [
                (name, nid, form, fields[2] & 0o7777, fields[4], fields[7], fields[11])
                for one in listing(layer, directory)
                for name, nid, form, fields in zip(
                    one.names, one.nids, one.forms, one.fields, strict=True
                )
            ]
            assert rows == [
                (name, node.nid, FORMS[node.kind], node.mode, node.size, node.uid, node.nlink)
                for name, node in layer.listdir(directory)
            ]
            bare = list(listing(layer, directory, inodes=False))
            assert [name for one in bare for name in one.names] == [row[0] for row in rows]
            assert not any(one.fields for one in bare)


def test_a_large_directory_comes_in_pieces(tmp_path: Path):
    many = [Entry(b"%06d" % number, Kind.FILE) for number in range(9000)]
    data = tar_of([Entry(b"", Kind.DIRECTORY, 0o755), *many])
    with sealed(tmp_path / "layer", data) as layer:
        pieces = list(listing(layer, layer.root))
        assert len(pieces) > 1
        assert max(len(one.names) for one in pieces) < 5000
        assert [name for one in pieces for name in one.names] == [entry.path for entry in many]
        assert [len(one.part(1, 3).fields) for one in pieces] == [2] * len(pieces)


def test_what_the_directory_says_wrongly_is_corrupt(tmp_path: Path):
    path = tmp_path / "layer"
    sealed(path, tar_of(SAMPLE)).close()
    at = place_of(path, b"file")
    with SealedLayer.open(str(path)) as layer:
        start = layer.root.data_at
        name_at = start + int.from_bytes(layer.index_bytes(at + 8, 2), "little")
        inode_at = layer.meta_at + 32 * dict(layer.listdir(b""))[b"file"].nid
        end = layer.meta_at + INODE.size
    for changes in (
        {at + 10: 2}, {at + 10: 6}, {at + 10: 99}, {name_at: ord("z")}, {name_at: ord("/")},
        {at + 2: 255, at + 3: 255}, {at: 255, at + 1: 255}, {inode_at: 0}, {inode_at + 40 + 3: 255},
    ):  # fmt: skip
        with (
            SealedLayer.open(str(forged(path, tmp_path, changes))) as layer,
            pytest.raises(SealedLayerCorrupt),
        ):
            list(listing(layer, layer.root))
    assert end > 0
