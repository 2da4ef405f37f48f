import io
import os

import pytest
from tests.images import Piece, tar

from lamina.engine.archives import ImportRequest
from lamina.engine.engine import Engine
from lamina.engine.volumes import volume_folder

PIECES = (
    Piece("data/", directory=True, mode=0o700, uid=99, gid=98),
    Piece("data/deep/", directory=True),
    Piece("data/deep/f", b"body", 0o640, uid=7, xattrs=(("user.kind", "deep"),)),
    Piece("data/s", link="deep/f"),
    Piece("file", b"x"),
)


@pytest.mark.root
def test_a_volume_takes_owner_mode_and_files_from_the_image_once(engine: Engine):
    engine.images.import_(io.BytesIO(tar(PIECES)), ImportRequest(name="i"))
    pile = engine.images.resolve("i").config.diff_ids
    data = volume_folder(engine, "v", pile=pile, target="/data")
    assert (os.stat(data).st_uid, os.stat(data).st_mode & 0o777) == (99, 0o711)
    assert os.stat(os.path.dirname(data)).st_mode & 0o777 == 0o700  # none but root may enter
    assert os.stat(f"{data}/deep/f").st_uid == 7
    assert os.getxattr(f"{data}/deep/f", "user.kind") == b"deep"
    assert os.readlink(f"{data}/s") == "deep/f"
    os.unlink(f"{data}/s")
    assert volume_folder(engine, "v", pile=pile, target="/data") == data
    assert os.listdir(data) == ["deep"]
    assert os.listdir(f"{engine.settings.root}/volumes") == ["v"]


@pytest.mark.root
def test_a_volume_where_the_image_has_no_folder_is_empty(engine: Engine):
    engine.images.import_(io.BytesIO(tar(PIECES)), ImportRequest(name="i"))
    pile = engine.images.resolve("i").config.diff_ids
    for number, target in enumerate(("/none", "/file")):
        assert os.listdir(volume_folder(engine, f"v{number}", pile=pile, target=target)) == []
