"""Sealed layers: checked, sealed once, visible whole or not at all."""

import os

import pytest
from tests.images import Piece, tar
from tests.snapshot.piles import seal
from tests.store.disks import fill
from tests.store.processes import killed_after, together

from lamina.errors import Corrupt, Invalid, NotFound
from lamina.snapshot.checks import Checks
from lamina.snapshot.layers import Layers, LayerUnknown
from lamina.snapshot.snapshotter import Snapshotter, Surroundings
from lamina.snapshot.unpacked import UnpackedDriver
from lamina.spec.digest import Digest, chain_id
from lamina.store.disk import make
from lamina.stream.files import DiskFull
from lamina.stream.verify import DigestMismatch

ROOT = Piece("./", directory=True, mode=0o755)
BASE = tar([ROOT, Piece("etc/", directory=True, mode=0o750), Piece("etc/a", b"one")])
WHOLE = tar([ROOT, Piece("etc/", directory=True, mode=0o700), Piece("etc/b", b"two")])
IMPLIED = tar([Piece("etc/b", b"two")])


@pytest.fixture
def layers(tmp_path):
    return Layers(make(str(tmp_path / "root")).root)


def _making(layers):
    return os.listdir(f"{layers.root}/layers/new")


def test_a_layer_is_found_by_its_diff_id_and_read_back(layers):
    (diff_id,) = seal(layers, BASE)
    assert layers.has([diff_id])
    assert layers.path([diff_id]) == f"{layers.root}/layers/sha256/{diff_id.hex}"
    assert list(layers) == [diff_id]
    assert layers.size([diff_id]) > len(BASE)
    with layers.open([diff_id]) as layer:
        assert b"".join(layer.tar()) == BASE
        layer.verify()
    assert _making(layers) == []


def test_the_writer_tells_the_diff_id_and_the_sizes(layers):
    with layers.writer_new([]) as writer:
        for start in range(0, len(BASE), 100):
            writer.write(BASE[start : start + 100])
        assert writer.size == len(BASE)
        assert not writer.sealed
        result = writer.commit()
    assert writer.diff_id == Digest.of(BASE)
    assert (result.entries, result.size, result.content_size) == (3, len(BASE), 3)
    assert layers.has([writer.diff_id])


def test_a_layer_that_lists_its_directories_serves_every_pile(layers):
    base, whole = seal(layers, BASE, WHOLE)
    assert layers.has([whole])
    assert layers.path([whole]) == layers.path([base, whole])


def test_a_layer_that_leaves_only_its_root_open_serves_every_pile(layers):
    rootless = tar([Piece("bin/", directory=True), Piece("bin/tool", b"1")])
    base, whole = seal(layers, BASE, rootless)
    assert layers.has([whole])
    assert layers.path([whole]) == layers.path([base, whole])


def test_a_layer_that_needs_its_parents_is_sealed_for_its_pile_only(layers):
    other = tar([ROOT, Piece("etc/", directory=True, mode=0o711)])
    pile = seal(layers, BASE, IMPLIED)
    assert not layers.has([Digest.of(other), pile[1]])
    assert layers.path(pile).endswith(f"chain/{pile[1].hex}/{chain_id(pile).hex}")
    second = seal(layers, other, IMPLIED)
    for layer_pile, mode in ((pile, 0o751), (second, 0o711)):
        with layers.open(layer_pile) as layer:
            node = layer.lookup(b"etc")
            assert node is not None
            assert node.mode == mode
    assert set(layers) == {*pile, *second}
    layers.remove(pile[1])
    assert set(layers) == {pile[0], second[0]}
    assert os.listdir(f"{layers.root}/layers/chain") == []


def test_parents_are_waited_for_only_where_they_are_needed(layers):
    (base,) = seal(layers, BASE)
    asked = []
    for data, times in ((WHOLE, 0), (IMPLIED, 1)):
        pile = (base, Digest.of(data))
        with layers.writer(pile, parents_ready=lambda: asked.append(1)) as writer:
            writer.write(data)
            writer.commit()
        assert len(asked) == times


def test_a_wrong_diff_id_shows_nothing_and_a_repeat_works(layers):
    pile = (Digest.of(BASE),)
    with layers.writer(pile) as writer:
        writer.write(WHOLE)
        with pytest.raises(DigestMismatch, match=str(Digest.of(WHOLE))):
            writer.commit()
    assert not layers.has(pile)
    assert _making(layers) == []
    seal(layers, BASE)
    assert layers.has(pile)


def test_a_tar_that_is_cut_short_or_no_tar_shows_nothing(layers):
    for data in (BASE[:700], b"x" * 2000):
        with pytest.raises(Corrupt):
            seal(layers, data)
        assert (list(layers), _making(layers)) == ([], [])


def test_leaving_without_commit_leaves_nothing(layers):
    with layers.writer([Digest.of(BASE)]) as writer:
        writer.write(BASE)
    assert (list(layers), _making(layers)) == ([], [])


def test_an_unknown_layer_is_named(layers):
    (base,) = seal(layers, BASE)
    absent = Digest.of(b"absent")
    with pytest.raises(LayerUnknown, match=str(absent)) as error:
        layers.pile([base, absent])
    assert isinstance(error.value, NotFound)
    with pytest.raises(Invalid):
        layers.has([])
    assert layers.pile([]) == []
    assert layers.remove(absent) == 0


