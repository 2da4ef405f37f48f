"""Pages of directories are what listing them whole gives, whatever lies over each other."""

from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.hub.exploring.images import file, folder, gone
from tests.study.piles import Items, pile

from lamina.hub.exploring.folder import Folder, page
from lamina.layer.entry import Kind
from lamina.layer.node import Node
from lamina.layer.sealed import SealedLayer
from lamina.layer.view import Tree

NAMES = st.sets(st.sampled_from([b"%s%d" % (b"n" * (7 * n % 31), n) for n in range(60)]))
"""Of lengths that fill blocks unevenly."""


def items(names: set[bytes], removed: set[bytes], *, opaque: bool) -> Items:
    return [
        folder(b"d"),
        *(file(b"d/" + name, name) for name in sorted(names)),
        *(gone(b"d/" + name) for name in sorted(removed - names)),
        *[file(b"d/.wh..wh..opq")] * opaque,
    ]


def merged(layers: list[SealedLayer]) -> list[tuple[SealedLayer, Node]]:
    by_path = {layer.path: layer for layer in layers}
    return [(by_path[node.layer.path], node) for node in Tree.of(layers).pile_of_directory(b"d")]


def facts(rows: list[tuple[bytes, Node]]) -> list[tuple[bytes, str, int]]:
    return [(name, node.layer.path, node.nid) for name, node in rows]


@given(layers=st.lists(st.tuples(NAMES, NAMES, st.booleans()), min_size=1, max_size=3))
def test_pages_together_are_the_whole_directory(tmp_path_factory, layers):
    stack = [items(names, gone, opaque=opaque) for names, gone, opaque in layers]
    with ExitStack() as opened:
        found = opened.enter_context(pile(tmp_path_factory.mktemp("pile"), *stack))
        whole = facts(Tree.of(found).listdir(b"d"))
        for size in (1, 7, 1000):
            told = []
            for offset in range(0, max(len(whole), 1), size):
                total, rows = page(merged(found), offset, size)
                assert total == len(whole)
                told += facts(rows)
            assert told == whole
        assert page(merged(found), len(whole) + 3, 5) == (len(whole), [])


def test_a_page_of_a_huge_directory_makes_no_node_of_what_is_not_on_it(tmp_path, monkeypatch):
    """A page of one with 200,000 names took four seconds, nearly all of it for nodes."""
    many: Items = [folder(b"d"), *(file(b"d/%05d" % number) for number in range(9000))]
    made: list[int] = []
    begin = Node.__init__

    def count(self: Node, layer: SealedLayer, nid: int, kind: Kind) -> None:
        made.append(nid)
        begin(self, layer, nid, kind)

    with pile(tmp_path, many, [folder(b"d"), file(b"d/04000"), gone(b"d/00001")]) as layers:
        for stack, first in ((layers[:1], b"04000"), (layers, b"04001")):
            parts = merged(stack)
            monkeypatch.setattr(Node, "__init__", count)
            made.clear()
            total, rows = page(parts, 4000, 500)
            monkeypatch.undo()
            assert (total, rows[0][0], len(rows)) == (9000 - len(stack) + 1, first, 500)
            assert len(made) < 1100


def test_a_name_is_what_the_topmost_layer_says_of_it(tmp_path: Path) -> None:
    low: Items = [folder(b"d"), file(b"d/a", b"1"), file(b"d/b", b"1")]
    high: Items = [folder(b"d"), file(b"d/a", b"22"), gone(b"d/b")]
    with pile(tmp_path, low, high) as layers:
        found = Folder(merged(layers))
        node = found.node(b"a")
        assert node is not None
        assert (node.size, found.node(b"b"), found.node(b"c")) == (2, None, None)
        assert found.names == [b"a"]
        assert found.gone == [frozenset((b"b",)), frozenset()]


@pytest.mark.parametrize("number", [0, 1])
def test_an_empty_directory_has_an_empty_page(tmp_path: Path, number: int) -> None:
    with pile(tmp_path, [folder(b"d")], [folder(b"d"), gone(b"d/x")]) as layers:
        assert page(merged(layers[: number + 1]), 0, 9) == (0, [])
