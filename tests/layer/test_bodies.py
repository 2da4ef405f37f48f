"""Content on its way out of a sealed layer: every byte, in any order, holes kept."""

import os
import random
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.layer.trees import gnu_tar, sealed, tar_of

from lamina.errors import Corrupt
from lamina.layer.bodies import Bodies
from lamina.layer.entry import Entry, Kind

SIZES = (0, 1, 511, 512, 4096, 65535, 65536, 65537, 262144, 1_000_003)


def filled(layer, name, target, bodies):
    fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        bodies.write(layer.lookup(name), fd)
    finally:
        os.close(fd)
    return target.read_bytes()


def test_files_of_all_sizes_come_out_in_any_order(tmp_path: Path):
    content = {b"%d" % size: random.Random(size).randbytes(size) for size in SIZES}
    items = [(Entry(name, Kind.FILE), data) for name, data in content.items()]
    names = [*content, *reversed(content)]
    with sealed(tmp_path / "l", tar_of(items)) as layer, Bodies() as bodies:
        for number, name in enumerate(names):
            assert filled(layer, name, tmp_path / str(number), bodies) == content[name]


def test_two_layers_are_not_mixed_up(tmp_path: Path):
    with ExitStack() as stack:
        layers = [
            stack.enter_context(
                sealed(tmp_path / f"l{word}", tar_of([(Entry(b"f", Kind.FILE), word.encode())]))
            )
            for word in ("one", "two")
        ]
        bodies = stack.enter_context(Bodies())
        assert [
            filled(layer, b"f", tmp_path / str(number), bodies)
            for number, layer in enumerate(layers)
        ] == [b"one", b"two"]


def test_the_kernels_copy_is_not_needed(tmp_path: Path, monkeypatch):
    def refused(*_):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "copy_file_range", refused)
    data = random.Random(1).randbytes(700_001)
    with (
        sealed(tmp_path / "l", tar_of([(Entry(b"f", Kind.FILE), data)])) as layer,
        Bodies() as bodies,
    ):
        assert filled(layer, b"f", tmp_path / "f", bodies) == data


def test_a_bomb_of_zeros_takes_no_room(tmp_path: Path):
    content = {
        b"all": bytes(8 << 20),
        b"front": b"x" + bytes(4 << 20),
        b"back": bytes(4 << 20) + b"x",
        b"middle": bytes(4 << 20) + b"x" * 5000 + bytes(4 << 20),
    }
    items = [(Entry(name, Kind.FILE), data) for name, data in content.items()]
    with sealed(tmp_path / "l", tar_of(items)) as layer, Bodies() as bodies:
        for name, data in content.items():
            target = tmp_path / name.decode()
            assert filled(layer, name, target, bodies) == data
            assert target.stat().st_blocks * 512 <= len(data) // 4


def test_holes_and_long_zeros_in_a_sparse_file_take_no_room(tmp_path: Path):
    source = tmp_path / "source"
    source.mkdir()
    with (source / "hole").open("wb") as file:
        file.write(b"start")
        file.seek(1 << 24)
        file.write(b"middle")
        file.seek((1 << 26) + 7)
        file.write(b"end")
    with (
        sealed(tmp_path / "l", gnu_tar(source, "--sparse", "--format=posix")) as layer,
        Bodies() as bodies,
    ):
        found = filled(layer, b"hole", tmp_path / "hole", bodies)
    assert found == (source / "hole").read_bytes()
    assert (tmp_path / "hole").stat().st_blocks * 512 < 1 << 20


@pytest.mark.parametrize("size", [1000, 100_000])
def test_a_sealed_file_that_was_cut_is_corrupt_not_a_short_file(tmp_path: Path, size):
    items = [(Entry(b"f", Kind.FILE), bytes(size))]
    with sealed(tmp_path / "l", tar_of(items)) as layer, Bodies() as bodies:
        node = layer.lookup(b"f")
        assert node is not None
        assert node.size == size  # read now: the index goes too
        os.truncate(layer.path, 4096 + 512 + 100)
        with (tmp_path / "f").open("wb") as file, pytest.raises(Corrupt, match="shorter"):
            bodies.write(node, file.fileno())