def test_a_pile_opens_lowest_first(layers):
    pile = seal(layers, BASE, WHOLE)
    with layers.opened(pile) as opened:
        assert [layer.diff_id for layer in opened] == list(pile)


def test_a_damaged_sealed_layer_is_corrupt(layers):
    pile = seal(layers, BASE)
    with open(layers.path(pile), "r+b") as file:
        file.seek(1030)
        file.write(b"\xff")
    with pytest.raises(Corrupt, match=pile[0].hex):
        layers.pile(pile)


def test_many_processes_seal_one_layer_once(layers):
    pile = (Digest.of(BASE),)
    log = f"{layers.root}/log"

    def run(number):
        mine = Layers(layers.root)
        with mine.writer(pile) as writer:
            if writer.sealed:
                return
            with open(log, "a", encoding="ascii") as file:
                file.write(f"{number}\n")
            for start in range(0, len(BASE), 512):
                writer.write(BASE[start : start + 512])
            writer.commit()

    together(run, *[(number,) for number in range(6)])
    with open(log, encoding="ascii") as file:
        assert len(file.readlines()) == 1
    assert list(layers) == list(pile)
    assert _making(layers) == []


def test_sealing_a_layer_again_keeps_the_file_that_may_be_mounted(layers):
    pile = seal(layers, BASE)
    before = os.stat(layers.path(pile)).st_ino
    with layers.writer(pile) as writer:
        assert writer.sealed
        writer.write(BASE)
        writer.commit()
    assert os.stat(layers.path(pile)).st_ino == before


def test_after_kill_9_a_repeat_works_and_a_sweep_finds_the_rest(layers):
    pile = (Digest.of(BASE),)

    def run(told):
        mine = Layers(layers.root)
        mine.writer(pile).write(BASE[:1024])
        mine.writer_new([]).write(BASE[:1024])
        told()

    killed_after(run, sign="wrote half")
    assert not layers.has(pile)
    assert len(_making(layers)) == 4
    seal(layers, BASE)
    layers.sweep({pile[0]})
    assert layers.has(pile)
    assert _making(layers) == []


def test_a_sweep_removes_what_is_not_live_and_nothing_newer_than_a_lease(layers):
    base, whole = seal(layers, BASE, WHOLE)
    made_ns = os.stat(layers.path([whole])).st_mtime_ns
    assert layers.sweep({base}, since_ns=made_ns).count == 0
    size = layers.size([whole])
    freed = layers.sweep({base}, since_ns=made_ns + 1)
    assert (freed.count, freed.size) == (1, size)
    assert list(layers) == [base]
    layers.sweep(())
    assert list(layers) == []


def test_a_directory_is_filled_once_and_goes_with_its_layer(layers):
    (base,) = seal(layers, BASE)
    filled = []

    def fill(path):
        filled.append(path)
        os.makedirs(f"{path}/locked")
        os.chmod(f"{path}/locked", 0)

    first = layers.directory(base.hex, fill)
    assert layers.directory(base.hex, fill) == first
    assert len(filled) == 1
    layers.sweep({base})
    assert os.path.isdir(first)
    layers.remove(base)
    assert not os.path.exists(first)
    layers.directory("f" * 64, fill)
    layers.sweep(())
    assert os.listdir(f"{layers.root}/snapshots/unpacked") == []
    assert os.listdir(f"{layers.root}/snapshots/new") == []


def test_a_directory_whose_filling_failed_is_not_there(layers):
    def fill(path):
        os.mkdir(f"{path}/half")
        raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        layers.directory("f" * 64, fill)
    assert os.listdir(f"{layers.root}/snapshots/unpacked") == []
    assert os.listdir(f"{layers.root}/snapshots/new") == []


@pytest.mark.root
def test_a_full_disk_is_said_and_leaves_nothing(tiny_disk):
    layers = Layers(make(str(tiny_disk / "root")).root)
    big = tar([ROOT, Piece("a", os.urandom(9_000_000))])
    with pytest.raises(DiskFull, match="sealing a layer"), layers.writer_new([]) as writer:
        writer.write(big)
    assert (list(layers), _making(layers)) == ([], [])
    seal(layers, BASE)


@pytest.mark.root
def test_on_a_full_disk_layers_and_snapshots_can_still_be_removed(tiny_disk):
    layers = Layers(make(str(tiny_disk / "root")).root)
    pile = seal(layers, BASE)
    shots = Snapshotter(layers, Surroundings("/run/l"), UnpackedDriver(layers, Checks("/run/l")))
    stack = shots.prepare("c1", pile)
    os.makedirs(f"{stack.upper}/a/b/c")
    inodes = 0
    fill(tiny_disk / "ballast", 4096)
    try:
        while inodes < 100_000:  # no room for another file either
            os.close(os.open(tiny_disk / f"x{inodes}", os.O_CREAT | os.O_WRONLY))
            inodes += 1
    except OSError:
        assert inodes
    shots.remove("c1")
    assert list(shots) == []
    assert layers.sweep(()).count == 1
    assert os.listdir(f"{layers.root}/snapshots/unpacked") == []
