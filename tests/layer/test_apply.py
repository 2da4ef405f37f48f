"""Unpacking: the same tree as the mount, and not a step outside the directory."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from tests.layer.trees import (
    extracted,
    facts_of_directory,
    facts_of_tree,
    gnu_tar,
    sealed,
    tar_of,
)

from lamina.layer import apply
from lamina.layer.apply import copy_tree, unpack
from lamina.layer.crew import share_out
from lamina.layer.entry import Entry, Kind
from lamina.layer.maker import dress
from lamina.layer.view import Tree

Items = list[Entry | tuple[Entry, bytes]]
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
    items: Items = [
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
    items: Items = [
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


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_a_tree_is_the_same_however_many_processes_write_it(tmp_path: Path, monkeypatch, workers):
    for name, value in (("_GRAIN", 5 * 65536), ("_BATCH", 40 * 65536)):  # many shares, many rounds
        monkeypatch.setattr(apply, name, value)
    items: Items = [Entry(b"", Kind.DIRECTORY, 0o1755, mtime_ns=3)]
    for number in range(9):
        top = b"d%d" % number
        items.append(Entry(top, Kind.DIRECTORY, 0o500 if number % 2 else 0o2775, mtime_ns=number))
        items += [
            (Entry(b"%b/f%d" % (top, i), Kind.FILE, 0o640, mtime_ns=i), b"%d" % i * i)
            for i in range(12)
        ]
        items.append(Entry(top + b"/again", Kind.HARDLINK, link=b"d0/f3"))
        items.append(Entry(top + b"/link", Kind.SYMLINK, 0o777, mtime_ns=5, link=b"f1"))
    target = tmp_path / "target"
    target.mkdir()
    with sealed(tmp_path / "l", tar_of(items)) as layer:
        written = unpack(layer, str(target), privileged=False, owners=False, workers=workers)
        wanted = facts_of_tree(Tree.of([layer]))
    found = facts_of_directory(target)
    assert written == 9 * sum(len(b"%d" % i * i) for i in range(12))
    assert {path: (*row[:2], *row[4:]) for path, row in found.items()} == {
        path: (*row[:2], *row[4:]) for path, row in wanted.items()
    }
    assert (target / "d7/again").stat().st_nlink == 10


def test_a_failure_in_another_process_is_a_failure(tmp_path: Path):
    target = tmp_path / "target"
    target.mkdir()
    items = [(Entry(b"f%d" % i, Kind.FILE), b"x") for i in range(10)]
    (target / "f7").symlink_to(tmp_path / "victim")
    with sealed(tmp_path / "l", tar_of([ROOT, *items])) as layer, pytest.raises(FileExistsError):
        unpack(layer, str(target), privileged=False, owners=False, workers=2)
    assert not (tmp_path / "victim").exists()


def test_a_folder_swapped_for_a_symlink_meanwhile_leads_nowhere(tmp_path: Path, monkeypatch):
    outside = tmp_path / "outside"
    outside.mkdir()
    target = tmp_path / "target"
    target.mkdir()

    def swapped(tasks):
        (target / "d").rename(target / "away")
        (target / "d").symlink_to(outside)
        share_out(tasks)

    monkeypatch.setattr(apply, "share_out", swapped)
    items: Items = [ROOT, Entry(b"d", Kind.DIRECTORY, 0o755), (Entry(b"d/f", Kind.FILE), b"x")]
    with sealed(tmp_path / "l", tar_of(items)) as layer, pytest.raises(OSError, match="Not a dir"):
        unpack(layer, str(target), privileged=False, owners=False, workers=2)
    assert list(outside.iterdir()) == []


def test_while_it_is_written_nobody_else_may_enter(tmp_path: Path, monkeypatch):
    target = tmp_path / "target"
    target.mkdir(mode=0o777)
    seen: list[int] = []

    def looked(tasks):
        seen.extend(stat.S_IMODE(path.stat().st_mode) for path in (target, target / "d"))
        share_out(tasks)

    monkeypatch.setattr(apply, "share_out", looked)
    items: Items = [ROOT, Entry(b"d", Kind.DIRECTORY, 0o777), (Entry(b"d/f", Kind.FILE), b"x")]
    with sealed(tmp_path / "l", tar_of(items)) as layer:
        unpack(layer, str(target), privileged=False, owners=False, workers=2)
    assert seen == [0o700, 0o700]
    assert [stat.S_IMODE(path.stat().st_mode) for path in (target, target / "d")] == [0o755, 0o777]


@pytest.mark.root
def test_a_folder_of_another_group_does_not_hand_it_down(tmp_path: Path):
    os.chown(tmp_path, -1, 1234)
    tmp_path.chmod(0o2755)
    target = tmp_path / "target"
    target.mkdir()
    assert target.stat().st_gid == 1234
    items: Items = [ROOT, Entry(b"d", Kind.DIRECTORY, 0o755), (Entry(b"d/f", Kind.FILE), b"x")]
    with sealed(tmp_path / "l", tar_of(items)) as layer:
        unpack(layer, str(target), privileged=True)
    for path in (target, target / "d", target / "d/f"):
        assert path.stat().st_gid == 0
        assert not path.stat().st_mode & stat.S_ISGID


def test_a_merged_tree_is_copied_with_links_and_without_whiteouts(tmp_path: Path):
    low: Items = [
        ROOT, (Entry(b"a", Kind.FILE, 0o600, mtime_ns=1), b"1"),
        Entry(b"b", Kind.HARDLINK, link=b"a"), (Entry(b"gone", Kind.FILE), b"2"),
        Entry(b"d", Kind.DIRECTORY, 0o711, mtime_ns=2), (Entry(b"d/low", Kind.FILE), b"3"),
    ]  # fmt: skip
    high: Items = [ROOT, Entry(b".wh.gone", Kind.FILE), Entry(b"d", Kind.DIRECTORY, 0o755, mtime_ns=4),
            (Entry(b"d/high", Kind.FILE), b"5")]  # fmt: skip
    target = tmp_path / "target"
    target.mkdir()
    with (
        sealed(tmp_path / "low", tar_of(low)) as one,
        sealed(tmp_path / "high", tar_of(high)) as two,
    ):
        copy_tree([one, two], str(target), privileged=False, owners=False, workers=2)
        wanted = facts_of_tree(Tree.of([one, two]))
    assert {path: (*row[:2], *row[4:]) for path, row in facts_of_directory(target).items()} == {
        path: (*row[:2], *row[4:]) for path, row in wanted.items()
    }


def test_a_private_root_makes_an_open_folder_private(tmp_path: Path):
    target = tmp_path / "upper"
    target.mkdir(mode=0o755)
    with sealed(tmp_path / "l", tar_of([Entry(b"", Kind.DIRECTORY, 0o700)])) as layer:
        dress(str(target), layer.root, owners=False, privileged=False)
    assert stat.S_IMODE(target.stat().st_mode) == 0o700


def test_unpacking_needs_no_module_that_starts_processes():
    code = "import sys; import lamina.layer.apply; sys.exit('subprocess' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
