import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.containers import eventually, mounts_below
from tests.store.processes import together

import lamina
from lamina.runtime.loop import backing_file
from lamina.runtime.mounts import MountFailed, SharedLayers
from lamina.spec.mount import Mount

pytestmark = pytest.mark.root

SOURCE = str(Path(lamina.__file__).parent.parent)


@pytest.fixture
def sealed(tmp_path) -> Mount:
    """A sealed layer on disk and how it is mounted."""
    from tests.images import Piece, tar

    from lamina.layer.seal import Sealer
    from lamina.spec.digest import Digest

    data = tar([Piece("etc/", directory=True), Piece("etc/motd", b"hello\n")])
    path = str(tmp_path / "sealed")
    sealer = Sealer(path)
    sealer.write(data)
    sealer.finish(Digest.of(data), tuple)
    return Mount("erofs", path, f"{tmp_path}/run/layers/abc", ("ro", "directio"))


def test_a_layer_is_mounted_once_for_all_who_use_it(sealed, tmp_path):
    first, second = SharedLayers(f"{tmp_path}/run"), SharedLayers(f"{tmp_path}/run")
    first.acquire([sealed, sealed])
    second.acquire([sealed])
    assert mounts_in(tmp_path) == [sealed.target]
    assert Path(sealed.target, "etc/motd").read_bytes() == b"hello\n"
    first.release()
    assert mounts_in(tmp_path) == [sealed.target]
    second.release()
    assert mounts_below(str(tmp_path)) == []


def mounts_in(folder: Path) -> list[str]:
    with open("/proc/self/mountinfo", encoding="utf-8") as table:
        return [t for line in table if (t := line.split()[4]).startswith(str(folder))]


def test_a_layer_of_a_killed_process_is_swept_by_the_next_one(sealed, tmp_path):
    program = f"""
import os, sys
sys.path.insert(0, {SOURCE!r})
from lamina.runtime.mounts import SharedLayers
from lamina.spec.mount import Mount
mount = Mount("erofs", {sealed.source!r}, {sealed.target!r}, ("ro",))
SharedLayers({str(tmp_path / "run")!r}).acquire([mount])
os.kill(os.getpid(), 9)
"""
    done = subprocess.run([sys.executable, "-c", program], check=False)
    assert done.returncode == -9
    assert mounts_in(tmp_path) == [sealed.target]
    SharedLayers(f"{tmp_path}/run").release()
    assert mounts_in(tmp_path) == []


def test_a_damaged_layer_is_refused_by_name_and_not_held(sealed, tmp_path):
    Path(sealed.source).write_bytes(b"\0" * 8192)
    layers = SharedLayers(f"{tmp_path}/run")
    with pytest.raises(MountFailed, match="cannot mount erofs on"):
        layers.acquire([sealed])
    layers.release()
    assert os.listdir(f"{tmp_path}/run/layers") == ["lock"]


def test_a_loop_device_is_taken_where_asked_for_and_freed_with_its_last_user(sealed, tmp_path):
    mount = sealed._replace(options=("ro", "loop", "directio"))
    users = [SharedLayers(f"{tmp_path}/run") for _ in range(3)]
    for user in users:
        user.acquire([mount])
    assert [device for device, kind in devices_in(tmp_path)] == loops_of(mount.source)
    assert len(loops_of(mount.source)) == 1
    assert Path(mount.target, "etc/motd").read_bytes() == b"hello\n"
    for user in users[1:]:
        user.release()
    assert len(loops_of(mount.source)) == 1
    users[0].release()
    eventually(lambda: not loops_of(mount.source))
    assert mounts_below(str(tmp_path)) == []


def devices_in(folder: Path) -> list[tuple[str, str]]:
    """Device and type of each mount below `folder`."""
    with open("/proc/self/mountinfo", encoding="utf-8") as table:
        rows = [line.split() for line in table]
    return [(row[-2], row[-3]) for row in rows if row[4].startswith(str(folder))]


def loops_of(path: str) -> list[str]:
    """The loop devices that the file `path` is behind."""
    numbers = [name[4:] for name in os.listdir("/sys/block") if name.startswith("loop")]
    return [f"/dev/loop{number}" for number in numbers if backing_file(int(number)) == path]


