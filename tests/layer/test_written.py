"""What a container wrote as a layer: the kernel's union and a real commit are the judges."""

import os
from pathlib import Path

import pytest
from tests.layer.test_live import LOW, write_into
from tests.layer.trees import erofs, facts_of_directory, facts_of_tree, overlay, sealed, tar_of

from lamina.layer.changeset import changeset, write_layer
from lamina.layer.entry import Entry, Kind
from lamina.layer.live import LiveLayer, LiveTree
from lamina.layer.view import Tree
from lamina.layer.written import WrittenLayer
from lamina.study.lives import lives


def stories(layers):
    """Tell of every path what each layer does there."""
    return [
        (path, [(e.number, e.change, e.aspects, e.by, e.node and e.node.nlink) for e in events])
        for path, events in lives(layers)
    ]


def folders_of(tree: Tree) -> list[bytes]:
    return sorted(path for path, node in tree.walk() if node.kind is Kind.DIRECTORY)


@pytest.mark.root
@pytest.mark.parametrize("marks", [False, True])
def test_it_is_what_the_kernel_shows_and_what_a_commit_would_seal(tmp_path: Path, marks: bool):
    with (
        sealed(tmp_path / "low", tar_of(LOW)) as low,
        erofs(low, tmp_path / "m") as mounted,
        overlay([mounted], tmp_path / "union", upper=tmp_path / "upper", marks=marks) as union,
    ):
        write_into(union)
        if marks:
            os.rename(union / "moved", union / "made" / "here")
            (union / "made" / "here" / "deep" / "new").write_text("n")
            (union / "made" / "here" / "f").rename(union / "f")
        upper = str(tmp_path / "upper")
        with LiveLayer(upper, marks="trusted") as live:
            entries = (entry for entry, _ in changeset(upper, [low], marks="trusted"))
            written = WrittenLayer(upper, entries, LiveTree([low], live))
            assert facts_of_tree(Tree.of([low, written])) == facts_of_directory(union)
            for tree in (Tree.of([low, written]), LiveTree([low], live)):
                assert sorted(path for path, _ in tree.folders()) == folders_of(tree)
            parts: list[bytes] = []
            write_layer(upper, [low], parts.append, marks="trusted")
            with sealed(tmp_path / "high", b"".join(parts), [low]) as high:
                assert stories([low, written]) == stories([low, high])
                assert (written.content_size, written.entries) == (high.content_size, high.entries)


def test_content_is_the_containers_and_nothing_where_it_went_meanwhile(tmp_path: Path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "f").write_bytes(b"content")
    with LiveLayer(str(tmp_path), marks="") as live:
        entries = [
            Entry(b"d", Kind.DIRECTORY, 0o755),
            Entry(b"d/.wh.gone", Kind.FILE),
            Entry(b"d/f", Kind.FILE, size=7),
            Entry(b"d/hard", Kind.HARDLINK, link=b"d/f"),
        ]
        layer = WrittenLayer("here", entries, LiveTree((), live))
        tree = Tree.of([layer])
        folder = layer.child(layer.root, b"d")
        assert folder is not None
        assert [(name, node.is_whiteout) for name, node in layer.listdir(folder)] == [
            (b"f", False), (b"gone", True), (b"hard", False),
        ]  # fmt: skip
        assert layer.child(folder, b"nosuch") is None
        first, second = (tree.lookup(b"d/f"), tree.lookup(b"d/hard"))
        assert first is not None
        assert second is not None
        assert (first.nid, first.nlink) == (second.nid, 2)
        assert layer.content_size == 7
        assert layer.implied_root
        assert layer.read(second, 3) == b"tent"
        assert [length for _, _, length in layer.extents(first)] == [7]
        with layer.open_file(first) as file:
            assert file.read() == b"content"
        (tmp_path / "d" / "f").unlink()
        assert layer.read(first) == b""
        with layer.open_file(first) as file:
            assert file.read() == b""
