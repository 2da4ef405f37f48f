"""What every storage driver must do: the same tree, the same changes, the same refusals."""

import os
import stat
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.conftest import unmount_below
from tests.images import Piece, tar
from tests.snapshot.piles import seal
from tests.store.processes import killed_after, together

from lamina.errors import AlreadyExists, Corrupt, Invalid, NotFound
from lamina.layer.changeset import changeset
from lamina.layer.diff import changes
from lamina.layer.entry import Kind
from lamina.layer.sealed import SealedLayer
from lamina.runtime.mounts import perform
from lamina.runtime.userns import mapped
from lamina.settings import Settings
from lamina.snapshot.choose import Probe, choose
from lamina.snapshot.layers import Layers
from lamina.snapshot.snapshotter import SnapshotExists, SnapshotUnknown
from lamina.spec.digest import Digest
from lamina.store.disk import make

pytestmark = pytest.mark.root

IN_NAMESPACE = Probe.of_this_machine("/").in_namespace  # see test_rootless
ONE_ID = mapped() == 1
DRIVERS = ("unpacked", "copied") if IN_NAMESPACE else ("sealed", "unpacked", "copied")
WAYS = DRIVERS if IN_NAMESPACE else (*DRIVERS, "sealed by loop")
TIME = 1_700_000_000


def directory(path, mode=0o755, **more):
    return Piece(path + "/", directory=True, mode=mode, **more)


LOW = tar(
    [
        directory(".", 0o711, uid=5, gid=6),
        directory("bin"),
        Piece("bin/tool", b"#!tool\n" * 1000, 0o4755),
        Piece("bin/link", link="tool"),
        Piece("bin/hard", hard="bin/tool"),
        Piece("bin/solo", b"#!tool\n" * 1000, 0o4755),
        directory("etc"),
        Piece("etc/kept", b"kept"),
        Piece("etc/changed", b"old"),
        Piece("etc/removed", b"x"),
        directory("etc/replaced"),
        Piece("etc/replaced/old", b"x"),
        directory("gone"),
        Piece("gone/deep", b"x"),
        Piece("becomes-folder", b"x"),
        directory("becomes-file"),
        Piece("becomes-file/x", b"x"),
        Piece("empty"),
        Piece("owned", b"x", 0o600, uid=1234, gid=5678, mtime=1.25),
        Piece("marked", b"x", xattrs=(("user.origin", "here"),)),
    ]
)
HIGH = tar(
    [
        directory(".", 0o1751, uid=7, gid=8),
        directory("etc"),
        Piece("etc/changed", b"new!"),
        Piece("etc/.wh.removed"),
        directory("etc/replaced", 0o700),
        Piece("etc/replaced/.wh..wh..opq"),
        Piece("etc/replaced/new", b"y"),
        Piece(".wh.gone"),
        directory("becomes-folder"),
        Piece("becomes-folder/y", b"y"),
        Piece("becomes-file", b"file"),
    ]
)
EXPECTED = {
    ".": ("d", 0o1751, 7, 8, TIME, b""),
    "bin": ("d", 0o755, 0, 0, TIME, b""),
    "bin/tool": ("f", 0o4755, 0, 0, TIME, b"#!tool\n" * 1000),
    "bin/link": ("l", 0o777, 0, 0, TIME, b"tool"),
    "bin/hard": ("f", 0o4755, 0, 0, TIME, b"#!tool\n" * 1000),
    "bin/solo": ("f", 0o4755, 0, 0, TIME, b"#!tool\n" * 1000),
    "etc": ("d", 0o755, 0, 0, TIME, b""),
    "etc/kept": ("f", 0o644, 0, 0, TIME, b"kept"),
    "etc/changed": ("f", 0o644, 0, 0, TIME, b"new!"),
    "etc/replaced": ("d", 0o711, 0, 0, TIME, b""),
    "etc/replaced/new": ("f", 0o644, 0, 0, TIME, b"y"),
    "becomes-folder": ("d", 0o755, 0, 0, TIME, b""),
    "becomes-folder/y": ("f", 0o644, 0, 0, TIME, b"y"),
    "becomes-file": ("f", 0o644, 0, 0, TIME, b"file"),
    "empty": ("f", 0o644, 0, 0, TIME, b""),
    "owned": ("f", 0o600, 1234, 5678, 1.25, b"x"),
    "marked": ("f", 0o644, 0, 0, TIME, b"x"),
}
if ONE_ID:  # every file is ours; whose it is in the image is recorded
    EXPECTED = {path: (*row[:2], 0, 0, *row[4:]) for path, row in EXPECTED.items()}


