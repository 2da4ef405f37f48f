"""`hub backup`, `hub restore` and `hub gc` killed at any system call, or on a disk that is full just then.

What was acknowledged is there afterwards, nothing half-written is seen, and the same command again succeeds.
"""

import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.hub.clients import PASSWORD, Client
from tests.hub.test_collect import change
from tests.soak.strikes import AtCall, Failing
from tests.soaking import sized

from lamina.hub import Hub, HubSettings
from lamina.hub.backup import back_up
from lamina.hub.backup_file import back_up_file
from lamina.hub.restore import places, restore
from lamina.hub.services import open_places
from lamina.hub.storage.disk import DiskStorage

KILLS = (
    "rename,renameat,renameat2",
    "fsync,fdatasync",
    "unlink,unlinkat,rmdir",
    "mkdir,mkdirat",
    "link,linkat",
    "write,pwrite64",
)
FAILS = (
    "write,pwrite64",
    "fsync,fdatasync",
    "rename,renameat,renameat2",
    "mkdir,mkdirat",
    "ftruncate",
)


@dataclass(frozen=True)
class World:
    """A hub that is not served, with two tags and garbage, and a backup of how it was with one tag."""

    folder: Path
    blobs: int = 0

    @property
    def root(self) -> str:
        return str(self.folder / "hub")

    def copied(self, to: Path) -> "World":
        shutil.rmtree(to, ignore_errors=True)
        shutil.copytree(self.folder, to)
        return World(to, len(files(self.root)))


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> World:
    made = World(tmp_path_factory.mktemp("w") / "before")
    with Hub(made.root) as hub:
        hub.register("alice", PASSWORD)
        alice = Client(hub.address, "alice")
        alice.image("alice/app", "one", seed="1")
        services = hub.services
        for write, path in ((back_up, "backup"), (back_up_file, "backup.tar")):
            write(services.database, services.storage, str(made.folder / path), clock=time.time)
        alice.image("alice/app", "two", seed="2")
        alice.image("alice/app", "gone", seed="3")
        alice.request("DELETE", "/v2/alice/app/manifests/gone")
        assert isinstance(services.storage, DiskStorage)
        services.storage.settle()
        change(hub, "UPDATE links SET awaited_at = 0, loose_at = min(loose_at, 0)")
        change(hub, "UPDATE repositories SET busy_at = 0")
    return made


def files(root: str) -> set[str]:
    return {path.name for path in Path(root, "blobs").rglob("*") if path.is_file()}


def tags_of(root: str) -> list[str]:
    """Serve a hub and pull everything it names."""
    settings = HubSettings(root=root, port=0, shutdown_s=1.0)
    with Hub(settings=settings) as hub:
        alice = Client(hub.address, "alice")
        tags = alice.get("/v2/alice/app/tags/list").json["tags"]
        for tag in tags:
            image = alice.get(f"/v2/alice/app/manifests/{tag}").json
            for row in (image["config"], *image["layers"]):
                blob = alice.get(f"/v2/alice/app/blobs/{row['digest']}")
                assert (blob.status, len(blob.body)) == (200, row["size"])
        return sorted(tags)


def restored(backup: Path, to: Path) -> list[str]:
    shutil.rmtree(to, ignore_errors=True)
    settings = HubSettings(root=str(to), port=0)
    with places(settings, clock=time.time) as (database, storage):
        assert restore(database, storage, str(backup), clock=time.time).lacking == ()
    return tags_of(str(to))


def after_backup(name: str, world: World, *, is_done: bool) -> None:
    backup = world.folder / name
    tags = restored(backup, world.folder / "again")
    assert tags == ["one", "two"] or (tags == ["one"] and not is_done)
    if is_done:
        assert not [each for each in os.listdir(world.folder) if "lamina-backup" in each or ".new" in each]  # fmt: skip
        assert not list((world.folder / "backup").rglob("*.new"))


def after_restore(world: World, *, is_done: bool) -> None:
    new = world.folder / "new"
    assert is_done or not (new / "hub.db").exists() or tags_of(str(new)) == ["one"]
    if is_done:
        assert tags_of(str(new)) == ["one"]
        assert sorted(os.listdir(new)) == ["blobs", "hub.db", "uploads"]
        assert os.listdir(new / "uploads") == []


