"""What drivers keep beside the sealed layers is counted."""

import os

import pytest
from tests.images import Piece, tar
from tests.snapshot.piles import seal

from lamina.snapshot.layers import Layers
from lamina.snapshot.space import Space, space, tree_size
from lamina.store.disk import make


@pytest.fixture
def layers(tmp_path):
    return Layers(make(str(tmp_path / "root")).root)


def test_an_empty_root_keeps_nothing(layers):
    assert space(layers) == Space(0, 0, 0, 0)


def test_unpacked_directories_and_merged_layers_are_counted_with_their_bytes(layers):
    pile = seal(
        layers,
        tar([Piece("./", directory=True), Piece("a", bytes(5000))]),
        tar([Piece("./", directory=True), Piece("b", bytes(700))]),
    )

    def fill(place: str) -> None:
        with open(f"{place}/a", "wb") as file:
            file.write(bytes(5000))

    layers.directory(os.path.basename(layers.path(pile[:1])), fill)
    merged = layers.merged(pile)
    found = space(layers)
    assert (found.unpacked, found.unpacked_size) == (1, 5000)
    assert (found.merged, found.merged_size) == (1, os.stat(merged).st_blocks * 512)
    folder = layers.merged_directory(pile, lambda sealed, place: fill(place))
    blocks = os.stat(f"{folder}/a").st_blocks + os.stat(folder).st_blocks
    assert tree_size(folder) == blocks * 512
    assert tree_size(f"{folder}/none") == 0
    assert space(layers).unpacked_size == 5000 + blocks * 512


def test_a_damaged_layer_does_not_keep_anyone_from_counting(layers):
    pile = seal(layers, tar([Piece("./", directory=True), Piece("a", bytes(5000))]))
    path = layers.path(pile)
    layers.directory(os.path.basename(path), lambda place: None)
    with open(path, "r+b") as file:
        file.truncate(100)
    assert space(layers) == Space(1, 0, 0, 0)
