"""What is unusual in a layer comes out of every driver as it went in, and back in again."""

import os
import stat
from pathlib import Path

import pytest
from tests.contracts.test_snapshotter import DRIVERS, IN_NAMESPACE, ONE_ID, Situation
from tests.layer.trees import gnu_tar, tar_of
from tests.snapshot.piles import seal

from lamina.layer.changeset import changeset
from lamina.layer.diff import changes
from lamina.layer.entry import Entry, Kind
from lamina.settings import Settings

pytestmark = pytest.mark.root

CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")
ODD: list[Entry | tuple[Entry, bytes]] = [
    Entry(b"", Kind.DIRECTORY, 0o755),
    Entry(b"locked", Kind.DIRECTORY, 0, mtime_ns=7),
    (Entry(b"locked/secret", Kind.FILE, 0), b"secret"),
    (Entry(b"n\xff\xfeme", Kind.FILE, 0o644), b"no text"),
    Entry(b"pipe", Kind.FIFO, 0o620, mtime_ns=9),
    Entry(b"null", Kind.CHARACTER, 0o666, device=(1, 3)),
    (Entry(b"setid", Kind.FILE, 0o6755), b"x"),
    (Entry(b"able", Kind.FILE, 0o755, xattrs=(("security.capability", CAPABILITY),)), b"x"),
    (Entry(b"shadow", Kind.FILE, 0o640, 0, 42, xattrs=(("user.k", b"v"),)), b"root:*"),
    Entry(b"home", Kind.DIRECTORY, 0o700, 1000, 1000),
    (Entry(b"home/one", Kind.FILE, 0o600, 1000, 1000), b"linked"),
    Entry(b"home/two", Kind.HARDLINK, link=b"home/one"),
    Entry(b"sticky", Kind.DIRECTORY, 0o1777),
]


@pytest.fixture(params=DRIVERS)
def odd(request, settings, tmp_path):
    """A place, and the pile of an image of oddities."""
    chosen = Settings(settings.root, settings.run_root, "", storage_driver=request.param)
    place = Situation(chosen)
    folder = tmp_path / "folder"
    folder.mkdir()
    with (folder / "sparse").open("wb") as file:
        file.seek(1 << 24)
        file.write(b"end")
    return place, seal(place.layers, tar_of(ODD), gnu_tar(folder, "--sparse"))


def owner(uid, gid):
    """What a program in the container sees of an owner."""
    return (0, 0) if ONE_ID else (uid, gid)


def test_it_is_shown_as_the_layers_say(odd):
    place, pile = odd
    stack = place.snapshotter.prepare("c1", pile)
    with place.mounted(stack, "m") as root:
        top = Path(root)
        found = {path: path.lstat() for path in top.iterdir()}
        modes = {path.name: stat.S_IMODE(row.st_mode) for path, row in found.items()}
        assert modes == {
            "locked": 0, "n\udcff\udcfeme": 0o644, "pipe": 0o620, "null": 0o666, "setid": 0o6755,
            "able": 0o755, "shadow": 0o640, "home": 0o700, "sticky": 0o1777, "sparse": 0o644,
        }  # fmt: skip
        assert stat.S_IMODE((top / "locked/secret").lstat().st_mode) == 0
        assert (top / "locked/secret").read_bytes() == b"secret"
        assert found[top / "locked"].st_mtime_ns == 7
        assert (top / "n\udcff\udcfeme").read_bytes() == b"no text"
        assert stat.S_ISFIFO(found[top / "pipe"].st_mode)
        assert found[top / "pipe"].st_mtime_ns == 9
        null = found[top / "null"]
        if IN_NAMESPACE:
            assert stat.S_ISREG(null.st_mode)
            assert null.st_size == 0
        else:
            assert (stat.S_ISCHR(null.st_mode), null.st_rdev) == (True, os.makedev(1, 3))
        assert os.getxattr(top / "able", "security.capability") == CAPABILITY
        assert os.getxattr(top / "shadow", "user.k") == b"v"
        shadow, one, two = (os.stat(top / name) for name in ("shadow", "home/one", "home/two"))
        assert (shadow.st_uid, shadow.st_gid) == owner(0, 42)
        assert (one.st_uid, one.st_gid) == owner(1000, 1000)
        assert (one.st_ino, one.st_nlink) == (two.st_ino, 2)
        sparse = os.stat(top / "sparse")
        assert sparse.st_size == (1 << 24) + 3
        with (top / "sparse").open("rb") as file:
            file.seek(1 << 24)
            assert file.read() == b"end"
        if place.snapshotter.name != "sealed":  # EROFS counts a sparse file's size
            assert sparse.st_blocks * 512 < 1 << 20