def facts(top):
    """What is below `top`: kind, mode, owner, time and content of every path."""
    found = {}
    for folder, folders, files in os.walk(top):
        for name in (".", *folders, *files) if folder == str(top) else (*folders, *files):
            path = os.path.join(folder, name)
            row = os.lstat(path)
            if stat.S_ISLNK(row.st_mode):
                kind, content = "l", os.readlink(path).encode()
            elif stat.S_ISDIR(row.st_mode):
                kind, content = "d", b""
            elif stat.S_ISREG(row.st_mode):
                with open(path, "rb") as file:
                    kind, content = "f", file.read()
            else:
                kind, content = oct(row.st_mode), str(row.st_rdev).encode()
            mode = stat.S_IMODE(row.st_mode)
            found[os.path.relpath(path, top)] = (
                kind, mode, row.st_uid, row.st_gid, row.st_mtime, content,
            )  # fmt: skip
    return found


class Situation:
    """A snapshotter of one driver on a root of its own."""

    def __init__(self, settings):
        self.settings = settings
        self.layers = Layers(make(settings.root).root)
        self.snapshotter = choose(settings, self.layers)

    @contextmanager
    def mounted(self, stack, name):
        target = f"{self.settings.run_root}/{name}"
        for mount in self.snapshotter.mounts(stack, target):
            if mount.type != "erofs" or not os.path.ismount(mount.target):
                perform(mount)
        try:
            yield target
        finally:
            unmount_below(Path(target))


@pytest.fixture(params=WAYS)
def place(request, settings):
    driver, _, way = request.param.partition(" by ")
    chosen = Settings(settings.root, settings.run_root, "", storage_driver=driver, erofs=way)
    situation = Situation(chosen)
    assert situation.snapshotter.name == driver
    return situation


def test_a_container_sees_the_merged_tree_with_every_attribute(place):
    pile = seal(place.layers, LOW, HIGH)
    stack = place.snapshotter.prepare("c1", pile)
    with place.mounted(stack, "m") as top:
        assert facts(top) == EXPECTED
        assert os.stat(f"{top}/bin/hard").st_ino == os.stat(f"{top}/bin/tool").st_ino
        assert os.stat(f"{top}/bin/hard").st_nlink == 2
        assert os.getxattr(f"{top}/marked", "user.origin") == b"here"


def test_what_a_container_writes_stays_in_its_own_layer(place):
    pile = seal(place.layers, LOW, HIGH)
    one, two = (place.snapshotter.prepare(key, pile) for key in ("c1", "c2"))
    with place.mounted(one, "m1") as first, place.mounted(two, "m2") as second:
        _work(first)
        assert facts(second) == EXPECTED
    for layer_pile in (pile[:1], pile):
        with place.layers.open(layer_pile) as layer:
            layer.verify()
    with place.mounted(place.snapshotter.stack("c1"), "m1") as again:
        found = facts(again)
        assert found["etc/new"][5] == b"new"
        assert "etc/kept" not in found


def _work(top):
    """What a program in a container may do."""
    with open(f"{top}/etc/new", "wb") as file:
        file.write(b"new")
    os.unlink(f"{top}/etc/kept")
    os.unlink(f"{top}/bin/link")
    with open(f"{top}/bin/solo", "r+b") as file:  # same size
        file.write(b"!#")
    with open(f"{top}/etc/changed", "r+b") as file:  # same size and time
        file.write(b"NEW?")
    os.utime(f"{top}/etc/changed", (TIME, TIME))
    os.chmod(f"{top}/empty", 0o600)
    _touch(f"{top}/owned")
    os.setxattr(f"{top}/marked", "user.origin", b"there")
    os.makedirs(f"{top}/new/deep")
    os.symlink("nowhere", f"{top}/new/link")
    os.unlink(f"{top}/becomes-folder/y")
    os.rmdir(f"{top}/becomes-folder")
    os.unlink(f"{top}/becomes-file")
    os.mkdir(f"{top}/becomes-file")