@pytest.mark.parametrize("moment", ["attached", "mounted"])
def test_kill_9_leaves_no_loop_device_without_a_mount(sealed, tmp_path, moment: str):
    program = f"""
import os, sys
sys.path.insert(0, {SOURCE!r})
from lamina.runtime import loop
from lamina.runtime.mounts import SharedLayers
from lamina.spec.mount import Mount
if {moment!r} == "attached":
    with loop.attached({sealed.source!r}):
        os.kill(os.getpid(), 9)
mount = Mount("erofs", {sealed.source!r}, {sealed.target!r}, ("ro", "loop"))
SharedLayers({str(tmp_path / "run")!r}).acquire([mount])
os.kill(os.getpid(), 9)
"""
    done = subprocess.run([sys.executable, "-c", program], check=False)
    assert done.returncode == -9
    assert len(mounts_in(tmp_path)) == (moment == "mounted")
    SharedLayers(f"{tmp_path}/run").release()
    assert mounts_in(tmp_path) == []
    eventually(lambda: not loops_of(sealed.source))


def test_a_damaged_layer_leaves_no_loop_device(sealed, tmp_path):
    Path(sealed.source).write_bytes(b"\0" * 8192)
    layers = SharedLayers(f"{tmp_path}/run")
    with pytest.raises(MountFailed, match="cannot mount erofs on"):
        layers.acquire([sealed._replace(options=("ro", "loop"))])
    layers.release()
    eventually(lambda: not loops_of(sealed.source))
    assert os.listdir(f"{tmp_path}/run/layers") == ["lock"]


@pytest.mark.parametrize("options", [("ro",), ("ro", "loop")])
def test_processes_that_mount_the_same_layer_at_once_share_one_mount(sealed, tmp_path, options):
    mount = sealed._replace(options=options)

    def run(number: int) -> None:
        for _ in range(8):
            layers = SharedLayers(f"{tmp_path}/run")
            layers.acquire([mount])
            assert Path(mount.target, "etc/motd").read_bytes() == b"hello\n"
            assert len(mounts_in(tmp_path)) == 1
            layers.release()

    together(run, *[(number,) for number in range(4)])
    assert mounts_below(str(tmp_path)) == []
    assert os.listdir(f"{tmp_path}/run/layers") == ["lock"]
    eventually(lambda: not loops_of(mount.source))


@pytest.mark.parametrize("propagation", ["private", "slave"])
def test_a_mount_namespace_of_ones_own_has_mounts_of_its_own(sealed, tmp_path, propagation: str):
    """A service with PrivateMounts, or `unshare -m`, works beside everyone else on the same root."""
    program = f"""
import os, sys
sys.path.insert(0, {SOURCE!r})
from lamina.runtime.mounts import SharedLayers
from lamina.spec.mount import Mount
mount = Mount("erofs", {sealed.source!r}, {sealed.target!r}, ("ro",))
layers = SharedLayers({str(tmp_path / "run")!r})
def say(word):
    print(word, flush=True)
    sys.stdin.readline()
say("ready")
layers.acquire([mount])
say(open({sealed.target!r} + "/etc/motd").read().strip())
say(open({sealed.target!r} + "/etc/motd").read().strip())
layers.release()
print("gone" if not os.path.exists({sealed.target!r}) else "left", flush=True)
"""
    inside = subprocess.Popen(
        ["unshare", "-m", "--propagation", propagation, sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    words, answers = inside.stdin, inside.stdout
    assert words
    assert answers

    def answer() -> str:
        words.write("\n")
        words.flush()
        return answers.readline()

    assert answers.readline() == "ready\n"
    outside = SharedLayers(f"{tmp_path}/run")
    assert answer() == "hello\n"  # it mounts first, where we do not see it
    outside.acquire([sealed])
    assert Path(sealed.target, "etc/motd").read_bytes() == b"hello\n"
    outside.release()  # others still hold it: what we see stays, and so does what they see
    assert answer() == "hello\n"
    assert answer() == "gone\n"
    assert inside.wait() == 0
    words.close()
    answers.close()
    SharedLayers(f"{tmp_path}/run").release()
    assert mounts_below(str(tmp_path)) == []
    assert os.listdir(f"{tmp_path}/run/layers") == ["lock"]
