import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.containers import mounts_below

import lamina
from lamina.runtime import syscalls
from lamina.runtime.mounts import MountFailed, SharedLayers, detached, perform
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


def overlay(tmp_path: Path, lowers: int, depth: int = 0) -> Mount:
    folders = []
    for number in range(lowers):
        folder = tmp_path / ("d" * depth or "l") / str(number)
        folder.mkdir(parents=True)
        (folder / f"f{number}").write_text("x")
        folders.append(str(folder))
    for name in ("upper", "work"):
        (tmp_path / name).mkdir()
    options = (
        f"lowerdir={':'.join(folders)}",
        f"upperdir={tmp_path}/upper",
        f"workdir={tmp_path}/work",
    )
    return Mount("overlay", "overlay", f"{tmp_path}/merged", options)


@pytest.mark.parametrize(("lowers", "depth"), [(2, 0), (60, 100)])
def test_an_overlay_may_have_more_lowers_than_a_page_can_name(tmp_path, lowers: int, depth: int):
    mount = overlay(tmp_path, lowers, depth)
    perform(mount)
    try:
        assert len(os.listdir(mount.target)) == lowers
    finally:
        syscalls.umount(mount.target)


def test_a_detached_mount_is_seen_by_its_descriptor_alone(tmp_path):
    fd = detached(overlay(tmp_path, 2))
    made = os.open("new", os.O_CREAT | os.O_WRONLY, dir_fd=fd)
    os.close(made)
    assert sorted(os.listdir(f"/proc/self/fd/{fd}")) == ["f0", "f1", "new"]
    os.close(fd)
    assert mounts_in(tmp_path) == []
    assert os.listdir(tmp_path / "upper") == ["new"]
