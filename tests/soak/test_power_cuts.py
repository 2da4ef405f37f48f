"""The power goes at any moment of any command: what had reached the disk is a store, and has all names.

The root lies on a file system in a file. A command is killed at a call, and what the file holds then, without all
that the kernel had not written yet, is mounted elsewhere: the machine after its restart.
"""

import filecmp
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.servers import RegistryServer
from tests.soak.deeds import deeds
from tests.soak.strikes import AtCall
from tests.soak.worlds import Deed, World, opened
from tests.soaking import sized

from lamina.engine import undo
from lamina.engine.engine import Engine
from lamina.engine.fsck import check
from lamina.engine.mend import mend
from lamina.settings import Settings
from lamina.snapshot import unsynced

pytestmark = pytest.mark.root
KINDS = ("fsync,fdatasync", "rename,renameat,renameat2,linkat", "unlink,unlinkat,rmdir")
FEW = (("undo", KINDS[1], 1),)
STORE = ("pull", "commit", "load", "load-bundle", "tag", "rmi", "rmi-now", "undo", "image-prune", "image-prune-now",
         "create", "rm")  # fmt: skip


class Machine:
    """A world on a disk of its own, whose power can be cut."""

    def __init__(self, folder: Path, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.world = folder, world
        self._boot = folder / "boot_id"
        self._patch = monkeypatch

    def cut(self, deed: Deed, strike: AtCall) -> bool:
        """Cut the power at a call of a command; tell whether it was reached."""
        self.world.keep()
        deed.before()
        subprocess.run(["sync", "-f", self.folder / "disk"], check=True)
        before = self.world.names()
        killed = strike.strike(self.world.lamina.argv(*deed.words), self.world.environ)
        _copy_at_rest(self.folder / "disk.img", self.folder / "left.img")
        self.world.sound(before, deed, f"{deed.name} {strike}", shim_hit=True)
        with _mounted(self.folder / "left.img", self.folder / "left") as place:
            self._restarted(place, before, deed, f"{deed.name}, power cut {strike}")
        return killed

    def _restarted(self, place: Path, before: dict[str, str], deed: Deed, sign: str) -> None:
        run_root = tempfile.mkdtemp(prefix="lamina-")
        self._boot.write_bytes(os.urandom(18).hex().encode() + b"\n")
        with (
            self._patch.context() as patch,
            Engine(Settings(f"{place}/root", run_root, f"{self.folder}/docker")) as engine,
        ):
            patch.setattr(unsynced, "_BOOT", str(self._boot))
            report = check(engine)
            if not report.is_clean:
                print(sign, "needed mending:", report.findings, flush=True)
                report = mend(engine, report)
            assert report.is_clean, f"{sign}: {report}"
            rows = engine.store.names.all()
            now = {row.name or str(row.target.digest): str(row.target.digest) for row in rows}
            for name, digest in before.items():
                if not any(word in name for word in deed.touches):
                    assert now.get(name) == digest, f"{sign}: {name}"
            for row in undo.listing(engine):
                assert row.state in ("kept", "back", "gone"), sign
            lost = {row.name for change in undo.listing(engine) for row in change.lost}
            if deed.name in ("rmi", "undo"):
                assert all(name in now or name in lost for name in before if name), sign
            assert any(record.name == "keeper" for record in engine.containers.records()), sign
        shutil.rmtree(run_root)


@pytest.fixture
def machine(
    tmp_path: Path, registry: RegistryServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Machine]:
    image = tmp_path / "disk.img"
    image.touch()
    os.truncate(image, 64 * 1024**2)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    with (
        _mounted(image, tmp_path / "disk") as disk,
        opened(tmp_path, disk / "root", registry) as world,
    ):
        yield Machine(tmp_path, world, monkeypatch)


@pytest.mark.timeout(4 * 3600)  # for the soak
def test_a_power_cut_at_any_call_leaves_every_name_and_what_it_stands_for(machine: Machine):
    for name, calls, number in FEW if sized(1, 0) else ():
        assert machine.cut(deeds(machine.world)[name], AtCall(calls, number))
    for name in STORE if sized(0, 1) else ():
        for calls in KINDS:
            number = 1
            while machine.cut(deeds(machine.world)[name], AtCall(calls, number)):
                number += 1


@contextmanager
def _mounted(image: Path, place: Path) -> Iterator[Path]:
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", "-o", "loop", image, place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def _copy_at_rest(source: Path, target: Path) -> None:
    """Copy what the disk has; again if it took something in meanwhile."""
    while True:
        shutil.copyfile(source, target)
        if filecmp.cmp(source, target, shallow=False):
            return
