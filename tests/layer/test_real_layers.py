"""Debian's layers as we read them, beside what other people's programs unpack from them."""

import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.images import debian, write_layout
from tests.layer.trees import Facts, extracted, facts_of_directory, facts_of_tree, sealed

from lamina.layer.view import Tree


def seconds(facts: Facts) -> Facts:
    """Leave out directories' times, which unpacking on top changes, and fractions of seconds."""
    return {
        path: (*fact[:4], 0 if fact[0] == "directory" else int(str(fact[4])) // 10**9, *fact[5:])
        for path, fact in facts.items()
        if path
    }


@pytest.mark.root
def test_three_real_layers_are_the_tree_that_umoci_unpacks(tmp_path: Path):
    write_layout(tmp_path / "layout", debian().layers, tag="t")
    subprocess.run(
        ["umoci", "unpack", "--image", f"{tmp_path / 'layout'}:t", tmp_path / "bundle"],
        check=True, capture_output=True,
    )  # fmt: skip
    with ExitStack() as opened:
        first, second, third = debian().layers
        low = opened.enter_context(sealed(tmp_path / "low", first.read_bytes()))
        middle = opened.enter_context(sealed(tmp_path / "middle", second.read_bytes(), [low]))
        top = opened.enter_context(sealed(tmp_path / "top", third.read_bytes(), [low, middle]))
        found = seconds(facts_of_tree(Tree.of([low, middle, top])))
    wanted = seconds(facts_of_directory(tmp_path / "bundle" / "rootfs"))
    assert set(found) == set(wanted)
    assert not [(path, found[path], wanted[path]) for path in found if found[path] != wanted[path]]


@pytest.mark.root
def test_a_real_tree_is_the_one_that_gnu_tar_extracts(tmp_path: Path):
    data = debian().trees[2].read_bytes()
    wanted = facts_of_directory(extracted(data, tmp_path / "out"))
    with sealed(tmp_path / "layer", data) as layer:
        assert facts_of_tree(Tree.of([layer])) == wanted