def _touch(path):
    """Change an owner, or a mode where there are no others."""
    if ONE_ID:
        os.chmod(path, 0o604)
    else:
        os.chown(path, 1, 2)


CHANGES = [
    "C becomes-file",
    "D becomes-folder",
    "C bin",
    "D bin/link",
    "C bin/solo",
    "C empty",
    "C etc",
    "C etc/changed",
    "D etc/kept",
    "A etc/new",
    "C marked",
    "A new",
    "A new/deep",
    "A new/link",
    "C owned",
]


def test_the_changes_come_in_overlayfs_form_whatever_the_driver(place):
    pile = seal(place.layers, LOW, HIGH)
    stack = place.snapshotter.prepare("c1", pile)
    with place.mounted(stack, "m") as top:
        _work(top)
    with place.snapshotter.changed("c1") as upper, place.layers.opened(pile) as parents:
        assert [
            f"{row.kind} {row.path.decode()}"
            for row in changes(upper.path, parents, marks=upper.marks)
        ] == CHANGES
        found = facts(upper.path)
        whiteouts = {path for path, row in found.items() if row[0] == oct(stat.S_IFCHR)}
        assert whiteouts == {"etc/kept", "bin/link", "becomes-folder"}
        bodies = {
            entry.path.decode(): b"".join(body()) if body else entry.link
            for entry, body in changeset(upper.path, parents, marks=upper.marks)
            if entry.kind in (Kind.FILE, Kind.SYMLINK) and b".wh." not in entry.path
        }
        assert bodies == {
            "etc/new": b"new",
            "bin/solo": b"!#tool\n" + b"#!tool\n" * 999,
            "etc/changed": b"NEW?",
            "empty": b"",
            "owned": b"x",
            "marked": b"x",
            "new/link": b"nowhere",
        }
        assert {path for path, row in found.items() if row[0] in "fl"} == set(bodies)
        assert {path for path, row in found.items() if row[0] == "d"} == {
            ".", "etc", "bin", "new", "new/deep", "becomes-file",
        }  # fmt: skip
        assert found["."][1:4] == EXPECTED["."][1:4]
        assert found["empty"][1] == 0o600
        assert found["owned"][1:4] == ((0o604, 0, 0) if ONE_ID else (0o600, 1, 2))


def test_a_container_that_wrote_nothing_has_changed_nothing(place):
    pile = seal(place.layers, LOW, HIGH)
    stack = place.snapshotter.prepare("c1", pile)
    with place.mounted(stack, "m"), place.snapshotter.changed("c1") as upper:
        assert os.listdir(upper.path) == []
    assert place.snapshotter.usage("c1") == (0, 0)


def test_usage_counts_what_the_container_wrote(place):
    pile = seal(place.layers, LOW)
    stack = place.snapshotter.prepare("c1", pile)
    with place.mounted(stack, "m") as top:
        os.mkdir(f"{top}/new")
        with open(f"{top}/new/file", "wb") as file:
            file.write(bytes(10_000))
        os.link(f"{top}/new/file", f"{top}/new/again")
    assert place.snapshotter.usage("c1") == (10_000, 2)


def test_usage_counts_no_content_that_is_still_in_the_layers(place):
    pile = seal(place.layers, LOW)
    stack = place.snapshotter.prepare("c1", pile)
    with place.mounted(stack, "m") as top:
        _touch(f"{top}/bin/solo")
        with open(f"{top}/etc/new", "wb") as file:
            file.write(bytes(100))
    copied = 7000 if place.snapshotter.name == "copied" or IN_NAMESPACE else 0
    assert place.snapshotter.usage("c1") == (100 + copied, 4)


