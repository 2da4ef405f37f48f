"""Images that another tool wrote into the store."""

import shutil
import subprocess

import pytest
from tests.engine.worlds import make_engine
from tests.images import Piece, tar, write_layout


@pytest.fixture
def engine(tmp_path):
    return make_engine(tmp_path)


def test_image_that_skopeo_put_into_the_store_is_listed_and_read(engine, tmp_path):
    """The store is an OCI layout: what other tools write into it counts."""
    write_layout(tmp_path / "layout", [tar([Piece("f", b"1")])], tag="x")
    engine.store.names.all()
    assert shutil.which("skopeo")
    target = f"oci:{engine.settings.root}:docker.io/library/foreign:v1"
    subprocess.run(["skopeo", "copy", "-q", f"oci:{tmp_path}/layout:x", target], check=True)
    assert engine.images.resolve("foreign:v1").names == ("docker.io/library/foreign:v1",)
    assert [row.names for row in engine.images.list()] == [("docker.io/library/foreign:v1",)]
