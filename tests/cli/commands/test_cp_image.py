"""`lamina cp` out of an image: docker cp's rules, and no container made."""

import io
import os
from pathlib import Path

import pytest
from tests.cli.commands.reading import shelve
from tests.consoles import Console
from tests.images import Piece
from tests.trees import tree_of_tar

from lamina.engine.engine import Engine
from lamina.settings import Settings

NASTY = (
    Piece("dir/", directory=True, mode=0o751),
    Piece("dir/with", b"value", xattrs=(("user.origin", "here"),), mtime=1_600_000_000),
    Piece("dir/setuid", b"s", mode=0o4755, uid=1234, gid=5678),
    Piece("dir/one", b"same"),
    Piece("dir/two", hard="dir/one"),
    Piece("dir/out", link="/etc/passwd"),
)


@pytest.fixture
def cp(settings: Settings, engine: Engine) -> Console:
    return shelve(settings, engine, NASTY)


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_file_goes_into_a_folder_or_gets_a_new_name(cp: Console, tmp_path: Path):
    cp("cp", "shelf:1:/etc/conf", str(tmp_path))
    cp("cp", "shelf:1:/etc/conf", f"{tmp_path}/")
    cp("cp", "shelf:1:/etc/conf", f"{tmp_path}/other")
    assert (tmp_path / "conf").read_text() == (tmp_path / "other").read_text() == "high\n"
    assert (tmp_path / "conf").stat().st_mode & 0o777 == 0o600
    assert cp("ps", "-aq") == ""


def test_a_folder_goes_into_a_folder_or_becomes_one(cp: Console, tmp_path: Path):
    to = tmp_path / "to"
    to.mkdir()
    cp("cp", "shelf:1:/opt/gone", str(to))
    cp("cp", "shelf:1:/opt/gone", f"{to}/new")
    cp("cp", "shelf:1:/opt/gone/", f"{to}/slash/")
    cp("cp", "shelf:1:/opt/gone/.", f"{to}/gone")
    assert names(to) == ["gone", "gone/y", "new", "new/y", "slash", "slash/y"]


def test_the_whole_image_can_be_copied(cp: Console, tmp_path: Path):
    cp("cp", "shelf:1:/", f"{tmp_path}/whole")
    assert (tmp_path / "whole" / "etc" / "conf").read_text() == "high\n"
    assert not (tmp_path / "whole" / "etc" / "old").exists()
    cp("cp", "shelf:1:/", str(tmp_path))
    assert (tmp_path / "opt" / "gone" / "y").read_text() == "y"


def test_links_times_and_attributes_come_along(cp: Console, tmp_path: Path):
    cp("cp", "shelf:1:/dir", str(tmp_path))
    folder = tmp_path / "dir"
    assert folder.stat().st_mode & 0o777 == 0o751
    assert (folder / "one").stat().st_ino == (folder / "two").stat().st_ino
    assert os.readlink(folder / "out") == "/etc/passwd"
    assert (folder / "with").stat().st_mtime == 1_600_000_000
    assert os.getxattr(folder / "with", "user.origin") == b"here"
    assert (folder / "setuid").stat().st_mode & 0o7777 == 0o4755
    assert (folder / "setuid").stat().st_uid == os.getuid()


@pytest.mark.root
def test_owners_come_along_with_archive(cp: Console, tmp_path: Path):
    cp("cp", "-a", "shelf:1:/dir", str(tmp_path))
    found = (tmp_path / "dir" / "setuid").stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o7777) == (1234, 5678, 0o4755)


