"""Disk use: what is shared counts once."""

import pytest
from tests.engine.worlds import ran

pytestmark = pytest.mark.root


def test_disk_use_counts_shared_layers_once(engine, base):
    container = ran(engine, "echo x > /f")
    engine.commit(container, "app")
    use = engine.system.df()
    sizes = {image.names[0].rpartition("/")[2]: image for image in use.images}
    app, lower = sizes["app:latest"], sizes["base:latest"]
    assert app.shared == lower.shared > 0
    assert use.layers_size == app.shared + app.unique + lower.unique
    assert lower.containers == 1
    assert app.containers == 0
    assert use.images_reclaimable == app.unique
    assert [row.id for row in use.containers] == [container]
