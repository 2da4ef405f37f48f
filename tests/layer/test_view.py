"""The union of layers, against the kernel's own."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.layer.changesets import Piece, changesets
from tests.layer.trees import erofs, facts_of_directory, facts_of_tree, overlay, sealed, tar_of

from lamina.errors import Invalid, NotFound
from lamina.layer.entry import Entry, Kind
from lamina.layer.view import NotDirectory, SymlinkLoop, Tree

if TYPE_CHECKING:
    from lamina.layer.sealed import SealedLayer

ROOT = Entry(b"", Kind.DIRECTORY, 0o755)


def file(path: bytes, body: bytes = b"") -> tuple[Entry, bytes]:
    return Entry(path, Kind.FILE), body


def folder(path: bytes) -> Entry:
    return Entry(path, Kind.DIRECTORY, 0o755)


def link(path: bytes, target: bytes) -> Entry:
    return Entry(path, Kind.SYMLINK, 0o777, link=target)


@st.composite
def whited(draw: st.DrawFn) -> list[Piece]:
    """Give a changeset with whiteouts and opaque marks anywhere in it."""
    items = draw(changesets())
    folders = {entry.path for entry, _ in items if entry.kind is Kind.DIRECTORY}
    for where in draw(st.lists(st.sampled_from(sorted(folders)), max_size=4)):
        name = draw(st.sampled_from([b".wh.a", b".wh.b", b".wh.c", b".wh..wh..opq"]))
        if not where and name == b".wh..wh..opq":
            continue  # the kernel does not look at the root's mark: drivers cut the stack
        path = where + b"/" + name if where else name
        items.insert(draw(st.integers(0, len(items))), (Entry(path, Kind.FILE), b""))
    return items


def stackable(items: list[Piece]) -> list[Piece]:
    """Keep whiteouts from standing in a tar before their directory is one."""
    late = [item for item in items if b".wh." in item[0].path]
    return [item for item in items if item not in late] + late


@pytest.mark.root
@given(changesets(), whited(), whited())
def test_the_tree_of_layers_is_the_kernels_union(
    one: list[Piece], two: list[Piece], three: list[Piece]
):
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        where = Path(name)
        layers: list[SealedLayer] = []
        mounts = []
        for number, items in enumerate((one, two, three)):
            data = tar_of(stackable(items))
            layers.append(stack.enter_context(sealed(where / f"l{number}", data, layers)))
            mounts.append(stack.enter_context(erofs(layers[-1], where / f"m{number}")))
        union = stack.enter_context(overlay(mounts, where / "union"))
        assert facts_of_tree(Tree.of(layers)) == facts_of_directory(union)
        walked = [path for path, node in Tree.of(layers).walk() if node.kind is Kind.DIRECTORY]
        assert sorted(path for path, _ in Tree.of(layers).folders()) == sorted(walked)


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Tree]:
    low: list[Entry | tuple[Entry, bytes]] = [
        ROOT, folder(b"etc"), file(b"etc/old", b"1"), file(b"etc/both", b"low"), folder(b"gone"),
        file(b"gone/x"), folder(b"full"), file(b"full/x"), folder(b"becomes"), file(b"becomes/x"),
    ]  # fmt: skip
    high: list[Entry | tuple[Entry, bytes]] = [
        ROOT, folder(b"etc"), file(b"etc/both", b"high"), file(b"etc/.wh.old"), file(b".wh.gone"),
        folder(b"full"), file(b"full/.wh..wh..opq"), file(b"full/y"), file(b"becomes", b"file"),
        link(b"abs", b"/etc/both"), link(b"up", b"../../../etc"), link(b"loop", b"loop"),
        link(b"dangling", b"nothing"), link(b"chain", b"up"),
    ]  # fmt: skip
    with (
        sealed(tmp_path / "low", tar_of(low)) as one,
        sealed(tmp_path / "high", tar_of(high)) as two,
    ):
        yield Tree.of([one, two])


def test_whiteouts_opaque_directories_and_replacements(tree: Tree):
    assert [path for path, _ in tree.walk()] == [
        b"", b"abs", b"becomes", b"chain", b"dangling", b"etc", b"etc/both", b"full", b"full/y",
        b"loop", b"up",
    ]  # fmt: skip
    assert tree.lookup(b"etc/old") is None
    assert tree.lookup(b"gone/x") is None
    assert tree.lookup(b"becomes/x") is None
    assert tree.read(b"etc/both") == b"high"
    assert [name for name, _ in tree.listdir(b"full")] == [b"y"]
    assert tree.listdir(b"etc/both") == []
    assert [path for path, _ in tree.walk(b"etc")] == [b"etc", b"etc/both"]


def test_a_node_tells_its_layer(tree: Tree):
    node = tree.lookup(b"etc/both")
    assert node is not None
    assert node.layer is tree.layers[1]


def test_symlinks_are_followed_within_the_root(tree: Tree):
    for path in (b"abs", b"up/both", b"chain/both", b"etc/../up/./both", b"/etc/both"):
        assert tree.resolve(path)[0] == b"etc/both"
    assert tree.resolve(b"chain", follow_last=False)[1].kind is Kind.SYMLINK
    assert tree.resolve(b"..")[0] == b""
    for path in (b"/etc/both/", b"etc//both", b"etc/../etc/both", b"./etc/both", b"//etc/both"):
        assert tree.resolve(path, follow_last=False)[0] == b"etc/both"
    assert tree.open_file(b"up/both").read() == b"high"


def test_paths_that_lead_nowhere_say_so(tree: Tree):
    for path in (b"nothing", b"dangling", b"etc/both/x", b"gone"):
        with pytest.raises(NotFound, match=r"no such|not a directory"):
            tree.resolve(path)
    for path in (b"etc/both/x", b"/etc/both/x/", b"up/both/x"):
        with pytest.raises(NotDirectory):
            tree.resolve(path)
    with pytest.raises(SymlinkLoop):
        tree.resolve(b"loop")
    with pytest.raises(Invalid, match="not a file"):
        tree.read(b"etc")
    with pytest.raises(Invalid, match="not a file"):
        tree.read(tree.resolve(b"etc")[1])


def test_no_layers_are_an_empty_tree():
    empty = Tree.of([])
    assert empty.lookup(b"") is None
    assert list(empty.walk()) == []
    assert empty.listdir(b"") == []


def test_one_layer_twice_is_one_layer(tree: Tree):
    (low, high) = tree.layers
    twice = Tree.of([low, low, high, high])
    assert [path for path, _ in twice.walk()] == [path for path, _ in tree.walk()]


def test_an_opaque_root_hides_all_below(tmp_path: Path):
    low = sealed(tmp_path / "low", tar_of([ROOT, file(b"a")]))
    high = sealed(tmp_path / "high", tar_of([ROOT, file(b".wh..wh..opq"), file(b"b")]))
    assert [path for path, _ in Tree.of([low, high]).walk()] == [b"", b"b"]


def test_the_root_is_what_the_topmost_layer_that_lists_it_says(tmp_path: Path):
    listed = Entry(b"", Kind.DIRECTORY, 0o1711, 3, 4, mtime_ns=5, xattrs=(("user.k", b"v"),))
    low = tar_of([listed, file(b"a")])
    with (
        sealed(tmp_path / "low", low) as one,
        sealed(tmp_path / "middle", tar_of([file(b"b")])) as two,
        sealed(tmp_path / "opaque", tar_of([file(b".wh..wh..opq"), file(b"c")])) as three,
    ):
        for layers, names in (([one, two], [b"a", b"b"]), ([one, two, three], [b"c"])):
            tree = Tree.of(layers)
            root = tree.lookup(b"")
            assert root is not None
            assert root.entry(b"") == listed
            assert [name for name, _ in tree.listdir(b"")] == names
        bare = Tree.of([two]).lookup(b"")
        assert bare is not None
        assert bare.entry(b"") == ROOT
