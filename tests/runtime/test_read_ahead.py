"""Read-ahead of mounted layers, against a copy of what /sys looks like."""

import os
from pathlib import Path

import pytest

from lamina.runtime.read_ahead import follow_disk, known_mounts


def entry(sys: Path, name: str, kb: int) -> Path:
    folder = sys / "class" / "bdi" / name
    folder.mkdir(parents=True)
    (folder / "read_ahead_kb").write_text(f"{kb}\n")
    return folder / "read_ahead_kb"


def disk(sys: Path, path: Path, kb: int, *, partition: bool) -> None:
    device = path.stat().st_dev
    name = f"{os.major(device)}:{os.minor(device)}"
    whole = sys / "devices" / "vda"
    (whole / "bdi").mkdir(parents=True)
    (whole / "bdi" / "read_ahead_kb").write_text(f"{kb}\n")
    (whole / "vda1").mkdir()
    (sys / "dev" / "block").mkdir(parents=True)
    (sys / "dev" / "block" / name).symlink_to(whole / "vda1" if partition else whole)


@pytest.mark.parametrize(("kb", "set_to"), [(64, 128), (128, 128), (256, 256), (8192, 1024)])
@pytest.mark.parametrize("partition", [False, True])
def test_new_mounts_are_read_ahead_as_far_as_their_disk(
    tmp_path: Path, kb: int, set_to: int, partition: bool
):
    disk(tmp_path, tmp_path, kb, partition=partition)
    others = [entry(tmp_path, "erofs-1", 128), entry(tmp_path, "7:1", 128)]
    known = known_mounts(str(tmp_path))
    assert known == {"erofs-1"}
    ours = entry(tmp_path, "erofs-2", 128)
    follow_disk(str(tmp_path), known, str(tmp_path))
    assert int(ours.read_text()) == set_to
    assert [int(other.read_text()) for other in others] == [128, 128]


def test_nothing_is_set_where_the_disk_or_sys_is_not_to_be_seen(tmp_path: Path):
    ours = entry(tmp_path, "erofs-2", 128)
    follow_disk(str(tmp_path), frozenset(), str(tmp_path))
    assert int(ours.read_text()) == 128
    follow_disk(str(tmp_path), frozenset(), str(tmp_path / "none"))
    assert known_mounts(str(tmp_path / "none")) == frozenset()
