"""overlayfs mounts of any number of layers, by each of the ways there are."""

import os
from pathlib import Path

import pytest

from lamina.runtime import syscalls
from lamina.runtime.mounts import MountFailed, detached, perform
from lamina.spec.mount import Mount

pytestmark = pytest.mark.root

# What fits a page; a page is too small; a path is too long for the new mount calls, so that the
# short names serve, as they do on kernels without `lowerdir+`; and names that mean something.
SHAPES = {"page": (2, "l"), "steps": (60, "d" * 100), "short names": (500, "d" * 250)}
SPECIAL = {"colons": (2, "a:b"), "all of it": (60, "a:b,c\\d" + "e" * 240)}


def overlay(folder: Path, lowers: int, name: str) -> Mount:
    """Layers with a file of their own each, and one that all have: the topmost says 0."""
    folders = []
    for number in range(lowers):
        lower = folder / name / str(number)
        lower.mkdir(parents=True)
        (lower / f"f{number}").touch()
        (lower / "all").write_text(str(number), encoding="ascii")
        folders.append(f"lowerdir+={lower}")
    options = []
    for key in ("upper", "work"):
        (folder / f"{name}-{key}").mkdir()
        options.append(f"{key}dir={folder / f'{name}-{key}'}")
    return Mount("overlay", "overlay", f"{folder}/merged", (*folders, *options, "nosuid"))


@pytest.mark.parametrize("shape", [*SHAPES, *SPECIAL])
def test_an_overlay_may_have_any_number_of_layers_in_folders_of_any_name(tmp_path, shape: str):
    lowers, name = (SHAPES | SPECIAL)[shape]
    mount = overlay(tmp_path, lowers, name[:240])
    here = os.getcwd()
    perform(mount)
    try:
        assert len(os.listdir(mount.target)) == lowers + 1
        assert Path(mount.target, "all").read_text(encoding="ascii") == "0"
        assert os.statvfs(mount.target).f_flag & os.ST_NOSUID
        assert os.getcwd() == here
    finally:
        syscalls.umount(mount.target)


@pytest.mark.parametrize("shape", [*SHAPES, *SPECIAL])
def test_a_detached_overlay_is_seen_by_its_descriptor_alone(tmp_path, shape: str):
    lowers, name = (SHAPES | SPECIAL)[shape]
    mount = overlay(tmp_path, lowers, name[:240])
    fd = detached(mount)
    made = os.open("new", os.O_CREAT | os.O_WRONLY, dir_fd=fd)
    os.close(made)
    assert len(os.listdir(f"/proc/self/fd/{fd}")) == lowers + 2
    assert os.fstatvfs(fd).f_flag & os.ST_NOSUID
    os.close(fd)
    with open("/proc/self/mountinfo", encoding="utf-8") as table:
        assert str(tmp_path) not in table.read()
    assert os.listdir(tmp_path / f"{name[:240]}-upper") == ["new"]


def test_more_layers_than_the_kernel_stacks_are_its_refusal(tmp_path):
    mount = overlay(tmp_path, 501, "l")
    with pytest.raises(MountFailed, match=f"cannot mount overlay on {tmp_path}/merged"):
        perform(mount)
    with pytest.raises(MountFailed):
        detached(mount)
