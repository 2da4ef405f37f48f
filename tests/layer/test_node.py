"""What a node says of its inode."""

from pathlib import Path

import pytest
from tests.layer.trees import sealed, tar_of

from lamina.layer.entry import Entry, Kind


def test_a_node_gives_the_entry_it_was_made_of(tmp_path: Path):
    items = [
        Entry(b"", Kind.DIRECTORY, 0o1755, 1, 2, mtime_ns=-3, xattrs=(("user.a", b"1"),)),
        Entry(b"b", Kind.BLOCK, 0o600, device=(240, 300)),
        Entry(b"c", Kind.CHARACTER, 0o666, device=(1, 3)),
        Entry(b"p", Kind.FIFO, 0o640, 2**32 - 1, 2**31),
        Entry(b"s", Kind.SYMLINK, 0o777, link=b"to/there"),
    ]
    with sealed(tmp_path / "l", tar_of(items)) as layer:
        assert [node.entry(path) for path, node in layer.walk()] == items
        assert "directory 1755 1:2" in repr(layer.root)
        assert layer.root.nlink == 2


def test_only_a_device_zero_is_a_whiteout(tmp_path: Path):
    items = [Entry(b"c", Kind.CHARACTER, device=(0, 1)), Entry(b".wh.w", Kind.FILE)]
    with sealed(tmp_path / "l", tar_of(items)) as layer:
        assert {path: node.is_whiteout for path, node in layer.walk()} == {
            b"": False, b"c": False, b"w": True,
        }  # fmt: skip


def test_the_inode_is_read_when_it_is_asked_for(tmp_path: Path):
    with sealed(tmp_path / "l", tar_of([Entry(b"f", Kind.FILE, 0o640, 3, 4)])) as layer:
        ((_, node),) = layer.listdir(b"")
        assert node.kind is Kind.FILE
        with pytest.raises(AttributeError):
            object.__getattribute__(node, "mode")
        assert (node.mode, node.uid, node.gid, node.nlink) == (0o640, 3, 4, 1)
        assert object.__getattribute__(node, "mode") == 0o640
        with pytest.raises(AttributeError, match="colour"):
            getattr(node, "colour")  # noqa: B009 - no attribute of a node