def test_an_image_without_layers_is_an_empty_writable_tree(place):
    stack = place.snapshotter.prepare("c1", ())
    with place.mounted(stack, "m") as top:
        assert os.listdir(top) == []
        with open(f"{top}/new", "w", encoding="ascii") as file:
            file.write("x")
    with place.snapshotter.changed("c1") as upper:
        assert os.listdir(upper.path) == ["new"]
    with place.mounted(place.snapshotter.view(()), "v") as top:
        assert os.listdir(top) == []


@pytest.mark.parametrize("tars", [(LOW,), (LOW, HIGH)])
def test_a_view_shows_the_tree_and_takes_no_writes(place, tars):
    pile = seal(place.layers, *tars)
    stack = place.snapshotter.view(pile)
    assert not stack.writable
    with place.mounted(stack, "v") as top:
        if len(tars) == 2:
            assert {k: v for k, v in facts(top).items() if k != "."} == {
                k: v for k, v in EXPECTED.items() if k != "."
            }
        with pytest.raises(OSError, match="Read-only"):
            os.mkdir(f"{top}/new")


def test_a_hundred_layers_are_one_tree(place):
    tars = [tar([directory("."), Piece(f"f{i}", b"%d" % i)]) for i in range(100)]
    stack = place.snapshotter.prepare("c1", seal(place.layers, *tars))
    with place.mounted(stack, "m") as top:
        assert sorted(os.listdir(top)) == sorted(f"f{i}" for i in range(100))


def test_an_opaque_whiteout_in_the_root_hides_every_layer_below(place):
    wipe = tar([directory("."), Piece(".wh..wh..opq"), Piece("new", b"1")])
    pile = seal(place.layers, LOW, HIGH, wipe, tar([directory("."), Piece("newer", b"2")]))
    for stack, name in (
        (place.snapshotter.prepare("c1", pile), "m"),
        (place.snapshotter.view(pile), "v"),
    ):
        with place.mounted(stack, name) as top:
            assert sorted(os.listdir(top)) == ["new", "newer"]


def test_a_layer_that_does_not_list_its_root_leaves_the_root_as_the_image_has_it(place):
    pile = seal(place.layers, LOW, tar([Piece("new", b"1")]))
    stacks = [place.snapshotter.prepare("c1", pile), place.snapshotter.view(pile)]
    for number, stack in enumerate(stacks):
        with place.mounted(stack, f"m{number}") as top:
            assert facts(top)["."] == ("d", 0o711, *((0, 0) if ONE_ID else (5, 6)), TIME, b"")
            assert os.path.exists(f"{top}/new")
            assert os.path.exists(f"{top}/bin/tool")


def test_a_key_is_taken_once_even_by_many_processes_at_once(place):
    pile = seal(place.layers, LOW)
    log = f"{place.settings.root}/log"

    def run(number):
        mine = Situation(place.settings)
        try:
            mine.snapshotter.prepare("same", pile)
        except SnapshotExists:
            return
        with open(log, "a", encoding="ascii") as file:
            file.write(f"{number}\n")

    together(run, *[(number,) for number in range(5)])
    with open(log, encoding="ascii") as file:
        assert len(file.readlines()) == 1
    with pytest.raises(AlreadyExists):
        place.snapshotter.prepare("same", pile)
    assert list(place.snapshotter) == ["same"]
    assert os.listdir(f"{place.settings.root}/snapshots/new") == []


def test_the_stack_of_a_prepared_snapshot_is_found_again(place):
    pile = seal(place.layers, LOW, HIGH)
    stack = place.snapshotter.prepare("c1", pile)
    assert Situation(place.settings).snapshotter.stack("c1") == stack
    with pytest.raises(SnapshotUnknown) as error:
        place.snapshotter.stack("other")
    assert isinstance(error.value, NotFound)


def test_a_snapshot_keeps_its_driver_when_another_is_chosen(place):
    pile = seal(place.layers, LOW)
    stack = place.snapshotter.prepare("c1", pile)
    for driver in DRIVERS:
        settings = Settings(place.settings.root, place.settings.run_root, "", driver)
        assert Situation(settings).snapshotter.stack("c1") == stack


