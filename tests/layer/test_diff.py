"""What a container changed, on real mounted unions: the layer gives the same tree again."""

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from tests.layer.changesets import Change as Step
from tests.layer.changesets import Piece, change_anything, changesets, container_changes
from tests.layer.trees import (
    Facts,
    erofs,
    facts_of_directory,
    facts_of_tree,
    overlay,
    sealed,
    tar_of,
)

from lamina.layer.diff import Change, changes, changeset, write_layer
from lamina.layer.entry import Entry, Kind
from lamina.layer.sealed import SealedLayer
from lamina.layer.view import Tree
from lamina.stream.files import remove_tree

BASE: list[Entry | tuple[Entry, bytes]] = [
    Entry(b"", Kind.DIRECTORY, 0o755),
    Entry(b"a", Kind.DIRECTORY, 0o755, mtime_ns=1),
    (Entry(b"a/a", Kind.FILE, mtime_ns=2), b"one"),
    Entry(b"a/b", Kind.DIRECTORY, 0o700, mtime_ns=3),
    (Entry(b"a/b/c", Kind.FILE, 0o4755, uid=5, mtime_ns=4), b"two"),
    Entry(b"a/b/d", Kind.HARDLINK, link=b"a/b/c"),
    Entry(b"b", Kind.SYMLINK, 0o777, link=b"a"),
    (Entry(b"c", Kind.FILE, xattrs=(("user.k", b"v"),)), b"three"),
    Entry(b"d", Kind.DIRECTORY, 0o1777),
    Entry(b"d/a", Kind.FIFO),
]


class Union:
    """A mounted container: one sealed layer (or more) under an upper directory."""

    def __init__(self, folder: Path, layers: list[SealedLayer], root: Path) -> None:
        self.folder = folder
        self.layers = layers
        self.root = root
        self.upper = folder / "upper"

    def layer(self, **options: object) -> bytes:
        parts: list[bytes] = []
        write_layer(str(self.upper), self.layers, parts.append, **options)  # type: ignore[arg-type]
        return b"".join(parts)

    def changes(self) -> list[str]:
        found = changes(str(self.upper), self.layers)
        return [f"{change.kind} /{os.fsdecode(change.path)}" for change in found]


@contextmanager
def union(folder: Path, *bases: bytes) -> Iterator[Union]:
    layers = [sealed(folder / f"base{n}", base) for n, base in enumerate(bases)]
    with pytest.MonkeyPatch.context():
        mounts = []
        stack = []
        try:
            for number, layer in enumerate(layers):
                mount = erofs(layer, folder / f"mount{number}")
                mounts.append(mount.__enter__())
                stack.append(mount)
            with overlay(mounts, folder / "root", upper=folder / "upper") as root:
                yield Union(folder, layers, root)
        finally:
            for mount in reversed(stack):
                mount.__exit__(None, None, None)


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Union]:
    with union(tmp_path, tar_of(BASE)) as made:
        yield made


def rootless_time(facts: Facts) -> Facts:
    """Leave out the root's time, which alone is never a change."""
    return {path: fact[:4] + fact[5:] if not path else fact for path, fact in facts.items()}


def check_round_trip(box: Union) -> None:
    data = box.layer()
    assert data == box.layer()
    wanted = rootless_time(facts_of_directory(box.root))
    with sealed(box.folder / "committed", data, box.layers) as top:
        assert not top.needs_parents or not top.entries
        assert rootless_time(facts_of_tree(Tree.of([*box.layers, top]))) == wanted
        with erofs(top, box.folder / "top"):
            lowers = [box.folder / f"mount{n}" for n in range(len(box.layers))]
            with overlay([*lowers, box.folder / "top"], box.folder / "again") as again:
                assert rootless_time(facts_of_directory(again)) == wanted
    (box.folder / "committed").unlink()


@pytest.mark.root
@given(container_changes())
def test_changes_then_layer_then_apply_is_the_same_tree(steps: list[Step]):
    with tempfile.TemporaryDirectory() as name, union(Path(name), tar_of(BASE)) as box:
        for step in steps:
            change_anything(box.root, step)
        check_round_trip(box)


@pytest.mark.root
@given(changesets(), container_changes())
def test_changes_over_any_layers_give_the_same_tree(items: list[Piece], steps: list[Step]):
    with (
        tempfile.TemporaryDirectory() as name,
        union(Path(name), tar_of(BASE), tar_of(items)) as box,
    ):
        for step in steps:
            change_anything(box.root, step)
        check_round_trip(box)


@pytest.mark.root
def test_nothing_changed_gives_an_empty_layer(box: Union):
    (box.root / "a" / "a").read_bytes()
    (box.root / "scratch").touch()
    (box.root / "scratch").unlink()
    assert box.changes() == []
    assert box.layer() == bytes(1024)


@pytest.mark.root
def test_the_list_is_dockers(box: Union):
    (box.root / "a" / "b" / "c").write_bytes(b"changed")
    (box.root / "a" / "new").mkdir()
    (box.root / "a" / "new" / "file").touch()
    (box.root / "c").unlink()
    (box.root / "d").chmod(0o755)
    assert box.changes() == [
        "C /a", "C /a/b", "C /a/b/c", "A /a/new", "A /a/new/file", "D /c", "C /d",
    ]  # fmt: skip


@pytest.mark.root
def test_a_directory_removed_and_made_again_says_each_path_that_is_gone(box: Union):
    shutil.rmtree(box.root / "a")
    (box.root / "a").mkdir()
    (box.root / "a" / "b").write_text("a file now")
    assert box.changes() == ["C /a", "D /a/a", "C /a/b"]
    entries = [entry.path for entry, _ in changeset(str(box.upper), box.layers)]
    assert entries == [b"", b"a", b"a/.wh.a", b"a/b"]
    check_round_trip(box)


