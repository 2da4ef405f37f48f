"""Debian's layers as we read them, beside what other people's programs unpack from them."""

import subprocess
from contextlib import ExitStack
from hashlib import sha256
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


def after_1970(facts: Facts) -> Facts:
    """Leave out times that libarchive has otherwise: it takes -1.75 seconds for -0.25, and keeps the root's."""
    return {
        path: (*fact[:4], 0, *fact[5:]) if path in (b"", b"opt/patch/before-1970") else fact
        for path, fact in facts.items()
    }


def by_bsdtar(tar: Path, target: Path) -> Facts:
    """Extract with libarchive. It says of a name that is not UTF-8 in a pax record that it is none, and takes it."""
    target.mkdir()
    done = subprocess.run(
        ["bsdtar", "-C", target, "--numeric-owner", "-xpf", tar],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    known = ("bsdtar: Pathname can't be converted from UTF-8 to current locale.",
             "bsdtar: Error exit delayed from previous errors.")  # fmt: skip
    assert set(done.stderr.splitlines()) <= set(known)
    assert done.returncode == 0 or done.stderr
    return facts_of_directory(target)


@pytest.mark.root
def test_a_real_tree_is_the_one_that_bsdtar_extracts(tmp_path: Path):
    wanted = by_bsdtar(debian().trees[2], tmp_path / "out")
    assert b"opt/patch/latin\xe9" in wanted
    with sealed(tmp_path / "layer", debian().trees[2].read_bytes()) as layer:
        assert after_1970(facts_of_tree(Tree.of([layer]))) == after_1970(wanted)


@pytest.mark.root
@pytest.mark.parametrize("number", [0, 1, 2])
def test_each_real_layer_is_what_gnu_tar_and_bsdtar_extract(tmp_path: Path, number: int):
    path = debian().layers[number]
    with sealed(tmp_path / "layer", path.read_bytes()) as layer:
        found = seconds(facts_of_tree(Tree.of([layer])))
    for facts in (
        by_bsdtar(path, tmp_path / "bsdtar"),
        facts_of_directory(extracted(path.read_bytes(), tmp_path / "gnu")),
    ):
        whiteouts = {path for path in facts if path.rpartition(b"/")[2].startswith(b".wh.")}
        assert bool(whiteouts) == (number == 2)
        kept = seconds({path: facts[path] for path in set(facts) - whiteouts})
        assert after_1970(kept) == after_1970(found)


def test_what_skopeo_unpacks_of_a_real_image_is_our_tar_to_the_byte(tmp_path: Path):
    write_layout(tmp_path / "layout", debian().layers, tag="t")
    subprocess.run(
        ["skopeo", "--insecure-policy", "copy", "--dest-decompress",
         f"oci:{tmp_path / 'layout'}:t", f"dir:{tmp_path / 'plain'}"],
        check=True, capture_output=True,
    )  # fmt: skip
    for path in debian().layers:
        data = (tmp_path / "plain" / sha256(path.read_bytes()).hexdigest()).read_bytes()
        with sealed(tmp_path / path.name, data) as layer:
            assert b"".join(layer.tar()) == path.read_bytes()
