"""Runs of paths: all that a layer has, in its order, and no tree that has no end."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from tests.layer.changesets import Piece
from tests.layer.test_sealed import SAMPLE, forged, place_of
from tests.layer.test_view import stackable, whited
from tests.layer.trees import sealed, tar_of

from lamina.errors import Corrupt
from lamina.layer.sealed import SealedLayer
from lamina.layer.view import Tree
from lamina.study.runs import layer_runs, runs


@given(whited())
def test_the_runs_of_a_layer_are_what_its_tree_shows(items: list[Piece]):
    with (
        tempfile.TemporaryDirectory() as name,
        sealed(Path(name, "l"), tar_of(stackable(items))) as layer,
    ):
        shown = [(path, node.nid, node.kind) for path, node in Tree.of([layer]).walk() if path]
        for found in (runs(1, layer.root, b""), layer_runs(layer)):
            assert found is not None
            rows = [row for run in found for row in run.nodes()]
            assert [(path, node.nid, node.kind) for path, node in rows] == shown


def test_a_directory_that_is_inside_itself_is_corrupt(tmp_path: Path):
    path = tmp_path / "layer"
    sealed(path, tar_of(SAMPLE)).close()
    with SealedLayer.open(str(path)) as layer:
        root = layer.root.nid
    at = place_of(path, b"many")
    bad = forged(path, tmp_path, {at: root & 0xFF, at + 1: root >> 8})
    with SealedLayer.open(str(bad)) as layer, pytest.raises(Corrupt, match="two places"):
        list(runs(1, layer.root, b""))
