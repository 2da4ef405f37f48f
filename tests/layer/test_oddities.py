"""Tars that builders wrote once, or that somebody wrote to confuse: each read as extraction reads it."""

import os
import subprocess
from pathlib import Path

import pytest
from tests.images import write_layout
from tests.layer.bombs import extended, header, named, record
from tests.layer.trees import (
    erofs,
    facts_of_directory,
    facts_of_tree,
    overlay,
    sealed,
    tar_of,
)

from lamina.layer.entry import Entry, EntryInvalid, Kind
from lamina.layer.sealed import SealedLayer
from lamina.layer.view import Tree

ROOT = Entry(b"", Kind.DIRECTORY, 0o755)


def link(path: bytes, target: bytes) -> Entry:
    return Entry(path, Kind.HARDLINK, link=target)


def file(path: bytes) -> Entry:
    return Entry(path, Kind.FILE)


def names(layer: SealedLayer) -> list[bytes]:
    return [path for path, _ in layer.walk()]


def content(layer: SealedLayer, path: bytes) -> bytes:
    node = layer.lookup(path)
    assert node is not None, path
    return layer.read(node)


@pytest.mark.parametrize("letter", [b"0", b"\0", b"7"])
def test_the_body_of_an_old_directory_is_not_read_as_entries(tmp_path: Path, letter: bytes):
    data = header(letter, 512, b"old/") + named(b"smuggled") + named(b"after")
    with sealed(tmp_path / "layer", data) as layer:
        assert names(layer) == [b"", b"after", b"old"]


@pytest.mark.root
@pytest.mark.parametrize("lead", [b"", extended(b"x", record(b"path", b"./odd/"))])
@pytest.mark.parametrize("letter", [b"0", b"\0"])
def test_a_name_that_ends_in_a_slash_is_what_other_engines_make_of_it(
    tmp_path: Path, letter: bytes, lead: bytes
):
    # umoci reads it with Go's library, as docker, podman and containerd do.
    data = lead + header(letter, 0, b"odd" if lead else b"odd/") + named(b"after") + bytes(1024)
    write_layout(tmp_path / "layout", [data])
    command = ["umoci", "unpack", "--image", f"{tmp_path}/layout:latest", f"{tmp_path}/bundle"]
    subprocess.run(command, check=True, capture_output=True)
    wanted = facts_of_directory(tmp_path / "bundle" / "rootfs")
    with sealed(tmp_path / "layer", data) as layer:
        found = facts_of_tree(Tree.of([layer]))
    assert {path: fact[0] for path, fact in found.items()} == {
        path: fact[0] for path, fact in wanted.items()
    }


@pytest.mark.parametrize("lead", [b"", extended(b"x", record(b"path", b"./odd/"))])
def test_a_regular_file_whose_name_ends_in_a_slash_keeps_its_body(tmp_path: Path, lead: bytes):
    data = lead + header(b"0", 3, b"odd" if lead else b"odd/") + b"abc" + bytes(509)
    with sealed(tmp_path / "layer", data + named(b"after")) as layer:
        assert content(layer, b"odd") == b"abc"


@pytest.mark.parametrize("letter", list(b"123456"))
def test_what_has_no_body_has_none_whatever_size_it_states(tmp_path: Path, letter: int):
    block = bytearray(header(bytes([letter]), 512, b"odd"))
    block[157:158] = b"f" if letter in b"12" else b"\0"
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    data = named(b"f") + bytes(block) + named(b"after")
    with sealed(tmp_path / "layer", data) as layer:
        assert b"after" in names(layer)


@pytest.mark.parametrize("text", [b"9" * 20, b"-9223372036854775809", b"99999999999999999999.5"])
def test_a_time_that_no_clock_can_say_is_corrupt(tmp_path: Path, text: bytes):
    data = extended(b"x", record(b"mtime", text)) + named(b"f")
    with pytest.raises(EntryInvalid, match="not possible"):
        sealed(tmp_path / "layer", data)


def test_a_path_through_a_hard_link_to_a_long_symlink_follows_it(tmp_path: Path):
    target = b"d/" * 300 + b"e"
    data = tar_of([
        ROOT, Entry(b"s", Kind.SYMLINK, 0o777, link=target), link(b"t", b"s"), file(b"t/f"),
    ])  # fmt: skip
    with sealed(tmp_path / "layer", data) as layer:
        assert layer.lookup(target + b"/f") is not None


def test_files_kept_for_hard_links_by_the_old_aufs_driver_are_found(tmp_path: Path):
    data = tar_of([
        ROOT, (file(b".wh..wh.plnk/123.456"), b"kept"), Entry(b"x", Kind.DIRECTORY),
        file(b"x"), link(b"d/one", b".wh..wh.plnk/123.456"), link(b"d/two", b"d/one"),
    ])  # fmt: skip
    with sealed(tmp_path / "layer", data) as layer:
        assert content(layer, b"d/one") == content(layer, b"d/two") == b"kept"
        assert names(layer) == [b"", b"d", b"d/one", b"d/two", b"x"]


