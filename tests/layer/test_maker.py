"""One file at a time: its mode whatever the umask, its owner or a record of it, its marks."""

import os
import stat
from pathlib import Path

import pytest
from tests.layer.trees import sealed, tar_of

from lamina.layer.bodies import Bodies
from lamina.layer.entry import Entry, Kind
from lamina.layer.maker import Maker
from lamina.layer.recorded import RECORD

MODES = (0, 0o400, 0o644, 0o666, 0o777, 0o1777, 0o2755, 0o4755, 0o6711, 0o7777)


def made(tmp_path, layer, maker):
    """Make everything in the layer's root; give the folder."""
    target = tmp_path / "target"
    target.mkdir()
    fd = os.open(target, os.O_RDONLY)
    with Bodies() as bodies:
        for name, node in layer.listdir(b""):
            if node.kind is Kind.FILE:
                maker.file(fd, name, node, bodies)
            else:
                maker.other(fd, name, node)
    os.close(fd)
    return target


def plain(umask=0):
    return Maker(privileged=False, owners=False, umask=umask)


@pytest.mark.parametrize("umask", [0, 0o022, 0o077])
def test_modes_are_the_layers_whatever_the_umask(tmp_path: Path, umask):
    items = [(Entry(b"%o" % mode, Kind.FILE, mode), b"x") for mode in MODES]
    before = os.umask(umask)
    try:
        with sealed(tmp_path / "l", tar_of(items)) as layer:
            target = made(tmp_path, layer, plain(umask))
    finally:
        os.umask(before)
    assert {int(path.name, 8): stat.S_IMODE(path.stat().st_mode) for path in target.iterdir()} == {
        mode: mode for mode in MODES
    }


def test_an_owner_without_a_place_is_recorded_and_ours_is_not(tmp_path: Path):
    items: list[Entry | tuple[Entry, bytes]] = [
        (Entry(b"ours", Kind.FILE, 0o644, 0, 0), b"1"),
        (Entry(b"shadow", Kind.FILE, 0o440, 0, 42, xattrs=(("user.k", b"v"),)), b"2"),
        Entry(b"null", Kind.CHARACTER, 0o666, 0, 0, device=(1, 3)),
        Entry(b"disk", Kind.BLOCK, 0o660, 0, 6, device=(8, 1)),
    ]
    with sealed(tmp_path / "l", tar_of(items)) as layer:
        target = made(tmp_path, layer, plain())
    assert os.listxattr(target / "ours") == []
    assert os.getxattr(target / "shadow", RECORD) == b"0:42"
    assert os.getxattr(target / "shadow", "user.k") == b"v"
    assert os.getxattr(target / "null", RECORD) == b"0:0:c:1:3"
    assert os.getxattr(target / "disk", RECORD) == b"0:6:b:8:1"
    assert stat.S_IMODE((target / "disk").stat().st_mode) == 0o660


def test_a_layer_cannot_bring_a_record_of_its_own(tmp_path: Path):
    items = [(Entry(b"f", Kind.FILE, 0o644, xattrs=((RECORD, b"0:0"), ("user.k", b"v"))), b"1")]
    with sealed(tmp_path / "l", tar_of(items)) as layer:
        target = made(tmp_path, layer, plain())
    assert os.listxattr(target / "f") == ["user.k"]


@pytest.mark.root
def test_set_id_bits_and_capabilities_outlive_the_change_of_owner(tmp_path: Path):
    capability = bytes.fromhex("0100000200200000000000000000000000000000")
    items = [
        (Entry(b"set", Kind.FILE, 0o6755, 5, 6), b"1"),
        (Entry(b"ping", Kind.FILE, 0o755, 0, 7, xattrs=(("security.capability", capability),)), b"2"),
    ]  # fmt: skip
    with sealed(tmp_path / "l", tar_of(items)) as layer:
        target = made(tmp_path, layer, Maker(privileged=True, owners=True, umask=0))
    status = (target / "set").stat()
    assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (0o6755, 5, 6)
    assert os.getxattr(target / "ping", "security.capability") == capability


@pytest.mark.root
def test_links_pipes_and_devices_get_owner_and_time(tmp_path: Path):
    items = [
        Entry(b"link", Kind.SYMLINK, 0o777, 5, 6, mtime_ns=7, link=b"no/where"),
        Entry(b"pipe", Kind.FIFO, 0o620, 5, 6, mtime_ns=8),
        Entry(b"null", Kind.CHARACTER, 0o666, 5, 6, mtime_ns=9, device=(1, 3)),
    ]
    with sealed(tmp_path / "l", tar_of(items)) as layer:
        target = made(tmp_path, layer, Maker(privileged=True, owners=True, umask=0o022))
    facts = {path.name: path.lstat() for path in target.iterdir()}
    assert [(facts[n].st_uid, facts[n].st_gid, facts[n].st_mtime_ns) for n in ("link", "pipe", "null")] == [
        (5, 6, 7), (5, 6, 8), (5, 6, 9)
    ]  # fmt: skip
    assert stat.filemode(facts["pipe"].st_mode) == "prw--w----"
    assert stat.filemode(facts["null"].st_mode) == "crw-rw-rw-"
    assert facts["null"].st_rdev == os.makedev(1, 3)


def test_nothing_that_is_there_is_written_to(tmp_path: Path):
    with sealed(tmp_path / "l", tar_of([(Entry(b"f", Kind.FILE), b"1")])) as layer:
        target = made(tmp_path, layer, plain())
        (target / "f").unlink()
        (target / "f").symlink_to(tmp_path / "victim")
        fd = os.open(target, os.O_RDONLY)
        with Bodies() as bodies, pytest.raises(FileExistsError):
            plain().file(fd, b"f", layer.lookup(b"f"), bodies)
        os.close(fd)
    assert not (tmp_path / "victim").exists()
