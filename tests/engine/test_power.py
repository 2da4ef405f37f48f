"""A power failure right after a pull: the image is whole, or says that it is not and can be mended."""

import filecmp
import os
import random
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.engine.test_fsck import blob_of, layer_of, spoil
from tests.engine.worlds import import_image, make_engine, merged, ran
from tests.images import Piece

from lamina.engine.findings import Health
from lamina.engine.fsck import check
from lamina.engine.mend import mend
from lamina.engine.room import collect
from lamina.snapshot import unsynced

NOISE = random.Random(7).randbytes(3_000_000)
PIECES = (Piece("etc", directory=True), *(Piece(f"etc/{i}", NOISE[i * 50000 :][:50000]) for i in range(60)))  # fmt: skip


@pytest.fixture
def reboot(tmp_path, monkeypatch):
    """Give what starts the machine anew, as far as marks can tell."""
    path = tmp_path / "boot_id"

    def again():
        path.write_bytes(os.urandom(18).hex().encode() + b"\n")
        monkeypatch.setattr(unsynced, "_BOOT", str(path))

    return again


@pytest.fixture
def name(hub, alice):
    """An image at the hub."""
    shown = f"{hub.address}/alice/power:v1"
    import_image(alice, shown, PIECES)
    alice.images.push(shown)
    return shown


def test_a_pulled_layer_is_marked_until_it_is_settled_and_its_blob_never_is(name, alice, bob):
    bob.images.pull(name)
    assert unsynced.is_marked(str(layer_of(bob, name)))
    assert not unsynced.is_marked(str(blob_of(bob, name)))
    assert merged(bob, name) == merged(alice, name)


@pytest.mark.parametrize("size", [None, 0, 5000, 1_500_000])
def test_what_is_cut_short_is_sealed_again_from_its_blob_at_its_next_use(
    name, alice, bob, reboot, size
):
    bob.images.pull(name)
    path = layer_of(bob, name)
    path.unlink() if size is None else os.truncate(path, size)
    reboot()
    assert merged(bob, name) == merged(alice, name)
    assert not unsynced.is_marked(str(path))
    assert check(bob).findings == ()


def test_a_repeated_pull_seals_again_without_downloading(name, alice, bob, reboot):
    bob.images.pull(name)
    os.truncate(layer_of(bob, name), 5000)
    reboot()
    (outcome,) = bob.images.pull(name)
    assert outcome.downloaded
    assert merged(bob, name) == merged(alice, name)


def test_fsck_tells_of_what_was_cut_short_and_mends_it(name, alice, bob, reboot):
    bob.images.pull(name)
    path = layer_of(bob, name)
    os.truncate(path, 5000)
    reboot()
    report = check(bob)
    assert [finding.health for finding in report.findings] == [Health.BROKEN]
    assert path.stat().st_size == 5000  # a check changes nothing
    assert mend(bob, report).is_clean
    assert merged(bob, name) == merged(alice, name)


def test_fsck_settles_what_it_has_read(name, bob, reboot):
    bob.images.pull(name)
    path = layer_of(bob, name)
    reboot()
    assert check(bob).findings == ()
    assert not unsynced.is_marked(str(path))


def test_with_the_blob_damaged_too_it_is_said_and_fsck_fetches_both(name, alice, bob, reboot):
    bob.images.pull(name)
    path = layer_of(bob, name)
    spoil(blob_of(bob, name), 1000)
    os.truncate(path, 5000)
    reboot()
    with pytest.raises(Exception, match=r"damaged|mismatch"):
        merged(bob, name)
    assert mend(bob, check(bob)).is_clean
    assert merged(bob, name) == merged(alice, name)


def test_an_imported_image_survives_too(bob, reboot):
    import_image(bob, "made", PIECES)
    before = merged(bob, "made")
    os.truncate(layer_of(bob, "made"), 5000)
    reboot()
    assert merged(bob, "made") == before


@pytest.mark.root
def test_a_containers_layers_are_on_the_disk_before_the_last_blob_of_them_goes(engine, base):
    path = layer_of(engine, "base")
    ran(engine, "")
    assert unsynced.is_marked(str(path))
    for row in engine.store.names.all():  # as another tool may write the index
        engine.store.names.remove(row.name)
        engine.store.names.drop(row.target.digest)
    assert collect(engine) > 0
    assert not unsynced.is_marked(str(path))


@contextmanager
def _mounted(image: Path, place: Path):
    place.mkdir()
    subprocess.run(["mount", "-o", "loop", image, place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


def _copy_at_rest(source: Path, target: Path) -> None:
    """Copy what the disk has; again if it took something in meanwhile."""
    while True:
        shutil.copyfile(source, target)
        if filecmp.cmp(source, target, shallow=False):
            return


@pytest.mark.root
def test_the_disk_as_a_power_failure_leaves_it_has_the_whole_image(name, alice, tmp_path, reboot):
    disk, left = tmp_path / "disk.img", tmp_path / "left.img"
    disk.touch()
    os.truncate(disk, 96 * 1024**2)
    subprocess.run(["mkfs.ext4", "-q", disk], check=True)
    with _mounted(disk, tmp_path / "before") as place, make_engine(place) as engine:
        engine.images.pull(name)
        _copy_at_rest(disk, left)
    reboot()
    with _mounted(left, tmp_path / "after") as place, make_engine(place) as engine:
        assert [summary.names for summary in engine.images.list()] == [(name,)]
        assert merged(engine, name) == merged(alice, name)
        assert check(engine).findings == ()
