"""Containers on sealed layers, mounted from files and, as on older kernels, by loop devices."""

import ctypes
import json
import mmap
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.archives import archive
from tests.commands import Lamina
from tests.containers import eventually, mounts_below, world
from tests.images import Piece, tar, tiny

from lamina.runtime.loop import backing_file
from lamina.snapshot.choose import Probe

pytestmark = pytest.mark.root

BIG = 16 << 20
both_ways = pytest.mark.parametrize("lamina", ["file", "loop"], indirect=True)
by_loop = pytest.mark.parametrize("lamina", ["loop"], indirect=True)


@pytest.fixture(scope="module")
def lamina(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lamina]:
    """The command, made to mount in one of the ways, and the image `big` with a file of 16 MB."""
    with world(tmp_path_factory.mktemp("sealed")) as lamina:
        words = f"erofs={request.param}"
        lamina.environ |= {"LAMINA_STORAGE_OPT": words, "LAMINA_STORAGE_DRIVER": "sealed"}
        layer = tar([Piece("./", directory=True, mode=0o755), Piece("big", os.urandom(BIG))])
        lamina("load", stdin=archive("big:1", layers=[tiny(), layer], steps=[{}, {}]))
        yield lamina


@pytest.fixture(autouse=True)
def containers_end(lamina: Lamina) -> Iterator[None]:
    """What a failed test leaves running would fail the next ones too."""
    yield
    if os.listdir(f"{lamina.settings.root}/containers"):
        lamina.remove_containers()


def loops(lamina: Lamina) -> list[str]:
    """The files below this root that loop devices stand for."""
    numbers = [int(name[4:]) for name in os.listdir("/sys/block") if name.startswith("loop")]
    files = [backing_file(number) for number in numbers]
    return [path for path in files if path.startswith(lamina.settings.root)]


def layer_mounts(lamina: Lamina) -> list[str]:
    """Where sealed layers are mounted, in our mount namespace."""
    folder = f"{lamina.settings.run_root}/layers/"
    with open("/proc/self/mountinfo", encoding="utf-8") as table:
        return [place for line in table if (place := line.split()[4]).startswith(folder)]


def assert_nothing_left(lamina: Lamina) -> None:
    lamina("run", "--rm", "big:1", "true")  # whoever ends sweeps what others left
    assert mounts_below(lamina.settings.run_root) == []
    eventually(lambda: not loops(lamina))
    eventually(lambda: os.listdir(f"{lamina.settings.run_root}/layers") == ["lock"])


def resident(path: str) -> float:
    """The part of a file that is in the page cache."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    libc.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p]
    size = os.stat(path).st_size
    pages = -(-size // mmap.PAGESIZE)
    seen = ctypes.create_string_buffer(pages)
    fd = os.open(path, os.O_RDONLY)
    try:
        at = libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, fd, 0)
        assert libc.mincore(at, size, seen) == 0
        ctypes.CDLL(None).munmap(ctypes.c_void_p(at), ctypes.c_size_t(size))
    finally:
        os.close(fd)
    return sum(byte & 1 for byte in seen.raw) / pages


def dropped(path: str) -> float:
    """Ask the kernel to forget a file's pages; give the part of them that it still has."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return resident(path)


@both_ways
def test_containers_share_one_mount_per_layer_and_what_they_read_is_in_memory_once(lamina: Lamina):
    document = json.loads(lamina("image", "inspect", "big:1"))
    diff_id = document[0]["RootFS"]["Layers"][1].removeprefix("sha256:")
    sealed = f"{lamina.settings.root}/layers/sha256/{diff_id}"
    in_memory = Probe.of_this_machine(sealed).disk_type == "tmpfs"  # then the file is memory itself
    assert in_memory or eventually(lambda: dropped(sealed) < 0.1)  # it was written just now
    ids = [lamina("run", "-d", "big:1", "sleep", "600").strip() for _ in range(3)]
    mounts = layer_mounts(lamina)
    assert len(mounts) == 2
    assert len(loops(lamina)) == (2 if lamina.environ["LAMINA_STORAGE_OPT"] == "erofs=loop" else 0)
    sums = {lamina("exec", container, "md5sum", "/big") for container in ids}
    assert len(sums) == 1
    shared = f"{lamina.settings.run_root}/layers/{diff_id[:32]}/big"
    assert resident(shared) > 0.9
    assert in_memory or resident(sealed) < 0.2
    lamina("rm", "-f", *ids[:2])
    assert sorted(layer_mounts(lamina)) == sorted(mounts)
    assert lamina("exec", ids[2], "md5sum", "/big") in sums
    lamina("rm", "-f", ids[2])
    assert_nothing_left(lamina)


