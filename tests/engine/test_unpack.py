import io
import os
from pathlib import Path

import pytest
from tests.images import Piece, tar

from lamina.engine.unpack import unpack
from lamina.errors import Invalid, LaminaError


def put(folder: Path, *pieces: Piece, **facts) -> int:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        return unpack(io.BytesIO(tar(pieces)), fd, **facts)
    finally:
        os.close(fd)


def test_files_folders_and_links_arrive_with_mode_and_time(tmp_path):
    pieces = (
        Piece("d/", directory=True, mode=0o750, mtime=1_600_000_000.5),
        Piece("d/f", b"body" * 100_000, 0o640),
        Piece("d/link", link="/etc/passwd"),
        Piece("d/hard", hard="d/f"),
        Piece("deep/er/g", b"x"),
    )
    assert put(tmp_path, *pieces) == 5
    assert (tmp_path / "d/f").read_bytes() == b"body" * 100_000
    assert (tmp_path / "d").stat().st_mtime == 1_600_000_000.5
    assert os.readlink(tmp_path / "d/link") == "/etc/passwd"
    assert (tmp_path / "d/hard").stat().st_ino == (tmp_path / "d/f").stat().st_ino


@pytest.mark.parametrize("path", ["../out", "/../out", "a/../../out"])
def test_a_path_that_leaves_the_folder_is_refused(tmp_path, path: str):
    (tmp_path / "in").mkdir()
    with pytest.raises(LaminaError, match="leaves the root"):
        put(tmp_path / "in", Piece(path, b"x"))
    assert os.listdir(tmp_path) == ["in"]


def test_a_symlink_on_the_way_is_not_followed_on_this_machine(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    with pytest.raises(Invalid, match="cannot unpack into"):
        put(tmp_path / "in", Piece("s", link="../out"), Piece("s/f", b"x"))
    assert os.listdir(tmp_path / "out") == []


def test_inside_a_container_a_symlink_leads_where_its_root_says(tmp_path):
    root = tmp_path / "root"
    (root / "data").mkdir(parents=True)
    (root / "link").symlink_to("/data")
    fd = os.open(root, os.O_PATH)
    put(root, Piece("link/f", b"x"), root=fd, base="/")
    os.close(fd)
    assert (root / "data/f").read_bytes() == b"x"


def test_an_existing_symlink_is_replaced_and_its_target_left_alone(tmp_path):
    (tmp_path / "target").write_text("old")
    (tmp_path / "f").symlink_to(tmp_path / "target")
    put(tmp_path, Piece("f", b"new"))
    assert (tmp_path / "target").read_text() == "old"
    assert (tmp_path / "f").read_text() == "new"


def test_a_folder_and_a_file_do_not_replace_each_other(tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "f").write_text("")
    with pytest.raises(Invalid, match="cannot overwrite directory"):
        put(tmp_path, Piece("d", b"x"))
    with pytest.raises(Invalid, match="cannot overwrite non-directory"):
        put(tmp_path, Piece("f/", directory=True))


def test_the_first_name_can_be_another(tmp_path):
    put(
        tmp_path,
        Piece("a/", directory=True),
        Piece("a/f", b"x"),
        Piece("ab", b"y"),
        rename=("a", "z"),
    )
    assert sorted(os.listdir(tmp_path)) == ["ab", "z"]
    put(tmp_path, Piece("a/", directory=True), Piece("a/g", b"x"), rename=("a", ""))
    assert "g" in os.listdir(tmp_path)


def test_a_tar_cut_short_is_an_error(tmp_path):
    data = tar([Piece("f", b"x" * 5000)])[:2000]
    fd = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(Exception, match=r"tar|end"):
        unpack(io.BytesIO(data), fd)
    os.close(fd)
