import io
import os

import pytest
from tests.images import Piece, tar

from lamina.engine.archives import ImportRequest
from lamina.engine.engine import Engine
from lamina.engine.points import changes, excluded_paths
from lamina.engine.requests import CreateRequest, VolumeMount

pytestmark = pytest.mark.root


def test_points_are_what_the_image_lacks_and_folders_made_for_them_alone(engine: Engine, tmp_path):
    image = tar([
        Piece("etc/", directory=True),
        Piece("etc/resolv.conf", link="/run/resolv"),
        Piece("proc/", directory=True),
    ])  # fmt: skip
    engine.images.import_(io.BytesIO(image), ImportRequest(name="bare"))
    mounts = tuple(VolumeMount("bind", str(tmp_path), at) for at in ("/a/b/c", "/d/e"))
    record = engine.containers.create(CreateRequest("bare", ("x",), mounts=mounts))
    upper = engine.snapshotter.stack(record.id).upper
    for path in ("a/b/c", "d/e", "run"):
        os.makedirs(f"{upper}/{path}")
    with open(f"{upper}/d/own", "w", encoding="ascii"):
        pass
    with open(f"{upper}/run/resolv", "w", encoding="ascii"):
        pass
    assert excluded_paths(engine, record) == {
        b"a", b"a/b", b"a/b/c", b"d/e", b"dev", b"sys", b"etc/hosts", b"etc/hostname",
        b"run", b"run/resolv",
    }  # fmt: skip
    assert [change.path for change in changes(engine, record)] == [b"d", b"d/own"]
