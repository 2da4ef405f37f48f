"""A copy of a directory is the directory again, to the last attribute."""

import os
from pathlib import Path

import pytest

from lamina.layer.duplicate import duplicate


def facts(top: Path) -> dict[str, tuple[object, ...]]:
    """Say all there is to say of every path; files with one content share a number."""
    found: dict[str, tuple[object, ...]] = {}
    numbers: dict[int, str] = {}
    for path in sorted([top, *top.rglob("*")]):
        row = path.lstat()
        name = str(path.relative_to(top))
        kept = {key: os.getxattr(path, key, follow_symlinks=False)
                for key in os.listxattr(path, follow_symlinks=False)}  # fmt: skip
        body: object = os.readlink(path) if path.is_symlink() else None
        if path.is_file() and not path.is_symlink():
            body = path.read_bytes()
        first = numbers.setdefault(row.st_ino, name) if not path.is_dir() else name
        found[name] = (row.st_mode, row.st_uid, row.st_gid, row.st_mtime_ns, row.st_rdev, kept, body, first)  # fmt: skip
    return found


def test_a_copy_is_the_tree_again(tmp_path: Path):
    source = tmp_path / "source"
    (source / "deep/er").mkdir(parents=True)
    (source / "deep/er/file").write_bytes(b"x" * 70_000)
    (source / "deep/er/file").chmod(0o4751)
    os.setxattr(source / "deep/er/file", "user.note", b"n")
    os.setxattr(source / "deep", "user.overlay.opaque", b"y")
    os.link(source / "deep/er/file", source / "again")
    os.symlink("/nowhere/at/all", source / "link")
    os.link(source / "link", source / "link2", follow_symlinks=False)
    os.mkfifo(source / "pipe", 0o640)
    (source / "empty").touch()
    os.utime(source / "empty", ns=(5, 1_234_567_890_123_456_789))
    (source / "deep/er").chmod(0o1555)
    os.utime(source / "deep/er", ns=(7, 9))
    source.chmod(0o2711)
    duplicate(str(source), str(tmp_path / "target"))
    assert facts(tmp_path / "target") == facts(source)


@pytest.mark.root
def test_owners_devices_and_whiteouts_come_along(tmp_path: Path):
    source = tmp_path / "source"
    source.mkdir()
    os.mknod(source / "gone", 0o020000, 0)
    os.mknod(source / "null", 0o020666, os.makedev(1, 3))
    (source / "owned").write_bytes(b"x")
    os.chown(source / "owned", 123, 456)
    os.setxattr(source / "owned", "trusted.overlay.metacopy", b"")
    os.setxattr(
        source / "owned", "security.capability", bytes.fromhex("0100000200200000" + "00" * 12)
    )
    duplicate(str(source), str(tmp_path / "target"))
    assert facts(tmp_path / "target") == facts(source)


def test_holes_stay_holes(tmp_path: Path):
    source = tmp_path / "source"
    source.mkdir()
    with (source / "sparse").open("wb") as file:
        file.truncate(1 << 30)
        file.seek(1 << 29)
        file.write(b"in the middle")
    duplicate(str(source), str(tmp_path / "target"))
    copy = tmp_path / "target/sparse"
    assert copy.stat().st_size == 1 << 30
    assert copy.stat().st_blocks * 512 < 1 << 20
    with copy.open("rb") as file:
        file.seek(1 << 29)
        assert file.read(14) == b"in the middle\0"


def test_a_tree_deeper_than_a_path_can_name_is_copied(tmp_path: Path):
    here = os.open(tmp_path, os.O_RDONLY)
    name = "d" * 200
    top = "source"
    for step in range(40):
        os.mkdir(top if not step else name, dir_fd=here)
        below = os.open(top if not step else name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("bottom", os.O_WRONLY | os.O_CREAT, dir_fd=here))
    os.close(here)
    duplicate(str(tmp_path / "source"), str(tmp_path / "target"))
    here = os.open(tmp_path / "target", os.O_RDONLY)
    for _ in range(39):
        below = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    assert os.listdir(here) == ["bottom"]
    os.close(here)
