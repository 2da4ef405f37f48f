"""Layers merged into one: the same tree, made once, kept while needed."""

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given
from tests.images import Piece, tar
from tests.layer.changesets import changesets
from tests.layer.test_view import stackable, whited
from tests.layer.trees import facts_of_tree, gnu_tar, sealed, tar_of
from tests.snapshot.piles import seal
from tests.store.processes import together

from lamina.layer.sealed import SealedLayer
from lamina.layer.view import Tree
from lamina.snapshot.layers import Layers
from lamina.snapshot.merging import seal_tree
from lamina.store.disk import make


@given(changesets(), whited(), whited())
def test_a_merged_layer_shows_what_the_pile_shows(one, two, three):
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        where = Path(name)
        layers: list[SealedLayer] = []
        for number, items in enumerate((one, two, three)):
            data = tar_of(stackable(items))
            layers.append(stack.enter_context(sealed(where / f"l{number}", data, layers)))
        seal_tree(Tree.of(layers), str(where / "merged"))
        merged = stack.enter_context(SealedLayer.open(str(where / "merged")))
        merged.verify()
        assert not merged.needs_parents
        assert facts_of_tree(Tree.of([merged])) == facts_of_tree(Tree.of(layers))


def test_a_hole_of_a_terabyte_stays_one(tmp_path):
    (tmp_path / "tree").mkdir()
    with open(tmp_path / "tree/log", "wb") as file:
        os.truncate(file.fileno(), 1 << 40)
        os.pwrite(file.fileno(), b"hi", 1 << 39)
    data = gnu_tar(tmp_path / "tree", "--sparse", "--format=posix")
    with sealed(tmp_path / "low", data) as low:
        seal_tree(Tree.of([low]), str(tmp_path / "merged"))
        with SealedLayer.open(str(tmp_path / "merged")) as merged:
            merged.verify()
            node = merged.lookup(b"log")
            assert node
            assert node.size == 1 << 40
            assert merged.read(node, (1 << 39) - 1, 4) == b"\0hi\0"
    assert os.stat(tmp_path / "merged").st_blocks * 512 < 1 << 20


@pytest.fixture
def layers(tmp_path):
    return Layers(make(str(tmp_path / "root")).root)


def deep(count: int) -> list[bytes]:
    low = tar([Piece("./", directory=True), Piece("a", b"1"), Piece("b", hard="a")])
    return [low, *[tar([Piece(f"f{number}", b"x" * 600)]) for number in range(count - 1)]]


def test_a_pile_is_merged_once_however_many_ask_at_once(layers):
    pile = seal(layers, *deep(5))

    def run(number: int) -> None:
        mine = Layers(layers.root)
        with SealedLayer.open(mine.merged(pile[:4])) as merged:
            merged.verify()
        Path(layers.root, f"inode{number}").write_text(
            str(os.stat(mine.merged(pile[:4])).st_ino), encoding="ascii"
        )

    together(run, *[(number,) for number in range(4)])
    assert len({Path(layers.root, f"inode{n}").read_text(encoding="ascii") for n in range(4)}) == 1
    assert os.listdir(f"{layers.root}/layers/new") == []
    assert layers.merged_files(pile) == [layers.merged(pile[:4])]
    assert layers.merged_files(pile[:3]) == []


def test_a_merged_layer_goes_with_the_last_layer_in_it_and_not_before(layers):
    pile = seal(layers, *deep(5))
    path = layers.merged(pile[:3])
    folder = layers.merged_directory(pile[:3], lambda sealed, place: os.mkdir(f"{place}/made"))
    assert layers.sweep(set(pile)).count == 0
    assert os.path.exists(path)
    assert os.listdir(folder) == ["made"]
    doomed = [path, *[layers.path(pile[: i + 1]) for i in (2, 3, 4)]]
    doomed += [folder, f"{folder}/made"]
    size = sum(os.stat(file).st_blocks * 512 for file in doomed)
    assert layers.sweep(set(pile[:2])).size == size
    assert not os.path.exists(path)
    assert not os.path.exists(folder)
    assert os.listdir(f"{layers.root}/layers/merged") == []


def test_unpacking_a_merged_pile_leaves_no_sealed_file_behind(layers):
    pile = seal(layers, *deep(4))
    seen: list[bytes] = []

    def fill(sealed: str, place: str) -> None:
        with SealedLayer.open(sealed) as merged:
            seen.extend(name for name, _ in merged.listdir(b""))
        os.mkdir(f"{place}/x")

    assert os.listdir(layers.merged_directory(pile, fill)) == ["x"]
    assert os.listdir(layers.merged_directory(pile, fill)) == ["x"]
    assert seen == [b"a", b"b", b"f0", b"f1", b"f2"]
    assert layers.merged_files(pile) == []
    assert os.listdir(f"{layers.root}/layers/new") == []
