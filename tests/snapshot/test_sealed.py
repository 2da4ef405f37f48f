"""The sealed driver: lowers are the sealed files."""

import pytest
from tests.images import Piece, tar
from tests.snapshot.piles import seal

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