def after_gc(world: World, *, is_done: bool) -> None:
    assert tags_of(world.root) == ["one", "two"]
    if is_done:
        settings = HubSettings(root=world.root)
        with open_places(settings) as (database, _):
            rows = database.read(
                lambda connection: connection.execute("SELECT digest, place FROM blobs").fetchall()
            )
        lying = files(world.root)
        assert lying == {f"{digest[7:]}.{place}" for digest, place in rows}
        assert len(lying) < world.blobs


Check = Callable[..., None]
DEEDS: dict[str, tuple[Callable[[World], list[str]], Check]] = {
    "backup": (
        lambda world: ["backup", "--root", world.root, str(world.folder / "backup")],
        lambda world, *, is_done: after_backup("backup", world, is_done=is_done),
    ),
    "backup.tar": (
        lambda world: ["backup", "--root", world.root, str(world.folder / "backup.tar")],
        lambda world, *, is_done: after_backup("backup.tar", world, is_done=is_done),
    ),
    "restore": (
        lambda world: ["restore", "--root", str(world.folder / "new"), str(world.folder / "backup")],
        after_restore,
    ),
    "gc": (lambda world: ["gc", "--root", world.root, "--grace", "0s"], after_gc),
}  # fmt: skip


def environ() -> dict[str, str]:
    kept = ("PATH", "LANG", "TMPDIR", "HOME")
    return {name: os.environ[name] for name in kept if name in os.environ}


def argv(name: str, world: World) -> list[str]:
    return [sys.executable, "-m", "lamina", "hub", *DEEDS[name][0](world)]


def succeed(name: str, world: World) -> None:
    """Do it again; a restore may have been killed when it had brought everything."""
    is_there = name == "restore" and (world.folder / "new" / "hub.db").exists()
    done = subprocess.run(argv(name, world), env=environ(), capture_output=True, check=False)
    assert done.returncode == 0 or (is_there and b"accounts or images already" in done.stderr), done


@pytest.mark.timeout(3600)  # for the soak
@pytest.mark.parametrize("name", DEEDS)
def test_whatever_call_it_is_killed_at_nothing_is_lost_and_the_repeat_succeeds(
    world, tmp_path, name
):
    chance = random.Random(name)
    quick = {"backup": 0, "backup.tar": 0, "restore": 4, "gc": 5}[name]
    for calls in (KILLS[quick : quick + 1], KILLS)[sized(0, 1)]:
        number, is_killed = sized(2, 1), True
        while is_killed:
            here = world.copied(tmp_path / "w")
            is_killed = AtCall(calls, number).strike(argv(name, here), environ())
            DEEDS[name][1](here, is_done=False)
            if is_killed:
                succeed(name, here)
            DEEDS[name][1](here, is_done=True)
            print(f"{name}: {calls} {number} {is_killed}", flush=True)
            number += chance.randint(1, 9) if "write" in calls else 1
            is_killed = is_killed and sized(0, 1) == 1


@pytest.mark.timeout(3600)  # for the soak
@pytest.mark.parametrize("name", (("backup.tar", "restore"), tuple(DEEDS))[sized(0, 1)])
def test_a_disk_that_is_full_just_then_is_told_and_the_repeat_succeeds(world, tmp_path, name):
    chance = random.Random(name)
    trace = tmp_path / "trace"
    for calls in (FAILS[1:2], FAILS)[sized(0, 1)]:
        number, is_made = sized(2, 1), True
        while is_made:
            here = world.copied(tmp_path / "w")
            failing = Failing(calls, "ENOSPC", number, trace=str(trace))
            ended = failing.run(argv(name, here), environ())
            is_made = failing.was_made()
            told = ended.returncode != 0
            assert b"Traceback" not in ended.stderr, (calls, number, ended.stderr.decode())
            # SQLite puts off what fails as it tidies up its log; a folder may be there already
            may_pass = failing.was_output() or name == "gc" or "mkdir" in calls
            assert told or not is_made or may_pass, (calls, number)
            DEEDS[name][1](here, is_done=False)
            if told:
                succeed(name, here)
            DEEDS[name][1](here, is_done=True)
            print(f"{name}: {calls} {number} {told} {ended.stderr[-200:]!r}", flush=True)
            number += chance.randint(1, 9) if "write" in calls else 1
            is_made = is_made and sized(0, 1) == 1