def test_a_container_that_only_looked_changed_nothing(odd):
    place, pile = odd
    stack = place.snapshotter.prepare("c1", pile)
    with place.mounted(stack, "m") as root:
        for folder, _, names in os.walk(root):
            for name in names:
                os.lstat(os.path.join(folder, name))
    with place.snapshotter.changed("c1") as upper, place.layers.opened(pile) as parents:
        assert changes(upper.path, parents, marks=upper.marks) == []


def test_a_change_keeps_what_was_not_changed(odd):
    place, pile = odd
    stack = place.snapshotter.prepare("c1", pile)
    with place.mounted(stack, "m") as root:
        top = Path(root)
        for name in ("shadow", "locked/secret", "n\udcff\udcfeme", "setid", "able", "home/two"):
            with (top / name).open("ab") as file:
                file.write(b"+")
        (top / "setid").chmod(0o6755)  # a write takes set-ID bits, as everywhere
        os.setxattr(top / "able", "security.capability", CAPABILITY)
        (top / "null").chmod(0o600)
        (top / "pipe").chmod(0o600)
        (top / "home").chmod(0o755)
        with (top / "sparse").open("r+b") as file:
            file.write(b"start")
    with place.snapshotter.changed("c1") as upper, place.layers.opened(pile) as parents:
        rows = changeset(upper.path, parents, marks=upper.marks)
        entries = {entry.path: (entry, b"".join(body()) if body else b"") for entry, body in rows}
        blocks = os.lstat(f"{upper.path}/sparse").st_blocks
    assert facts(entries, b"shadow") == (Kind.FILE, 0o640, 0, 42, b"root:*+")
    assert entries[b"shadow"][0].xattrs == (("user.k", b"v"),)
    assert facts(entries, b"locked") == (Kind.DIRECTORY, 0, 0, 0, b"")
    assert facts(entries, b"locked/secret") == (Kind.FILE, 0, 0, 0, b"secret+")
    assert facts(entries, b"n\xff\xfeme") == (Kind.FILE, 0o644, 0, 0, b"no text+")
    assert facts(entries, b"setid") == (Kind.FILE, 0o6755, 0, 0, b"x+")
    assert facts(entries, b"able") == (Kind.FILE, 0o755, 0, 0, b"x+")
    assert entries[b"able"][0].xattrs == (("security.capability", CAPABILITY),)
    assert facts(entries, b"null") == (Kind.CHARACTER, 0o600, 0, 0, b"")
    assert entries[b"null"][0].device == (1, 3)
    assert facts(entries, b"pipe") == (Kind.FIFO, 0o600, 0, 0, b"")
    assert facts(entries, b"home") == (Kind.DIRECTORY, 0o755, 1000, 1000, b"")
    assert entries[b"home/two"][0].uid == 1000
    linked = [text for path, (_, text) in entries.items() if path.startswith(b"home/") and text]
    assert linked == [b"linked+"]
    assert entries[b"sparse"][1][:5] == b"start"
    assert entries[b"sparse"][1][-3:] == b"end"
    assert blocks * 512 < 1 << 20
    assert b"sticky" not in entries


def facts(entries, path):
    entry, body = entries[path]
    return entry.kind, entry.mode, entry.uid, entry.gid, body
