"""A container's directory as a layer, with the kernel's union as the judge."""

import os
import shutil
import socket
from pathlib import Path

import pytest
from tests.layer.trees import erofs, facts_of_directory, facts_of_tree, overlay, sealed, tar_of

from lamina.layer.entry import Entry, Kind
from lamina.layer.live import LiveLayer, LiveTree

LOW: list[Entry | tuple[Entry, bytes]] = [
    Entry(b"", Kind.DIRECTORY, 0o755),
    Entry(b"dir", Kind.DIRECTORY, 0o755),
    (Entry(b"dir/gone", Kind.FILE), b"1"),
    (Entry(b"dir/kept", Kind.FILE), b"2"),
    (Entry(b"changed", Kind.FILE), b"old"),
    Entry(b"full", Kind.DIRECTORY, 0o755),
    (Entry(b"full/x", Kind.FILE), b"x"),
    Entry(b"moved", Kind.DIRECTORY, 0o750, 3, 4),
    (Entry(b"moved/f", Kind.FILE, 0o600, 5, 6), b"content"),
    Entry(b"moved/deep", Kind.DIRECTORY, 0o755),
    (Entry(b"moved/deep/old", Kind.FILE), b"o"),
]


def write_into(union: Path) -> None:
    """Do one of each: what a container can do to a union that stands on LOW."""
    (union / "dir" / "gone").unlink()
    (union / "changed").write_text("new and longer")
    shutil.rmtree(union / "full")
    (union / "full").mkdir()  # opaque now
    (union / "full" / "y").write_text("y")
    (union / "made").mkdir(mode=0o1777)
    (union / "made" / "link").symlink_to("../changed")
    os.link(union / "changed", union / "made" / "hard")
    os.mkfifo(union / "made" / "pipe")
    os.mknod(union / "made" / "null", 0o20666, os.makedev(1, 3))
    os.setxattr(union / "changed", "user.k", b"v")
    os.chown(union / "dir" / "kept", 56, 78)  # its content stays below, with metacopy


@pytest.mark.root
@pytest.mark.parametrize("marks", [False, True])
def test_layers_and_what_a_container_wrote_are_the_kernels_union(tmp_path: Path, marks: bool):
    with (
        sealed(tmp_path / "low", tar_of(LOW)) as low,
        erofs(low, tmp_path / "m") as mounted,
        overlay([mounted], tmp_path / "union", upper=tmp_path / "upper", marks=marks) as union,
    ):
        write_into(union)
        os.chown(union / "dir", 12, 34)
        if marks:  # without, the kernel refuses to move a directory of the layers
            os.rename(union / "moved", union / "made" / "here")
            (union / "made" / "here" / "deep" / "new").write_text("n")
            (union / "made" / "here" / "f").rename(union / "f")
            os.chown(union / "f", 9, 9)
        with LiveLayer(str(tmp_path / "upper"), marks="trusted") as live:
            tree = LiveTree([low], live)
            assert facts_of_tree(tree) == facts_of_directory(union)
            assert tree.resolve(b"made/link")[0] == b"changed"
            assert tree.lookup(b"dir/gone") is None
            assert tree.read(b"dir/kept") == b"2"
            with tree.open_file(b"dir/kept") as file:
                assert file.read() == b"2"
            for path, node in tree.walk():
                assert tree.pile(path)[0].nid == node.nid


def test_contents_are_read_whole_and_in_parts(tmp_path: Path):
    with (tmp_path / "holed").open("wb") as file:
        file.write(b"start")
        file.truncate(1 << 20)
        file.seek(1 << 20)
        file.write(b"end")
    with LiveLayer(str(tmp_path), marks="") as live:
        node = live.child(live.root, b"holed")
        assert node is not None
        assert live.read(node, 0, 5) == b"start"
        assert live.read(node, (1 << 20) - 1) == b"\0end"
        assert len(live.read(node)) == node.size
        with live.open_file(node) as opened:
            assert opened.read(5) == b"start"
        extents = list(live.extents(node))
        assert sum(length for _, _, length in extents) == node.size
        assert any(where < 0 for _, where, _ in extents)
        for offset, where, length in extents:
            assert where == offset or not live.read(node, offset, length).strip(b"\0")


def test_what_goes_away_while_it_is_read_is_not_there(tmp_path: Path):
    (tmp_path / "d").mkdir()
    for name in ("file", "d/inner"):
        (tmp_path / name).write_text("x")
    (tmp_path / "link").symlink_to("file")
    with LiveLayer(str(tmp_path), marks="") as live:
        nodes = dict(live.listdir(live.root))
        shutil.rmtree(tmp_path / "d")
        for name in ("file", "link"):
            (tmp_path / name).unlink()
        assert live.listdir(nodes[b"d"]) == []
        assert live.child(nodes[b"d"], b"inner") is None
        assert live.read(nodes[b"file"]) == b""
        assert nodes[b"link"].target == b""
        assert nodes[b"d"].xattrs == ()
        os.mkfifo(tmp_path / "file")
        assert live.read(nodes[b"file"]) == b""  # and does not wait for a writer


def test_a_socket_is_no_part_of_a_tree(tmp_path: Path):
    with socket.socket(socket.AF_UNIX) as server, LiveLayer(str(tmp_path), marks="") as live:
        here = os.getcwd()
        os.chdir(tmp_path)  # a socket's path is short
        try:
            server.bind("socket")
        finally:
            os.chdir(here)
        assert live.listdir(live.root) == []
        assert live.child(live.root, b"socket") is None
        assert live.child(live.root, b"..") is None


def test_a_symlink_in_the_place_of_a_directory_leads_nowhere(tmp_path: Path):
    (tmp_path / "top" / "d").mkdir(parents=True)
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_text("key")
    with LiveLayer(str(tmp_path / "top"), marks="") as live:
        node = live.child(live.root, b"d")
        assert node is not None
        (tmp_path / "top" / "d").rmdir()
        (tmp_path / "top" / "d").symlink_to(tmp_path / "secret")
        assert live.listdir(node) == []
        assert live.child(node, b"key") is None
