"""The unpacked driver: layers become directories once, also inside a user namespace."""

import json
import os
import subprocess
import sys

import pytest
from tests.images import Piece, tar
from tests.snapshot.piles import seal
from tests.store.processes import killed_after, together

from lamina.errors import Corrupt
from lamina.snapshot.checks import Checks
from lamina.snapshot.layers import Layers
from lamina.snapshot.unpacked import UnpackedDriver
from lamina.snapshot.unsynced import SUFFIX
from lamina.store.disk import make

ROOT = Piece("./", directory=True, mode=0o755)
LOW = tar([ROOT, *(Piece(f"f{i}", b"%d" % i) for i in range(200)), Piece("link", link="f1")])


@pytest.fixture
def layers(tmp_path):
    return Layers(make(str(tmp_path / "root")).root)


def driver(layers):
    return UnpackedDriver(layers, Checks(f"{layers.root}/run"), in_namespace=True, owners=False)


def test_a_layer_is_unpacked_once_and_used_again(layers):
    pile = seal(layers, LOW)
    (lower,) = driver(layers).lowers(pile)
    assert not lower.sealed
    assert len(os.listdir(lower.path)) == 201
    before = os.stat(lower.path).st_ino
    assert driver(layers).view(pile) == (lower,)
    assert os.stat(lower.path).st_ino == before


def test_many_processes_that_need_one_layer_unpack_it_once(layers):
    pile = seal(layers, LOW)

    def run(number):
        (lower,) = driver(Layers(layers.root)).lowers(pile)
        assert len(os.listdir(lower.path)) == 201

    together(run, *[(number,) for number in range(5)])
    assert sorted(os.listdir(f"{layers.root}/snapshots/unpacked")) == [
        pile[0].hex,
        pile[0].hex + SUFFIX,
    ]
    assert os.listdir(f"{layers.root}/snapshots/new") == []


def test_kill_9_while_unpacking_leaves_no_half_tree_and_a_repeat_works(layers):
    pile = seal(layers, LOW)

    def run(told):
        def fill(path):
            for i in range(100):
                os.close(os.open(f"{path}/f{i}", os.O_CREAT | os.O_WRONLY))
            told()
            os.read(os.pipe()[0], 1)

        Layers(layers.root).directory(pile[0].hex, fill)

    killed_after(run, sign="unpacked a half")
    assert not os.path.exists(f"{layers.root}/snapshots/unpacked/{pile[0].hex}")
    (lower,) = driver(layers).lowers(pile)
    assert len(os.listdir(lower.path)) == 201
    assert os.listdir(f"{layers.root}/snapshots/new") == []


def test_what_was_unpacked_before_the_machine_stopped_is_unpacked_again_and_then_for_good(layers):
    pile = seal(layers, LOW)
    (lower,) = driver(layers).lowers(pile)
    os.truncate(f"{lower.path}/f150", 0)  # as a power failure leaves it
    with open(lower.path + SUFFIX, "w", encoding="ascii") as file:
        file.write("another boot\n")
    assert driver(layers).lowers(pile) == (lower,)
    with open(f"{lower.path}/f150", encoding="ascii") as file:
        assert file.read() == "150"
    assert not os.path.exists(lower.path + SUFFIX)
    before = os.stat(lower.path).st_ino
    driver(layers).lowers(pile)
    assert os.stat(lower.path).st_ino == before


def test_a_removed_layer_takes_its_mark_along(layers):
    pile = seal(layers, LOW)
    driver(layers).ready(pile)
    assert len(os.listdir(f"{layers.root}/snapshots/unpacked")) == 2
    layers.sweep(pile)
    assert len(os.listdir(f"{layers.root}/snapshots/unpacked")) == 2
    layers.sweep(())
    assert os.listdir(f"{layers.root}/snapshots/unpacked") == []


def test_a_layer_is_made_ready_before_those_below_it_are_here(layers):
    pile = seal(layers, LOW, tar([ROOT, Piece("more", b"1")]))
    layers.remove(pile[0])
    driver(layers).ready(pile)
    assert os.listdir(f"{layers.root}/snapshots/unpacked/{pile[1].hex}") == ["more"]


def test_a_damaged_sealed_layer_leaves_no_directory(layers):
    pile = seal(layers, LOW)
    with layers.open(pile) as layer:
        where = layer.root.data_at + 30
    with open(layers.path(pile), "r+b") as file:
        file.seek(where)
        file.write(b"\xff\xff\xff")
    with pytest.raises(Corrupt):
        driver(layers).lowers(pile)
    assert not os.path.exists(f"{layers.root}/snapshots/unpacked/{pile[0].hex}")
    assert os.listdir(f"{layers.root}/snapshots/new") == []


STORY = """
import json, os, stat, sys
from lamina.layer.diff import changes
from lamina.runtime.mounts import perform
from lamina.settings import Settings
from lamina.snapshot.choose import choose
from lamina.snapshot.layers import Layers
from lamina.store.disk import make
from tests.images import Piece, tar
from tests.snapshot.piles import seal
root = sys.argv[1]
low = tar([Piece("./", directory=True, mode=0o700), Piece("a/", directory=True), Piece("a/x", b"1"),
           Piece("a/y", b"2", uid=1234), Piece("b/", directory=True), Piece("b/z", b"3")])
high = tar([Piece("a/", directory=True), Piece("a/.wh..wh..opq"), Piece("a/new", b"4"),
            Piece("b/", directory=True), Piece("b/.wh.z")])
layers = Layers(make(root).root)
shots = choose(Settings(root, root + "/run", ""), layers)
pile = seal(layers, low, high)
stack = shots.prepare("c1", pile)
for mount in shots.mounts(stack, root + "/m"):
    perform(mount)
seen = sorted(os.path.relpath(os.path.join(d, n), root + "/m") for d, ds, fs in os.walk(root + "/m") for n in ds + fs)
os.unlink(root + "/m/a/new")
with open(root + "/m/own", "w") as file:
    file.write("x")
os.mkdir(root + "/m/locked")
os.chmod(root + "/m/locked", 0)
with layers.opened(pile) as parents, shots.changed("c1") as upper:
    found = [row.kind + " " + row.path.decode() for row in changes(upper.path, parents, marks=upper.marks)]
mode = oct(os.stat(root + "/m").st_mode & 0o7777)
perform_undone = os.system("umount " + root + "/m")
shots.remove("c1")
left = os.listdir(root + "/snapshots/active") + os.listdir(root + "/snapshots/new")
layers.sweep(())
left += os.listdir(root + "/snapshots/unpacked")
print(json.dumps([shots.name, shots.reason, seen, found, mode, left]))
"""


def test_in_a_user_namespace_the_whole_story_works_without_privilege(tmp_path):
    done = subprocess.run(
        ["unshare", "-Urm", sys.executable, "-c", STORY, str(tmp_path / "root")],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": f"{os.path.abspath('src')}:{os.path.abspath('.')}"},
    )
    assert done.returncode == 0, done.stderr
    name, reason, seen, found, mode, left = json.loads(done.stdout)
    assert name == "unpacked"
    assert "real root only" in reason
    assert seen == ["a", "a/new", "b"]
    assert found == ["C a", "D a/new", "A locked", "A own"]
    assert mode == "0o711"
    assert left == []
