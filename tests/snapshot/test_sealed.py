"""The sealed driver: lowers are the sealed files."""

import pytest
from tests.images import Piece, tar
from tests.snapshot.piles import seal

from lamina.layer.sealed import SealedLayer
from lamina.layer.stack import Changed, Stack
from lamina.snapshot.checks import Checks
from lamina.snapshot.layers import Layers, LayerUnknown
from lamina.snapshot.sealed import SealedDriver
from lamina.spec.digest import Digest
from lamina.store.disk import make


def test_lowers_are_the_sealed_files_and_the_changes_are_the_upper_directory(tmp_path):
    layers = Layers(make(str(tmp_path)).root)
    low = tar([Piece("./", directory=True), Piece("etc/", directory=True)])
    pile = seal(layers, low, tar([Piece("etc/a", b"1")]))
    driver = SealedDriver(layers, Checks(str(tmp_path / "run")))
    lowers = driver.lowers(pile)
    assert [lower.path for lower in lowers] == [layers.path(pile[:1]), layers.path(pile)]
    assert all(lower.sealed for lower in lowers)
    assert [lower.diff_id for lower in lowers] == list(pile)
    assert driver.view(pile) == lowers
    assert driver.fill("/nowhere", pile) is True
    with driver.changed(Stack(lowers, "/up", "/work"), pile, 0) as upper:
        assert upper == Changed("/up", "trusted")
    with pytest.raises(LayerUnknown):
        driver.lowers((*pile, Digest.of(b"absent")))


def test_a_damaged_merged_layer_is_made_again_from_its_layers(tmp_path):
    layers = Layers(make(str(tmp_path)).root)
    tars = [tar([Piece("./", directory=True), Piece(f"f{n}", b"x")]) for n in range(5)]
    pile = seal(layers, *tars)
    driver = SealedDriver(layers, Checks(str(tmp_path / "run")), most=3)
    lowers = driver.lowers(pile)
    assert [lower.diff_id for lower in lowers] == list(pile[2:])
    with SealedLayer.open(lowers[0].path) as merged:
        where = merged.root.data_at + 20
    with open(lowers[0].path, "r+b") as file:
        file.seek(where)
        file.write(b"?!")
    assert driver.lowers(pile) == lowers
    with SealedLayer.open(lowers[0].path) as merged:
        merged.verify()
        assert [name for name, _ in merged.listdir(b"")] == [b"f0", b"f1", b"f2"]
