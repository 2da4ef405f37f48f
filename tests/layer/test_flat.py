"""Flat tars of whole trees."""

import os
from io import BytesIO
from pathlib import Path

import pytest
from tests.layer.trees import (
    erofs,
    extracted,
    facts_of_directory,
    overlay,
    sealed,
    tar_of,
)

from lamina.layer.entry import Entry, Kind
from lamina.layer.flat import write_directory, write_tree
from lamina.layer.tar import read_entries
from lamina.layer.view import Tree

LOW: list[Entry | tuple[Entry, bytes]] = [
    Entry(b"", Kind.DIRECTORY, 0o755),
    Entry(b"d", Kind.DIRECTORY, 0o750, mtime_ns=1),
    (Entry(b"d/f", Kind.FILE, 0o4711, uid=3), b"body" * 1000),
    Entry(b"d/h", Kind.HARDLINK, 0o4711, uid=3, link=b"d/f"),
    Entry(b"gone", Kind.DIRECTORY, 0o755),
    (Entry(b"gone/x", Kind.FILE), b""),
    Entry(b"s", Kind.SYMLINK, 0o777, link=b"d/f"),
]


@pytest.mark.root
def test_a_container_is_exported_as_it_looks(tmp_path: Path):
    with (
        sealed(tmp_path / "l", tar_of(LOW)) as layer,
        erofs(layer, tmp_path / "m") as mount,
        overlay([mount], tmp_path / "root", upper=tmp_path / "upper") as root,
    ):
        (root / "gone" / "x").unlink()
        (root / "gone").rmdir()
        (root / "gone").mkdir()
        (root / "gone" / "new").write_text("n")
        os.link(root / "gone" / "new", root / "link")
        (root / "s").unlink()
        (root / "s").mkdir()
        (root / "dev").mkdir()
        (root / "dev" / "stub").touch()
        parts: list[bytes] = []
        tree = Tree.of([layer])
        write_tree(tree, parts.append, upper=str(tmp_path / "upper"), exclude={b"dev"})
        found = facts_of_directory(extracted(b"".join(parts), tmp_path / "out"))
        wanted = facts_of_directory(root)
        assert set(wanted) - set(found) == {b"dev", b"dev/stub"}
        assert {path: fact for path, fact in wanted.items() if path in found} == found


def test_an_image_is_exported_without_a_mount(tmp_path: Path):
    with sealed(tmp_path / "l", tar_of(LOW)) as layer:
        parts: list[bytes] = []
        stats = write_tree(Tree.of([layer]), parts.append)
        data = b"".join(parts)
        assert data == tar_of(sorted(LOW, key=_path))
        assert (stats.entries, stats.files, stats.size) == (7, 2, len(data))


def _path(item: Entry | tuple[Entry, bytes]) -> list[bytes]:
    entry = item if isinstance(item, Entry) else item[0]
    return entry.path.split(b"/") if entry.path else []


def test_a_plain_directory_gives_the_same_bytes_whoever_made_it(tmp_path: Path):
    tars = []
    for name in ("one", "two"):
        root = tmp_path / name
        names = ["z", "a", "m"] if name == "one" else ["m", "z", "a"]
        root.mkdir()
        for leaf in names:
            (root / leaf).write_text(leaf)
        (root / "link").symlink_to("a")
        parts: list[bytes] = []
        write_directory(str(root), parts.append, owner=(0, 0), clamp_ns=0)
        tars.append(b"".join(parts))
    assert tars[0] == tars[1]
    entries = list(read_entries(BytesIO(tars[0])))
    assert [entry.path for entry in entries] == [b"", b"a", b"link", b"m", b"z"]
    assert {(entry.uid, entry.mtime_ns) for entry in entries} == {(0, 0)}


@pytest.mark.root
def test_devices_of_a_plain_directory_are_no_whiteouts(tmp_path: Path):
    root = tmp_path / "root"
    root.mkdir()
    os.mknod(root / "zero", 0o020600, os.makedev(0, 0))
    parts: list[bytes] = []
    assert write_directory(str(root), parts.append).entries == 2