@pytest.mark.root
def test_a_device_that_overlayfs_takes_for_a_whiteout_is_one(tmp_path: Path):
    mark = Entry(b"d/f", Kind.CHARACTER, 0o600, device=(0, 0))
    nothing = Entry(b"d/none", Kind.CHARACTER, 0o600, device=(0, 0))
    low = tar_of([ROOT, Entry(b"d", Kind.DIRECTORY), (file(b"d/f"), b"x"), file(b"d/g")])
    high = tar_of([ROOT, Entry(b"d", Kind.DIRECTORY), mark, nothing])
    with (
        sealed(tmp_path / "low", low) as below, sealed(tmp_path / "high", high, [below]) as above,
        erofs(below, tmp_path / "m1") as one, erofs(above, tmp_path / "m2") as two,
        overlay([one, two], tmp_path / "union") as union,
    ):  # fmt: skip
        facts = facts_of_directory(union)
        assert sorted(facts) == [b"", b"d", b"d/g"]
        assert facts_of_tree(Tree.of([below, above])) == facts


def test_a_hard_link_to_such_a_device_is_a_link_to_nothing(tmp_path: Path):
    mark = Entry(b"f", Kind.CHARACTER, device=(0, 0))
    with pytest.raises(EntryInvalid, match="neither this layer"):
        sealed(tmp_path / "layer", tar_of([ROOT, mark, link(b"l", b"f")]))


def test_zeros_at_the_very_end_of_a_tar_without_end_marker_are_there(tmp_path: Path):
    size = 100_000
    sparse = b"1\n0\n%d\n" % size
    head = record(b"GNU.sparse.major", b"1") + record(b"GNU.sparse.minor", b"0")
    head += record(b"GNU.sparse.realsize", b"%d" % (size + 700))
    data = extended(b"x", head) + header(b"0", 512 + size, b"f") + sparse.ljust(512, b"\0")
    data += bytes(size)
    with sealed(tmp_path / "layer", data) as layer:
        assert content(layer, b"f") == bytes(size + 700)
        layer.verify()


@pytest.mark.parametrize("letter", [b"V", b"N"])
def test_names_before_a_label_are_not_the_next_entrys(tmp_path: Path, letter: bytes):
    data = extended(b"L", b"wrong\0") + extended(b"x", record(b"mtime", b"9"))
    data += header(letter, 0, b"label") + named(b"right")
    with sealed(tmp_path / "layer", data) as layer:
        assert names(layer) == [b"", b"right"]
        assert layer.lookup(b"right").mtime_ns == 0  # type: ignore[union-attr]


def test_a_pax_record_without_a_keyword_is_corrupt(tmp_path: Path):
    with pytest.raises(EntryInvalid, match="does not fit"):
        sealed(tmp_path / "layer", extended(b"x", b"4 =\n") + named(b"f"))


ACL = bytes.fromhex("02000000" + "01000600ffffffff" + "04000400ffffffff" + "20000400ffffffff")
CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")
IMPOSSIBLE = [
    (Kind.SYMLINK, "user.k", b"v"),
    (Kind.FIFO, "user.k", b"v"),
    (Kind.SYMLINK, "system.posix_acl_access", ACL),
    (Kind.FILE, "system.posix_acl_default", ACL),
    (Kind.FILE, "system.posix_acl_access", b"\2\0\0\0"),
    (Kind.FILE, "system.posix_acl_access", b"nonsense"),
    (Kind.FILE, "security.capability", b"short"),
    (Kind.FILE, "security.capability", CAPABILITY[:12]),
]


@pytest.mark.root
@pytest.mark.parametrize(("kind", "name", "value"), IMPOSSIBLE, ids=range(8))
def test_attributes_that_linux_cannot_read_do_not_hinder_a_change_in_the_container(
    tmp_path: Path, kind: Kind, name: str, value: bytes
):
    link = b"x" if kind is Kind.SYMLINK else b""
    good = (("security.capability", CAPABILITY), ("system.posix_acl_access", ACL), ("user.k", b"v"))
    data = tar_of([
        ROOT, Entry(b"odd", kind, 0o644, link=link, xattrs=((name, value),)),
        Entry(b"good", Kind.FILE, 0o644, xattrs=good),
    ])  # fmt: skip
    with (
        sealed(tmp_path / "layer", data) as layer, erofs(layer, tmp_path / "mount") as mount,
        overlay([mount], tmp_path / "union", upper=tmp_path / "upper") as union,
    ):  # fmt: skip
        wanted = facts_of_tree(Tree.of([layer]))
        assert facts_of_directory(mount) == wanted
        assert (wanted[b"odd"][7], wanted[b"good"][7]) == ((), good)
        os.lchown(union / "odd", 5, 5)
        assert os.lstat(union / "odd").st_uid == 5
