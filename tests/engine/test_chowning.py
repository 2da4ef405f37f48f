import io
import os

import pytest
from tests.images import Piece, tar

from lamina.engine.archives import ImportRequest
from lamina.engine.chowning import give_away, owner_in
from lamina.engine.engine import Engine
from lamina.engine.volume_mounts import MountInvalid
from lamina.spec.bundle import UserUnknown

PASSWD = b"root:x:0:0::/root:/bin/sh\napp:x:1001:1002::/:/bin/sh\n"


def test_the_images_own_lists_say_who_a_user_is(engine: Engine):
    pieces = [Piece("etc/", directory=True), Piece("etc/passwd", PASSWD)]
    engine.images.import_(io.BytesIO(tar(pieces)), ImportRequest(name="i"))
    pile = engine.images.resolve("i").config.diff_ids
    assert owner_in(engine, pile, "app") == (1001, 1002)
    assert owner_in(engine, pile, "") == (0, 0)
    assert owner_in(engine, pile, "7:8") == (7, 8)
    with pytest.raises(UserUnknown):
        owner_in(engine, pile, "nosuch")
    assert owner_in(engine, (), "7") == (7, 0)


@pytest.mark.root
def test_everything_below_changes_its_owner_and_no_link_is_followed(tmp_path):
    outside = tmp_path / "outside"
    outside.write_text("")
    folder = tmp_path / "own"
    (folder / "deep/er").mkdir(parents=True)
    (folder / "deep/er/file").write_text("")
    (folder / "link").symlink_to(outside)
    give_away(str(folder), 1001, 1002)
    for path in (
        folder,
        folder / "deep",
        folder / "deep/er",
        folder / "deep/er/file",
        folder / "link",
    ):
        assert (path.lstat().st_uid, path.lstat().st_gid) == (1001, 1002)
    assert outside.stat().st_uid == 0


def test_folders_of_the_machine_and_of_others_stay(tmp_path):
    (tmp_path / "link").symlink_to("/usr")
    for path in ("/", "/usr/", str(tmp_path / "link")):
        with pytest.raises(MountInvalid, match="the whole machine uses it"):
            give_away(path, os.getuid(), os.getgid())