@pytest.mark.root
def test_a_directory_replaced_by_a_file_and_a_file_by_a_directory(box: Union):
    shutil.rmtree(box.root / "a")
    (box.root / "a").symlink_to("d")
    (box.root / "c").unlink()
    (box.root / "c").mkdir()
    (box.root / "c" / "x").touch()
    assert box.changes() == ["C /a", "C /c", "A /c/x"]
    check_round_trip(box)


@pytest.mark.root
def test_content_changed_under_the_same_size_and_time_is_a_change(box: Union):
    (box.root / "a" / "a").write_bytes(b"ONE")
    os.utime(box.root / "a" / "a", ns=(2, 2))
    assert box.changes() == ["C /a", "C /a/a"]


@pytest.mark.root
def test_a_file_copied_up_and_left_as_it_was_is_no_change(box: Union):
    with (box.root / "a" / "a").open("ab"):
        pass
    os.utime(box.root / "a" / "a", ns=(2, 2))
    assert (box.upper / "a" / "a").exists()
    assert box.changes() == []
    assert box.layer() == bytes(1024)


@pytest.mark.root
def test_a_directorys_time_alone_is_kept_but_not_listed(box: Union):
    os.utime(box.root / "a" / "b", ns=(9, 9))
    assert box.changes() == []
    check_round_trip(box)


@pytest.mark.root
def test_excluded_paths_leave_no_trace(box: Union):
    for stub in ("dev", "proc", "sys"):
        (box.root / stub).mkdir()
    (box.root / "dev" / "null").touch()
    (box.root / "a" / "hosts").touch()
    stubs = {b"dev", b"proc", b"sys", b"a/hosts"}
    assert changes(str(box.upper), box.layers, exclude=stubs) == []
    assert box.layer(exclude=stubs) == bytes(1024)
    (box.root / "a" / "real").touch()
    found = changes(str(box.upper), box.layers, exclude=stubs)
    assert found == [Change(b"a", "C"), Change(b"a/real", "A")]


@pytest.mark.root
def test_sockets_and_whiteout_names_are_left_out_with_a_note(box: Union):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(box.root / "sock"))
    (box.root / ".wh.a").touch()
    parts: list[bytes] = []
    stats = write_layer(str(box.upper), box.layers, parts.append)
    assert stats.notes == (
        "left out '.wh.a': a name that would be taken for a whiteout",
        "left out 'sock': a socket",
    )


@pytest.mark.root
def test_links_made_in_the_container_stay_links(box: Union):
    (box.root / "n1").write_bytes(b"x" * 5000)
    os.link(box.root / "n1", box.root / "a" / "n2")
    entries = {entry.path: entry for entry, _ in changeset(str(box.upper), box.layers)}
    assert entries[b"n1"].kind is Kind.HARDLINK
    assert entries[b"n1"].link == b"a/n2"
    check_round_trip(box)


@pytest.mark.root
def test_a_link_that_copying_up_broke_is_broken_in_the_layer_too(box: Union):
    (box.root / "a" / "b" / "d").chmod(0o4755)
    assert (box.root / "a" / "b" / "d").stat().st_nlink == 1
    assert box.changes() == []
    check_round_trip(box)


@pytest.mark.root
def test_owners_are_translated_and_times_clamped(box: Union):
    (box.root / "new").touch()
    data = box.layer(owners=lambda uid, gid: (uid + 7, gid + 8), clamp_ns=1_000)
    with sealed(box.folder / "top", data) as top:
        node = top.lookup(b"new")
        assert node is not None
        assert (node.uid, node.gid, node.mtime_ns) == (7, 8, 1000)


def test_a_plain_directory_over_nothing_is_all_added(tmp_path: Path):
    upper = tmp_path / "upper"
    (upper / "x").mkdir(parents=True)
    (upper / "x" / "y").write_text("z")
    assert changes(str(upper), []) == [Change(b"x", "A"), Change(b"x/y", "A")]


def test_a_nest_deeper_than_the_path_limit_is_walked(tmp_path: Path):
    upper = tmp_path / "upper"
    upper.mkdir()
    fd = os.open(upper, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("deep", dir_fd=fd)
        below = os.open("deep", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(fd)
    try:
        parts: list[bytes] = []
        assert write_layer(str(upper), [], parts.append).entries == 1501
        with sealed(tmp_path / "layer", b"".join(parts)) as layer:
            assert len(list(layer.walk())) == 1501
    finally:
        remove_tree(str(upper))  # deeper than shutil goes


def test_a_file_that_changes_while_it_is_read_does_not_break_the_tar(tmp_path: Path):
    upper = tmp_path / "upper"
    upper.mkdir()
    for name in ("grows", "shrinks", "vanishes"):
        (upper / name).write_bytes(b"x" * 400_000)
    found = changeset(str(upper), [])
    from lamina.layer.diff import write_entries

    def meddle() -> Iterator[tuple[Entry, object]]:
        for entry, body in found:
            if entry.path == b"grows":
                (upper / "grows").write_bytes(b"x" * 500_000)
            if entry.path == b"shrinks":
                (upper / "shrinks").write_bytes(b"y" * 10)
            if entry.path == b"vanishes":
                (upper / "vanishes").unlink()
            yield entry, body

    parts: list[bytes] = []
    stats = write_entries(meddle(), parts.append, [])  # type: ignore[arg-type]
    assert len(stats.notes) == 3
    with sealed(tmp_path / "layer", b"".join(parts)) as layer:
        node = layer.lookup(b"shrinks")
        assert node is not None
        assert layer.read(node) == b"y" * 10 + bytes(399_990)
