"""Two trees beside each other, against what their tables of facts say."""

import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given
from tests.layer.changesets import Piece, changesets
from tests.layer.test_view import ROOT, file, folder, link, stackable, whited
from tests.layer.trees import facts_of_tree, sealed, tar_of
from tests.study.piles import Items, pile

from lamina.layer.entry import Entry, Kind
from lamina.layer.node import Node
from lamina.layer.sealed import SealedLayer
from lamina.layer.view import Tree
from lamina.study import compare as comparing
from lamina.study.compare import Difference, compare

BASE: Items = [
    ROOT, folder(b"etc"), file(b"etc/same", b"s"), file(b"etc/text", b"old"), file(b"etc/gone", b"g" * 7),
    folder(b"deep"), folder(b"deep/er"), file(b"deep/er/file", b"d"), link(b"way", b"etc"),
]  # fmt: skip
OTHER: Items = [
    ROOT, folder(b"etc"), (Entry(b"etc/text", Kind.FILE, 0o600), b"new"), file(b"etc/.wh.gone"),
    folder(b"new"), file(b"new/file", b"n" * 5), file(b"way", b"now a file"),
]  # fmt: skip


def told(found: list[Difference]) -> list[tuple[str, bytes, str]]:
    return [(one.letter, one.path, ",".join(one.aspects)) for one in found]


def test_what_is_new_gone_and_changed(tmp_path: Path):
    with pile(tmp_path, BASE, OTHER) as layers:
        below, above = Tree.of(layers[:1]), Tree.of(layers)
        found = list(compare(below, above))
        assert told(found) == [
            ("D", b"etc/gone", ""), ("C", b"etc/text", "content,mode"), ("A", b"new", ""),
            ("A", b"new/file", ""), ("C", b"way", "kind,mode"),
        ]  # fmt: skip
        assert sum(one.grown for one in found) == -7 + 0 + 5 + 10
        back = list(compare(above, below))
        assert [one.letter for one in back] == ["A", "C", "D", "D", "C"]
        assert list(compare(above, above)) == []


def test_what_two_images_share_is_not_listed_again(tmp_path: Path, monkeypatch):
    """Two tags with a file between them cost a walk through every directory that either adds to."""
    base: Items = [ROOT, folder(b"d"), *(file(b"d/%04d" % number, b"x") for number in range(3000))]
    one: Items = [ROOT, folder(b"d"), file(b"d/0007", b"one"), file(b"d/new", b"1")]
    two: Items = [ROOT, folder(b"d"), file(b"d/.wh.0009"), file(b"d/0007", b"two")]
    last: Items = [ROOT, folder(b"d"), file(b"d/top", b"t"), file(b"d/0011", b"y")]
    made: list[int] = []
    begin = Node.__init__

    def count(self: Node, layer: SealedLayer, nid: int, kind: Kind) -> None:
        made.append(nid)
        begin(self, layer, nid, kind)

    with (
        pile(tmp_path / "a", base, one, last) as left,
        pile(tmp_path / "b", two) as right,
    ):
        before, after = Tree.of(left), Tree.of([left[0], right[0], left[2]])
        monkeypatch.setattr(Node, "__init__", count)
        found = told(list(compare(before, after)))
        monkeypatch.undo()
    assert found == [("C", b"d/0007", "content"), ("D", b"d/0009", ""), ("D", b"d/new", "")]
    assert len(made) < 200


def test_times_count_only_where_they_are_asked_for(tmp_path: Path):
    one: Items = [ROOT, Entry(b"d", Kind.DIRECTORY, 0o755, mtime_ns=1), file(b"d/x", b"1")]
    two: Items = [ROOT, Entry(b"d", Kind.DIRECTORY, 0o755, mtime_ns=2), file(b"d/x", b"1")]
    with pile(tmp_path / "a", one) as low, pile(tmp_path / "b", two) as high:
        assert list(compare(Tree.of(low), Tree.of(high))) == []
        found = list(compare(Tree.of(low), Tree.of(high), times=True))
        assert told(found) == [("C", b"d", "time")]


@given(changesets(), whited(), changesets())
def test_any_two_stacks_differ_where_their_facts_do(
    base: list[Piece], one: list[Piece], two: list[Piece]
):
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        where = Path(name)
        low = stack.enter_context(sealed(where / "low", tar_of(stackable(base))))
        trees = []
        for number, items in enumerate((one, two)):
            data = tar_of(stackable(items))
            trees.append(
                Tree.of([low, stack.enter_context(sealed(where / f"{number}", data, [low]))])
            )
        facts = [facts_of_tree(tree) for tree in trees]
        wanted = {path for path in facts[0] | facts[1] if facts[0].get(path) != facts[1].get(path)}
        found = {one.path for one in compare(*trees, times=True)}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                comparing, "_LOOKUP", 0
            )  # names of parts that are shared are never listed
            assert {one.path for one in compare(*trees, times=True)} == found
        # Facts know of names that are one file, too, and a directory's names are none of its own.
        assert found <= wanted | {b""}
        for path in wanted - found - {b""}:
            nodes = [tree.lookup(path) for tree in trees]
            assert all(node is not None and node.nlink > 1 for node in nodes), path
