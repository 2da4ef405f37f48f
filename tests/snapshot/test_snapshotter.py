"""Snapshots as values: what is to be mounted, without mounting. The rest is in tests/contracts."""

import os

import pytest
from tests.images import Piece, tar
from tests.snapshot.piles import seal

from lamina.layer.stack import Lower, Stack
from lamina.snapshot.checks import Checks
from lamina.snapshot.layers import Layers
from lamina.snapshot.sealed import SealedDriver
from lamina.snapshot.snapshotter import Snapshotter, Surroundings
from lamina.spec.digest import Digest
from lamina.spec.mount import Mount
from lamina.store.disk import make

ONE = tar([Piece("./", directory=True, mode=0o755), Piece("a", b"1")])
TWO = tar([Piece("./", directory=True, mode=0o700), Piece("b", b"2")])
SAFE = ("index=off", "redirect_dir=nofollow", "metacopy=off")


@pytest.fixture
def layers(tmp_path):
    return Layers(make(str(tmp_path / "root")).root)


def snapshotter(layers, **more):
    owners = os.geteuid() == 0
    surroundings = Surroundings("/run/l", owners=owners, **more)
    checks = Checks(f"{layers.root}/run")
    return Snapshotter(layers, surroundings, SealedDriver(layers, checks, "why"), checks=checks)


def test_sealed_layers_are_mounted_once_each_and_the_topmost_named_first(layers):
    one, two = pile = seal(layers, ONE, TWO)
    shots = snapshotter(layers, directio=True)
    stack = shots.prepare("c1", pile)
    first, second, overlay = shots.mounts(stack, "/target")
    assert first == Mount(
        "erofs",
        layers.path([one]),
        f"/run/l/layers/{one.hex[:32]}",
        ("ro", "nosuid", "nodev", "directio"),
    )
    assert second.target == f"/run/l/layers/{two.hex[:32]}"
    assert overlay == Mount(
        "overlay",
        "overlay",
        "/target",
        (
            f"lowerdir+={second.target}",
            f"lowerdir+={first.target}",
            f"upperdir={stack.upper}",
            f"workdir={stack.work}",
            *SAFE,
        ),
    )


def test_a_layer_that_stands_twice_in_an_image_is_mounted_once(layers):
    one, two = seal(layers, ONE, TWO)
    shots = snapshotter(layers)
    mounts = shots.mounts(shots.prepare("c1", (one, two, one)), "/target")
    assert [mount.type for mount in mounts] == ["erofs", "erofs", "overlay"]
    assert mounts[0].options == ("ro", "nosuid", "nodev")


def test_folders_are_stacked_as_they_are_and_user_namespaces_have_marks_of_their_own(layers):
    lowers = tuple(Lower(f"/l/{name}", sealed=False, diff_id=Digest.of(b"")) for name in "ab")
    shots = snapshotter(layers, userxattr=True)
    (mount,) = shots.mounts(Stack(lowers, "/up", "/work"), "/target")
    assert mount.options[:2] == ("lowerdir+=/l/b", "lowerdir+=/l/a")
    assert mount.options[4:] == ("index=off", "userxattr")
    (bare,) = shots.mounts(Stack((), "/up"), "/target")
    assert bare == Mount("bind", "/up", "/target", ("bind",))


def test_read_only_stacks_have_no_upper_and_are_padded_to_what_overlayfs_wants(layers):
    shots = snapshotter(layers)
    lower = Lower("/l/a", sealed=False, diff_id=Digest.of(b""))
    for lowers in ((lower,), ()):
        (mount,) = shots.mounts(Stack(lowers), "/target")
        assert len(set(mount.options[:2])) == 2
        assert all(option.startswith("lowerdir+=/") for option in mount.options[:2])
        assert mount.options[2:] == ("ro", *SAFE)


def test_the_new_upper_directory_is_what_the_images_root_is(layers):
    top = tar([Piece("./", directory=True, mode=0o1711, mtime=5)])
    shots = snapshotter(layers)
    piles = [((), 0o755), (seal(layers, ONE), 0o755), (seal(layers, ONE, top), 0o1711)]
    for number, (pile, mode) in enumerate(piles):
        upper = shots.prepare(f"c{number}", pile).upper
        assert os.stat(upper).st_mode & 0o7777 == mode
    assert os.stat(shots.stack("c2").upper).st_mtime == 5


def facts(path: str) -> tuple[int, int, int, int]:
    row = os.stat(path)
    return row.st_mode, row.st_uid, row.st_gid, row.st_mtime_ns


def test_the_images_root_is_looked_up_once_and_kept_as_a_note(layers, monkeypatch):
    us = (os.geteuid(), os.getegid()) if os.geteuid() == 0 else (0, 0)
    root = Piece("./", directory=True, mode=0o2751, mtime=77, uid=us[0], gid=us[1])
    pile = seal(layers, tar([root]))
    first = snapshotter(layers).prepare("c1", pile)
    monkeypatch.setattr(Layers, "open", None)  # the layer is not even opened any more
    second = snapshotter(layers).prepare("c2", pile)
    assert facts(second.upper) == facts(first.upper)
    assert (facts(second.upper)[0] & 0o7777, facts(second.upper)[3]) == (0o2751, 77_000_000_000)


def test_a_root_with_attributes_or_a_note_of_nonsense_is_looked_up_again(layers):
    root = Piece("./", directory=True, mode=0o700, mtime=77, xattrs=(("user.word", "x"),))
    pile = seal(layers, tar([root]))
    for key in ("c1", "c2"):
        stack = snapshotter(layers).prepare(key, pile)
        assert os.getxattr(stack.upper, "user.word") == b"x"
    plain = seal(layers, tar([Piece("./", directory=True, mode=0o711, mtime=5)]))
    checks = Checks(f"{layers.root}/run")
    for words in (b"", b"1 2 3", b"one two three four"):
        checks._note(f"root-{plain[0].hex}", words)
        stack = snapshotter(layers).prepare(f"n{len(words)}", plain)
        assert facts(stack.upper)[0] & 0o7777 == 0o711


def test_a_snapshotter_says_which_driver_and_why(layers):
    shots = snapshotter(layers)
    assert (shots.name, shots.reason) == ("sealed", "why")
    assert list(shots) == []


def test_marks_are_kept_over_an_upper_directory_of_root_alone(layers):
    lower = Lower("/l/a", sealed=False, diff_id=Digest.of(b""))
    shots = snapshotter(layers, metacopy=True)
    (mount,) = shots.mounts(Stack((lower,), "/up", "/work"), "/target")
    assert mount.options[-3:] == ("index=off", "redirect_dir=on", "metacopy=on")
    (view,) = shots.mounts(Stack((lower,)), "/target")
    assert view.options[-3:] == SAFE
    assert shots.metadata_changes == "copy no content"
    assert "real root only" in snapshotter(layers, userxattr=True).metadata_changes
    assert "4.19" in snapshotter(layers).metadata_changes
