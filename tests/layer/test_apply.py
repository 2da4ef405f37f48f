"""Unpacking: the same tree as the mount, and not a step outside the directory."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.layer.trees import extracted, facts_of_directory, gnu_tar, sealed, tar_of

from lamina.layer.apply import dress, unpack
from lamina.layer.entry import Entry, Kind

ROOT = Entry(b"", Kind.DIRECTORY, 0o755)


@pytest.mark.root
def test_whiteouts_and_opaque_marks_are_overlayfss(tmp_path: Path):
    items = [
        ROOT, Entry(b"d", Kind.DIRECTORY, 0o700), Entry(b"d/.wh..wh..opq", Kind.FILE),
        Entry(b".wh.one", Kind.FILE), Entry(b".wh.two", Kind.FILE),
    ]  # fmt: skip
    with sealed(tmp_path / "l", tar_of(items)) as layer:
        for prefix in ("trusted", "user"):
            target = tmp_path / prefix
            target.mkdir()
            unpack(layer, str(target), privileged=True, xattr_prefix=prefix)
            assert os.getxattr(target / "d", f"{prefix}.overlay.opaque") == b"y"
            for name in ("one", "two"):
                assert (target / name).is_char_device()
                assert (target / name).stat().st_rdev == 0


@pytest.mark.root
def test_holes_stay_holes(tmp_path: Path):
    source = tmp_path / "source"
    source.mkdir()
    with (source / "hole").open("wb") as file:
        file.seek(1 << 33)
        file.write(b"end")
    data = gnu_tar(source, "--sparse", "--format=posix")
    target = tmp_path / "target"
    target.mkdir()
    with sealed(tmp_path / "l", data) as layer:
        assert unpack(layer, str(target), privileged=True) == (1 << 33) + 3
    assert (target / "hole").stat().st_blocks < 1000
    with (target / "hole").open("rb") as file:
        file.seek(1 << 33)
        assert file.read() == b"end"


@pytest.mark.root
def test_nothing_is_written_outside_the_target(tmp_path: Path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "victim").write_text("safe")
    away = os.fsencode(outside)
    items: list[Entry | tuple[Entry, bytes]] = [
        ROOT,
        Entry(b"abs", Kind.SYMLINK, 0o777, link=away),
        (Entry(b"abs/victim", Kind.FILE, 0o4777), b"owned"),
        Entry(b"up", Kind.SYMLINK, 0o777, link=b"../outside"),
        (Entry(b"up/victim", Kind.FILE), b"owned"),
        Entry(b"hard", Kind.HARDLINK, link=b"up/victim"),
        (Entry(away + b"/absolute", Kind.FILE), b"owned"),
        Entry(b"s", Kind.SYMLINK, 0o777, link=away + b"/victim"),
        Entry(b"t", Kind.HARDLINK, link=b"s"),
        Entry(b"dir", Kind.SYMLINK, 0o777, link=b".."),
        Entry(b"dir/outside/.wh.victim", Kind.FILE),
        (Entry(b"dir/dir/dir/leaf", Kind.FILE), b"x"),
    ]
    target = tmp_path / "target"
    target.mkdir()
    with sealed(tmp_path / "l", tar_of(items)) as layer:
        unpack(layer, str(target), privileged=True)
    assert os.listdir(outside) == ["victim"]
    assert (outside / "victim").read_text() == "safe"
    assert sorted(os.listdir(tmp_path)) == ["l", "outside", "target"]


def test_a_target_that_is_not_empty_is_not_written_through(tmp_path: Path):
    target = tmp_path / "target"
    target.mkdir()
    (target / "link").symlink_to(tmp_path)
    (target / "file").symlink_to(tmp_path / "victim")
    for name in (b"link", b"file"):
        kind = Kind.DIRECTORY if name == b"link" else Kind.FILE
        with (
            sealed(tmp_path / name.decode(), tar_of([ROOT, Entry(name, kind)])) as layer,
            pytest.raises(FileExistsError),
        ):
            unpack(layer, str(target), privileged=False, owners=False)
        (tmp_path / name.decode()).unlink()
    assert not (tmp_path / "victim").exists()


@pytest.mark.root
def test_a_real_tree_is_unpacked_as_gnu_tar_does(tmp_path: Path):
    source = Path("/usr/share/doc/base-files")
    data = gnu_tar(source if source.is_dir() else Path("/etc/skel"), "--format=posix", "--xattrs")
    wanted = facts_of_directory(extracted(data, tmp_path / "tar"))
    (tmp_path / "ours").mkdir()
    with sealed(tmp_path / "l", data) as layer:
        unpack(layer, str(tmp_path / "ours"), privileged=True)
    assert facts_of_directory(tmp_path / "ours") == wanted


def test_without_privilege_devices_become_empty_files(tmp_path: Path):
    items: list[Entry | tuple[Entry, bytes]] = [
        ROOT, Entry(b"null", Kind.CHARACTER, 0o640, device=(1, 3)),
        (Entry(b"f", Kind.FILE, 0o444, 5, 6, mtime_ns=7, xattrs=(("user.k", b"v"),)), b"body"),
        Entry(b"h", Kind.HARDLINK, link=b"f"), Entry(b"s", Kind.SYMLINK, 0o777, link=b"f"),
    ]  # fmt: skip
    target = tmp_path / "target"
    target.mkdir()
    with sealed(tmp_path / "l", tar_of(items)) as layer:
        assert unpack(layer, str(target), privileged=False, owners=False) == 4
    assert (target / "null").is_file()
    status = (target / "f").stat()
    assert (status.st_mode & 0o777, status.st_uid, status.st_nlink) == (0o444, os.getuid(), 2)
    assert status.st_mtime_ns == 7


@pytest.mark.root
def test_a_directory_is_dressed_as_the_unions_root(tmp_path: Path):
    root = Entry(b"", Kind.DIRECTORY, 0o1711, 3, 4, mtime_ns=5, xattrs=(("user.k", b"v"),))
    target = tmp_path / "upper"
    target.mkdir()
    with sealed(tmp_path / "l", tar_of([root])) as layer:
        dress(str(target), layer.root)
    facts = facts_of_directory(target)[b""]
    assert facts[1:5] == (0o1711, 3, 4, 5)
    assert facts[7] == (("user.k", b"v"),)


def test_unpacking_needs_no_module_that_starts_processes():
    code = "import sys; import lamina.layer.apply; sys.exit('subprocess' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
