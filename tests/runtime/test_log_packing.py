import gzip
import os
import subprocess

import pytest

from lamina.runtime.log_packing import Packing, inode_of


def make(tmp_path, data: bytes) -> str:
    path = str(tmp_path / "log.1")
    with open(path, "wb") as file:
        file.write(data)
    return path


def test_a_packed_file_is_gzip_to_everybody_and_says_what_it_was(tmp_path):
    data = b"line\n" * 50_000
    path = make(tmp_path, data)
    inode = os.stat(path).st_ino
    packing = Packing(path)
    steps = 0
    while not packing.go_on(1):
        steps += 1
        assert os.path.exists(path)
    assert steps > 1
    assert os.listdir(tmp_path) == ["log.1.gz"]
    assert gzip.decompress((tmp_path / "log.1.gz").read_bytes()) == data
    assert (
        subprocess.run(["gzip", "-dc", f"{path}.gz"], check=True, capture_output=True).stdout
        == data
    )
    fd = os.open(f"{path}.gz", os.O_RDONLY)
    assert inode_of(fd) == inode
    os.close(fd)
    assert packing.go_on(1)


def test_others_gzip_files_do_not_say_what_they_were(tmp_path):
    (tmp_path / "x.gz").write_bytes(gzip.compress(b"x"))
    fd = os.open(tmp_path / "x.gz", os.O_RDONLY)
    assert inode_of(fd) == 0
    os.close(fd)


def test_a_disk_without_room_leaves_the_file_as_it_was(tmp_path):
    path = make(tmp_path, b"line\n" * 50_000)
    os.symlink("/dev/full", f"{path}.gz.new")
    packing = Packing(path)
    packing.finish()
    assert packing.ended
    assert os.listdir(tmp_path) == ["log.1"]


def test_what_cannot_begin_is_told(tmp_path):
    path = make(tmp_path, b"x")
    os.mkdir(f"{path}.gz.new")
    with pytest.raises(OSError, match="directory"):
        Packing(path)
    with pytest.raises(FileNotFoundError):
        Packing(f"{path}0")