def test_removal_takes_unreadable_trees_and_is_repeatable(place):
    pile = seal(place.layers, LOW)
    stack = place.snapshotter.prepare("c1", pile)
    with place.mounted(stack, "m") as top:
        os.makedirs(f"{top}/a/b/c")
        os.chmod(f"{top}/a/b", 0)
    place.snapshotter.remove("c1")
    place.snapshotter.remove("c1")
    assert list(place.snapshotter) == []
    assert os.listdir(f"{place.settings.root}/snapshots/new") == []
    with pytest.raises(SnapshotUnknown):
        place.snapshotter.stack("c1")
    place.snapshotter.prepare("c1", pile)


def test_kill_9_while_preparing_leaves_no_snapshot_and_a_repeat_works(place):
    pile = seal(place.layers, LOW)

    def run(told):
        mine = Situation(place.settings)
        for number in range(10_000):
            mine.snapshotter.prepare(f"c{number}", pile)
            if number == 1:
                told()

    killed_after(run, sign="prepared two")
    for key in place.snapshotter:
        stack = place.snapshotter.stack(key)
        assert os.path.isdir(stack.upper)
        place.snapshotter.remove(key)
    assert list(place.snapshotter) == []
    assert os.listdir(f"{place.settings.root}/snapshots/new") == []
    place.snapshotter.prepare("c1", pile)


def test_a_layer_that_is_not_here_leaves_no_snapshot(place):
    with pytest.raises(NotFound, match="is not here"):
        place.snapshotter.prepare("c1", (Digest.of(b"absent"),))
    assert list(place.snapshotter) == []


def test_a_damaged_sealed_layer_is_corrupt_and_leaves_no_snapshot(place):
    pile = seal(place.layers, LOW)
    with open(place.layers.path(pile), "r+b") as file:
        file.seek(1024)
        file.write(bytes(4))
    with pytest.raises(Corrupt):
        place.snapshotter.prepare("c1", pile)
    assert list(place.snapshotter) == []


def test_a_sealed_layer_with_one_wrong_bit_in_its_index_never_reaches_the_kernel(place):
    pile = seal(place.layers, LOW)
    stack = place.snapshotter.prepare("c1", pile)
    with place.layers.open(pile) as layer:
        where = layer.root.data_at + 20
    path = place.layers.path(pile)
    with open(path, "r+b") as file:
        file.seek(where)
        byte = file.read(1)[0]
        file.seek(where)
        file.write(bytes([byte ^ 1]))
    if any(lower.sealed for lower in stack.lowers):
        with pytest.raises(Corrupt):
            place.snapshotter.mounts(stack, "/nowhere")
    with pytest.raises(Corrupt), place.layers.open(pile) as layer:
        layer.check()


def test_a_damaged_record_is_corrupt(place):
    place.snapshotter.prepare("c1", ())
    record = f"{place.settings.root}/snapshots/active/c1/snapshot.json"
    for text in ("", "{}", '{"driver": "none", "diff_ids": []}'):
        with open(record, "w", encoding="ascii") as file:
            file.write(text)
        with pytest.raises(Corrupt, match="damaged"):
            place.snapshotter.stack("c1")


@pytest.mark.parametrize("key", ["", ".", "..", "a/b", "a b", "x" * 129, "-" * 3])
def test_keys_that_are_no_folder_names_are_refused(place, key):
    for act in (lambda: place.snapshotter.prepare(key, ()), lambda: place.snapshotter.remove(key)):
        with pytest.raises(Invalid):
            act()


def test_sealed_layers_open_without_their_file_being_touched(place):
    pile = seal(place.layers, LOW)
    before = os.stat(place.layers.path(pile)).st_mtime_ns
    place.snapshotter.prepare("c1", pile)
    with SealedLayer.open(place.layers.path(pile)) as layer:
        layer.verify()
    assert os.stat(place.layers.path(pile)).st_mtime_ns == before
