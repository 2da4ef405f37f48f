"""A disk that is full or broken at any write of any command: plain words, nothing lost, the repeat works.

`Failing` lets one system call fail by strace, as a disk does that is full just then; the last tests
fill a real file system up to the last block.
"""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.servers import RegistryServer
from tests.soak.deeds import deeds
from tests.soak.strikes import Failing
from tests.soak.worlds import Ended, World, opened
from tests.soaking import sized
from tests.store.disks import mounted

pytestmark = pytest.mark.root
CALLS = (
    "write,pwrite64",
    "fsync",
    "rename,renameat,renameat2",
    "mkdir,mkdirat,symlink,linkat",
    "fallocate,ftruncate",
)
DEEDS = os.environ.get("SOAK_DEEDS", "").split()
ERRORS = ("ENOSPC", "EIO", "EDQUOT")
FREE_OR_READ = (
    "save",
    "push",
    "undo",
    "rmi",
    "rmi-now",
    "image-prune",
    "image-prune-now",
    "system-prune",
    "rm",
)
ROOMS = (0, 4096, 8192, 16384, 40960, 102400, 300_000, 800_000, 2_000_000)


@pytest.mark.timeout(4 * 3600)  # for the soak
def test_a_call_that_fails_is_told_and_costs_nothing(world: World):
    every = [(name, calls, error) for name in deeds(world) for calls in CALLS for error in ERRORS]
    few = [("tag", "fsync", "EIO")]
    for name, calls, error in (few, every)[sized(0, 1)]:
        if DEEDS and name not in DEEDS:
            continue
        number = told = 0
        made = True
        while made:
            number += 1
            failing = Failing(calls, error, number, trace=str(world.folder / "trace"))
            told += world.fail(deeds(world)[name], failing.run, muted=failing.was_output)
            made = failing.was_made()
        print(f"{name}: {told} of {number - 1} {calls} that fail with {error} are told", flush=True)
        assert told or (name, calls, error) not in few
    assert world.tidy() == []


@pytest.mark.timeout(4 * 3600)
def test_a_full_file_system_is_told_and_costs_nothing(tmp_path: Path, registry: RegistryServer):
    with (
        mounted(tmp_path / "disk", "30m") as disk,
        opened(tmp_path, disk / "root", registry) as world,
    ):
        for name in (("rmi-now", "pull", "save", "push", "undo"), tuple(deeds(world)))[sized(0, 1)]:
            for room in ((0, 300_000) if name == "pull" else (0,), ROOMS)[sized(0, 1)]:
                failed = world.fail(deeds(world)[name], Crowded(disk, room).run)
                assert not failed or name not in FREE_OR_READ, (name, room)
        assert world.tidy() == []


class Crowded:
    """Runs a command while `room` bytes are left on `disk`."""

    def __init__(self, disk: Path, room: int) -> None:
        self._disk = disk
        self._room = room

    def run(self, argv: list[str], environ: Mapping[str, str]) -> Ended:
        ballast = self._disk / "ballast"
        with ballast.open("wb", buffering=0) as file:
            found = os.statvfs(self._disk)
            size = found.f_bavail * found.f_frsize - self._room
            os.posix_fallocate(file.fileno(), 0, max(size, 1))
        try:
            return subprocess.run(argv, env=environ, capture_output=True, check=False)
        finally:
            ballast.unlink()
