"""The copied driver's own corners; what it shares with the others is in tests/contracts."""

import os
import subprocess
from dataclasses import replace

import pytest
from tests.images import Piece, tar
from tests.layer.trees import tar_of
from tests.snapshot.piles import seal

from lamina.layer.entry import Entry, Kind
from lamina.layer.stack import Stack
from lamina.snapshot.copied import CopiedDriver
from lamina.snapshot.layers import Layers
from lamina.store.disk import make

ROOT = Piece("./", directory=True, mode=0o755)


@pytest.fixture
def layers(tmp_path):
    return Layers(make(str(tmp_path / "root")).root)


def driver(layers):
    return CopiedDriver(layers, in_namespace=True, owners=False)


def copy(layers, pile, target):
    os.mkdir(target)
    assert driver(layers).fill(str(target), pile) is False


def test_holes_of_sparse_files_stay_holes(layers, tmp_path):
    name = tmp_path / "sparse"
    with open(name, "wb") as file:
        file.seek(8 << 20)
        file.write(b"end")
    data = subprocess.run(
        ["tar", "-C", tmp_path, "--sparse", "-cf", "-", "sparse"], check=True, capture_output=True
    ).stdout
    assert len(data) < 1 << 20
    pile = seal(layers, data)
    copy(layers, pile, tmp_path / "copy")
    found = os.stat(tmp_path / "copy/sparse")
    assert found.st_size == (8 << 20) + 3
    assert found.st_blocks * 512 < 1 << 20
    assert (tmp_path / "copy/sparse").read_bytes() == name.read_bytes()


def test_a_file_whose_time_was_set_back_after_a_change_counts_as_changed(layers, tmp_path):
    uid, gid = os.getuid(), os.getgid()  # no other owner counts as a change
    pieces = [Piece(name, body, uid=uid, gid=gid) for name, body in (("a", b"one"), ("b", b"two"))]
    pile = seal(layers, tar([ROOT, *pieces]))
    copy(layers, pile, tmp_path / "copy")
    since_ns = os.stat(tmp_path / "copy/a").st_ctime_ns
    with open(tmp_path / "copy/a", "r+b") as file:
        file.write(b"eno")
    os.utime(tmp_path / "copy/a", (1_700_000_000, 1_700_000_000))
    with driver(layers).changed(Stack((), str(tmp_path / "copy")), pile, since_ns) as upper:
        assert os.listdir(upper.path) == ["a"]
    assert os.listdir(f"{layers.root}/snapshots/new") == []


def test_the_time_of_a_symlink_or_fifo_alone_is_a_change(layers, tmp_path):
    pile = seal(layers, tar_of([
        Entry(b"", Kind.DIRECTORY, 0o755), Entry(b"kept", Kind.SYMLINK, 0o777, link=b"x"),
        Entry(b"link", Kind.SYMLINK, 0o777, link=b"x"), Entry(b"pipe", Kind.FIFO, 0o644),
    ]))  # fmt: skip
    copy(layers, pile, tmp_path / "copy")
    for name in ("link", "pipe"):
        os.utime(tmp_path / "copy" / name, ns=(5, 5), follow_symlinks=False)
    since_ns = os.stat(tmp_path / "copy").st_ctime_ns
    with driver(layers).changed(Stack((), str(tmp_path / "copy")), pile, since_ns) as upper:
        assert sorted(os.listdir(upper.path)) == ["link", "pipe"]


@pytest.mark.root
def test_an_attribute_of_a_symlink_alone_is_a_change(layers, tmp_path):
    kept = (("user.x", b"which no symlink can have here"),)
    pile = seal(layers, tar_of([
        Entry(b"", Kind.DIRECTORY, 0o755), Entry(b"kept", Kind.SYMLINK, 0o777, link=b"x", xattrs=kept),
        Entry(b"link", Kind.SYMLINK, 0o777, link=b"x"), Entry(b"pipe", Kind.FIFO, 0o644, xattrs=kept),
    ]))  # fmt: skip
    copy(layers, pile, tmp_path / "copy")
    able = bytes.fromhex("0100000200200000" + "00" * 12)
    os.setxattr(tmp_path / "copy/link", "security.capability", able, follow_symlinks=False)
    since_ns = os.stat(tmp_path / "copy").st_ctime_ns
    with driver(layers).changed(Stack((), str(tmp_path / "copy")), pile, since_ns) as upper:
        assert os.listdir(upper.path) == ["link"]


@pytest.mark.parametrize(
    ("act", "listed"),
    [
        ("mv two three", ["one", "three", "two"]),
        ("ln one zero; rm two", ["one", "two", "zero"]),
        ("cp -p one new; mv new one", ["two"]),
        ("rm one; ln alone one", ["alone", "one"]),
        ("ln one alone2; rm alone2", []),
        ("rm two", ["two"]),
    ],
)
def test_who_is_linked_with_whom_is_compared_not_how_many(layers, tmp_path, act, listed):
    uid, gid = os.getuid(), os.getgid()
    names = [Piece("one", b"1"), Piece("two", hard="one"), Piece("alone", b"1")]
    pile = seal(layers, tar([ROOT, *(replace(piece, uid=uid, gid=gid) for piece in names)]))
    copy(layers, pile, tmp_path / "copy")
    since_ns = os.stat(tmp_path / "copy/one").st_ctime_ns
    subprocess.run(["sh", "-ec", act], cwd=tmp_path / "copy", check=True)
    with driver(layers).changed(Stack((), str(tmp_path / "copy")), pile, since_ns) as upper:
        assert sorted(os.listdir(upper.path)) == listed


def test_names_that_are_no_utf8_and_long_trees_are_copied(layers, tmp_path):
    deep = "/".join(["d" * 100] * 20)
    pile = seal(layers, tar([ROOT, Piece("a\udcff", b"1"), Piece(f"{deep}/file", b"2")]))
    copy(layers, pile, tmp_path / "copy")
    assert b"a\xff" in os.listdir(os.fsencode(tmp_path / "copy"))
    assert (tmp_path / "copy" / deep / "file").read_bytes() == b"2"


def test_a_view_is_made_once_per_pile(layers):
    pile = seal(layers, tar([ROOT, Piece("a", b"1")]))
    (first,) = driver(layers).view(pile)
    assert driver(layers).view(pile) == (first,)
    assert os.listdir(first.path) == ["a"]
    assert driver(layers).view(()) == ()
    assert driver(layers).lowers(pile) == ()
