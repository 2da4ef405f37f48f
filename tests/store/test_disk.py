"""The tree under the root folder."""

import json
import os
import subprocess

import pytest
from tests.store.processes import together

from lamina.store.disk import Disk, RootInvalid, fill_reserve, make, scratch, spend_reserve


def test_make_draws_an_oci_layout_and_is_repeatable(tmp_path):
    root = str(tmp_path / "deep" / "root")
    disk = make(root)
    assert disk == Disk(root)
    with open(disk.layout, encoding="utf-8") as file:
        assert json.load(file) == {"imageLayoutVersion": "1.0.0"}
    with open(disk.index, encoding="utf-8") as file:
        assert json.load(file)["manifests"] == []
    before = sorted(os.listdir(root))
    assert make(root) == disk
    assert sorted(os.listdir(root)) == before


def test_nobody_else_can_reach_blobs_layers_and_writable_layers(tmp_path):
    disk = make(str(tmp_path / "root"))
    for private in (disk.blobs, disk.layers, disk.snapshots, disk.uploads, disk.leases):
        assert os.stat(private).st_mode & 0o077 == 0
    assert os.stat(disk.root).st_mode & 0o777 == 0o711


def test_every_place_the_drawing_names_is_made(tmp_path):
    disk = make(str(tmp_path / "root"))
    for place in (disk.blobs, disk.containers, disk.volumes, disk.networks):
        assert os.path.isdir(place)
    assert os.path.dirname(disk.events) == disk.root


def test_many_processes_may_make_one_root_at_once(tmp_path):
    root = str(tmp_path / "root")
    together(make, *[(root,)] * 8)
    assert sorted(name for name in os.listdir(root) if name.endswith("~")) == []
    with open(f"{root}/index.json", "rb") as file:
        assert json.load(file)["schemaVersion"] == 2


def test_an_oci_layout_of_another_tool_becomes_a_root_and_keeps_its_names(tmp_path):
    root = str(tmp_path / "layout")
    subprocess.run(["umoci", "init", "--layout", root], check=True, capture_output=True)
    subprocess.run(["umoci", "new", "--image", f"{root}:v1"], check=True, capture_output=True)
    disk = make(root)
    assert os.path.isdir(disk.uploads)
    with open(disk.index, encoding="utf-8") as file:
        assert len(json.load(file)["manifests"]) == 1


def test_a_layout_of_the_future_is_refused(tmp_path):
    (tmp_path / "oci-layout").write_text('{"imageLayoutVersion": "2.0.0"}')
    with pytest.raises(RootInvalid, match=r"2\.0\.0"):
        make(str(tmp_path))


def test_scratch_is_empty_and_goes_away_with_whatever_is_in_it(tmp_path):
    def fail():
        with scratch(str(tmp_path)) as path:
            assert os.listdir(path) == []
            os.makedirs(f"{path}/a/b")
            os.chmod(f"{path}/a", 0)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert os.listdir(tmp_path) == []


def test_the_reserve_is_spent_once_and_filled_again(tmp_path):
    disk = Disk(str(tmp_path))
    assert not spend_reserve(disk.reserve)
    fill_reserve(disk)
    assert os.stat(disk.reserve).st_blocks > 0
    assert spend_reserve(disk.reserve)
    assert not spend_reserve(disk.reserve)
    assert os.stat(disk.reserve).st_blocks == 0


@pytest.mark.parametrize("size", [0, 200_000, 250_000, 1_000_000])
def test_the_reserve_is_larger_than_the_index_that_may_have_to_be_written(tmp_path, size):
    disk = Disk(str(tmp_path))
    with open(disk.index, "wb") as file:
        file.truncate(size)
    fill_reserve(disk)
    assert os.stat(disk.reserve).st_size >= size + 64 * 1024


@pytest.mark.root
def test_a_disk_that_is_nearly_full_gives_the_reserve_what_it_has(tiny_disk):
    disk = make(str(tiny_disk / "root"))
    spend_reserve(disk.reserve)
    with open(tiny_disk / "ballast", "wb", buffering=0) as file:
        free = os.statvfs(tiny_disk)
        os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize - 100 * 1024)
    fill_reserve(disk)
    assert os.stat(disk.reserve).st_size == 64 * 1024
    (tiny_disk / "ballast").unlink()
    fill_reserve(disk)
    assert os.stat(disk.reserve).st_size == 256 * 1024
