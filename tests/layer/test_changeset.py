"""The layer of what a container changed: applied, it gives the same tree again."""

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.layer.changesets import Change as Step
from tests.layer.changesets import (
    Piece,
    change_anything,
    changesets,
    container_changes,
    container_moves,
)
from tests.layer.trees import sealed, tar_of
from tests.layer.unions import BASE, Union, check_round_trip, union

from lamina.layer.changeset import changeset, write_entries, write_layer
from lamina.layer.diff import Change, changes
from lamina.layer.entry import Entry, Kind
from lamina.stream.files import remove_tree

MORE: list[Entry | tuple[Entry, bytes]] = [
    Entry(b"", Kind.DIRECTORY, 0o755),
    Entry(b"a", Kind.DIRECTORY, 0o750, mtime_ns=5),
    (Entry(b"a/c", Kind.FILE, mtime_ns=6), b"over"),
    Entry(b"a/.wh.a", Kind.FILE),
    Entry(b"d", Kind.DIRECTORY, 0o1777),
    Entry(b"d/b", Kind.DIRECTORY, 0o755),
    (Entry(b"d/b/a", Kind.FILE), b"deep"),
    Entry(b"d/b/c", Kind.DIRECTORY, 0o711),
    (Entry(b"d/b/c/b", Kind.FILE), b"deeper"),
    Entry(b"d/b/c/d", Kind.SYMLINK, 0o777, link=b"b"),
]


@pytest.fixture(params=[True, False], ids=["marks", "copies"])
def box(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Union]:
    with union(tmp_path, tar_of(BASE), marks=request.param) as made:
        yield made


@pytest.mark.root
@given(container_changes(), st.booleans())
def test_changes_then_layer_then_apply_is_the_same_tree(steps: list[Step], marks: bool):
    with tempfile.TemporaryDirectory() as name, union(Path(name), tar_of(BASE), marks=marks) as box:
        for step in steps:
            change_anything(box.root, step)
        check_round_trip(box)


@pytest.mark.root
@given(container_moves())
def test_moves_then_layer_then_apply_is_the_same_tree(steps: list[Step]):
    with (
        tempfile.TemporaryDirectory() as name,
        union(Path(name), tar_of(BASE), tar_of(MORE)) as box,
    ):
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


def test_a_new_directory_is_written_as_the_slow_way_writes_it(tmp_path: Path):
    upper = tmp_path / "upper"
    new = upper / "new"
    (new / "below" / "empty").mkdir(parents=True)
    (new / "below.txt").write_bytes(b"sorted after what is below")
    for size in (0, 1, 511, 512, 513, 300_000, 1024 * 1024 + 1):
        (new / "below" / str(size)).write_bytes(b"x" * size)
    (new / "link").symlink_to("below")
    os.link(new / "below" / "513", new / "zlink")
    os.mkfifo(new / "pipe")
    os.setxattr(new / "below" / "512", "user.k", b"v")
    (new / os.fsdecode(b"latin\xe9")).touch()
    (new / ("long" * 30)).touch()
    (new / "left").mkdir()
    (new / ".wh.x").touch()
    parts: list[bytes] = []
    stats = write_layer(str(upper), [], parts.append, exclude={b"new/left"})
    other: list[bytes] = []
    notes: list[str] = []
    found = changeset(str(upper), [], exclude={b"new/left"}, notes=notes)
    assert write_entries(found, other.append, []) == replace(stats, notes=())
    assert b"".join(parts) == b"".join(other)
    assert (
        list(stats.notes)
        == notes
        == ["left out 'new/.wh.x': a name that would be taken for a whiteout"]
    )
    listed = [change.path for change in changes(str(upper), [], exclude={b"new/left"})]
    assert listed.count(b"new/below/513") == 1
    assert b"new/left" not in listed
    assert len(listed) == stats.entries  # the root is written, the whiteout's name is listed


def test_small_files_that_change_while_they_are_read_are_noted(tmp_path: Path, monkeypatch):
    upper = tmp_path / "upper"
    upper.mkdir()
    for name in ("grows", "shrinks"):
        (upper / name).write_bytes(b"x" * 1000)
    real = os.fstat

    def meddle(fd: int) -> os.stat_result:
        found = real(fd)
        path = os.readlink(f"/proc/self/fd/{fd}")
        if path.endswith(("grows", "shrinks")):
            os.truncate(path, 2000 if path.endswith("grows") else 10)
        return found

    monkeypatch.setattr(os, "fstat", meddle)
    parts: list[bytes] = []
    stats = write_layer(str(upper), [], parts.append)
    assert stats.notes == (
        "'grows' grew while it was read", "'shrinks' shrank while it was read",
    )  # fmt: skip
    with sealed(tmp_path / "layer", b"".join(parts)) as layer:
        found = {path: layer.read(node) for path, node in layer.walk() if path}
    assert found == {b"grows": b"x" * 1000, b"shrinks": b"x" * 10 + bytes(990)}


@pytest.mark.root
def test_names_that_a_moved_folder_leaves_behind_are_files_of_their_own(tmp_path: Path):
    items: list[Entry | tuple[Entry, bytes]] = [
        Entry(b"", Kind.DIRECTORY, 0o755),
        Entry(b"a", Kind.DIRECTORY, 0o755),
        (Entry(b"a/f", Kind.FILE), b"one"),
        Entry(b"a/g", Kind.HARDLINK, link=b"a/f"),
        Entry(b"h", Kind.HARDLINK, link=b"a/f"),
    ]
    with union(tmp_path, tar_of(items)) as box:
        (box.root / "a").rename(box.root / "z")
        assert box.changes() == ["D /a", "A /z", "A /z/f", "A /z/g"]
        entries = {entry.path: entry for entry, _ in changeset(str(box.upper), box.layers)}
        assert (entries[b"z/f"].kind, entries[b"z/g"].link) == (Kind.FILE, b"z/f")
        check_round_trip(box)