def test_a_symlink_is_copied_or_followed(cp: Console, tmp_path: Path):
    cp("cp", "shelf:1:/etc/link", f"{tmp_path}/link")
    assert os.readlink(tmp_path / "link") == "conf"
    cp("cp", "-L", "shelf:1:/etc/link", f"{tmp_path}/followed")
    assert (tmp_path / "followed").read_text() == "high\n"
    (tmp_path / "folder").mkdir()
    cp("cp", "-L", "shelf:1:/etc/link", f"{tmp_path}/folder")
    assert names(tmp_path / "folder") == ["link"]
    cp("cp", "shelf:1:/up/conf", f"{tmp_path}/through")
    assert (tmp_path / "through").read_text() == "high\n"


def test_a_dash_gives_a_tar_as_docker_names_its_entries(cp: Console):
    tree = tree_of_tar(io.BytesIO(raw(cp("cp", "shelf:1:/dir", "-"))))
    assert sorted(tree) == [
        b"dir", b"dir/one", b"dir/out", b"dir/setuid", b"dir/two", b"dir/with",
    ]  # fmt: skip
    assert tree[b"dir/one"].same == (b"dir/one", b"dir/two")
    assert tree[b"dir/with"].xattrs == (("user.origin", b"here"),)
    assert (tree[b"dir/setuid"].uid, tree[b"dir/setuid"].mode) == (1234, 0o4755)
    (one,) = tree_of_tar(io.BytesIO(raw(cp("cp", "shelf:1:/etc/conf", "-"))))
    assert one == b"conf"
    assert b"etc/conf" in tree_of_tar(io.BytesIO(raw(cp("cp", "shelf:1:/", "-"))))


def raw(text: str) -> bytes:
    return text.encode(errors="surrogateescape")


def test_names_of_registries_and_digests_are_images_too(cp: Console, tmp_path: Path):
    cp("tag", "shelf:1", "localhost:5000/a/b:tag")
    image_id = cp("images", "-q", "--no-trunc", "localhost:5000/a/b").strip()
    for number, name in enumerate(("localhost:5000/a/b:tag", image_id, "library/shelf:1")):
        cp("cp", f"{name}:/etc/conf", f"{tmp_path}/{number}")
        assert (tmp_path / str(number)).read_text() == "high\n"


def test_a_local_path_with_a_colon_is_no_image(cp: Console, tmp_path: Path):
    folder = tmp_path / "a" / "shelf:1:"
    folder.mkdir(parents=True)
    (folder / "file").write_text("local")
    outcome = cp.run("cp", f"{tmp_path}/a/shelf:1:/file", str(tmp_path))
    assert "must specify at least one container source" in outcome.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("shelf:1:/nosuch", "{}"), "shelf:1:/nosuch: No such file or directory"),
        (("nosuch:1:/etc", "{}"), "No such image: nosuch:1"),
        (("shelf:1:/etc/conf", "{}/no/such/x"), "does not exist"),
        (("shelf:1:/etc", "{}/file"), "cannot copy directory to file"),
        (("shelf:1:/etc/conf", "{}/none/"), "no such directory"),
        (("{}/file", "shelf:1:/etc"), "shelf:1 is an image, and images never change"),
        (("-", "shelf:1:/etc"), "`lamina run` a container on shelf:1"),
        (("shelf:1:/etc", "shelf:1:/opt"), "copying between containers is not supported"),
    ],
)
def test_what_cannot_be_copied_is_said(
    cp: Console, tmp_path: Path, words: tuple[str, str], said: str
):
    (tmp_path / "file").write_text("here")
    outcome = cp.run("cp", *(word.format(tmp_path) for word in words))
    assert outcome.code == 1
    assert said in outcome.err
    assert (tmp_path / "file").read_text() == "here"


def test_a_hostile_image_writes_only_below_the_folder(
    settings: Settings, engine: Engine, tmp_path: Path
):
    cp = shelve(settings, engine, (Piece("d/", directory=True), Piece("d/esc", link="../../..")))
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "d").symlink_to(tmp_path)
    outcome = cp.run("cp", "shelf:1:/d", f"{tmp_path}/here")
    assert outcome.code == 1
    assert not (tmp_path / "esc").is_symlink()