@by_loop
def test_kill_9_of_a_shim_leaves_nothing_for_longer_than_the_next_command(lamina: Lamina):
    container = lamina("run", "-d", "big:1", "sleep", "600").strip()
    with open(f"{lamina.settings.root}/containers/{container}/state.json", "rb") as file:
        shim = json.load(file)["shim"]
    os.kill(shim, signal.SIGKILL)
    eventually(lambda: lamina("ps", "-q") == "")
    assert len(layer_mounts(lamina)) == 2
    lamina("rm", container)
    assert_nothing_left(lamina)


@by_loop
def test_many_containers_may_start_at_once(lamina: Lamina):
    started = [lamina.start("run", "--rm", "big:1", "stat", "-c", "%s", "/big") for _ in range(5)]
    said = [process.communicate(timeout=120) for process in started]
    assert [out for out, _ in said] == [b"%d\n" % BIG] * 5, said
    assert_nothing_left(lamina)


@both_ways
def test_a_command_in_a_mount_namespace_of_its_own_works_beside_the_others(lamina: Lamina):
    """As in a service with PrivateMounts: it mounts for itself what it cannot see, and tidies up."""

    def private(*words: str) -> str:
        argv = ["unshare", "-m", *lamina.argv(*words)]
        done = subprocess.run(
            argv, env=lamina.environ, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done
        return done.stdout

    inside = private("run", "-d", "big:1", "sleep", "600").strip()
    assert layer_mounts(lamina) == []
    outside = lamina("run", "-d", "big:1", "sleep", "600").strip()
    assert len(layer_mounts(lamina)) == 2
    assert lamina("exec", inside, "stat", "-c", "%s", "/big") == f"{BIG}\n"
    assert private("exec", outside, "stat", "-c", "%s", "/big") == f"{BIG}\n"
    private("rm", "-f", outside)
    assert lamina("exec", inside, "stat", "-c", "%s", "/big") == f"{BIG}\n"
    lamina("rm", "-f", inside)
    assert_nothing_left(lamina)


@by_loop
def test_a_stopped_containers_files_are_reached_with_no_mount_left(lamina: Lamina, tmp_path: Path):
    lamina("run", "--name", "stopped", "big:1", "sh", "-c", "echo new > /n")
    lamina("cp", "stopped:/n", str(tmp_path / "n"))
    assert (tmp_path / "n").read_text(encoding="ascii") == "new\n"
    lamina("rm", "stopped")
    assert_nothing_left(lamina)


@both_ways
def test_no_other_user_of_the_machine_runs_an_images_set_user_id_programs(lamina: Lamina):
    program = Piece("suid", Path("/usr/bin/id").read_bytes(), 0o4755)
    layer = tar([Piece("./", directory=True, mode=0o755), program])
    lamina("load", stdin=archive("suid:1", layers=[tiny(), layer], steps=[{}, {}]))
    lamina("run", "-d", "suid:1", "sleep", "600")
    found = [path for place in layer_mounts(lamina) if (path := Path(place) / "suid").exists()]
    assert len(found) == 1
    as_nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    with pytest.raises(PermissionError):
        subprocess.run([found[0]], user=65534, group=65534, extra_groups=[], check=False)
    folder = found[0].parent.parent
    folder.chmod(0o755)  # were it open, the mount itself would still not raise anybody
    try:
        said = subprocess.run([*as_nobody, found[0], "-u"], capture_output=True, check=True)
    finally:
        folder.chmod(0o700)
    assert said.stdout == b"65534\n"
