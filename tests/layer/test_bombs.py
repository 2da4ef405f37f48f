"""Bombs: whatever a tar says, memory and disk stay bounded, and there is a clear answer."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.layer.bombs import BOMBS, explode
from tests.layer.trees import erofs, sealed
from tests.soaking import sized

from lamina.layer.tree import MEMORY_LIMIT

MIB = 1 << 20
LIMIT = sized(96 * MIB, MEMORY_LIMIT)


def exploded(folder: Path, name: str, count: int, *, limit: int = LIMIT) -> dict[str, Any]:
    """Seal a bomb in a child whose memory is bounded by about three halves of `limit`."""
    words = [sys.executable, "-m", "tests.layer.bombs", name, str(count), str(folder), str(limit)]
    done = subprocess.run(words, capture_output=True, check=False, timeout=200)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    said: dict[str, Any] = json.loads(done.stdout)
    return said


@pytest.mark.parametrize(
    ("name", "count", "words"),
    [
        ("long_path", 16_000_000, "is too long"),
        ("long_paths", sized(60, 1000), "needs over"),
        ("depth_by_symlinks", 30, "over 8192 directories"),
        ("symlink_steps", 5000, "too many symlinks"),
        ("pax_header", 100, "more than 32 MiB"),
        ("pax_headers", 50, "more than 32 MiB"),
        ("pax_records", 300_000, "over 262,144 records"),
        ("global_headers", 100, "more than 64 KiB"),
        ("global_attributes", sized(5000, 100_000), "needs over"),
        ("attributes", 100_000, "too much"),
        ("many_attributes", sized(1000, 20_000), "needs over"),
        ("sparse_maps", sized(2, 20), "needs over"),
        ("large_holes", sized(30, 1000), "needs over"),
    ],
)
def test_a_bomb_of_headers_is_refused_before_it_fills_the_memory(
    tmp_path: Path, name: str, count: int, words: str
):
    said = exploded(tmp_path, name, count)
    assert words in said["error"], said
    assert len(said["error"]) < 500
    assert {"Corrupt", "Unsupported"} & set(said["kinds"])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("entries", sized(30_000, 1_000_000)),
        ("names", sized(30_000, 1_000_000)),
        ("hard_links", sized(20_000, 100_000)),
        ("links_that_wait", sized(20_000, 100_000)),
        ("whiteouts", sized(20_000, 100_000)),
        ("deep", 4000),
    ],
)
def test_what_is_only_much_is_sealed_and_read_in_bounded_memory(
    tmp_path: Path, name: str, count: int
):
    said = exploded(tmp_path, name, count, limit=sized(40 * MIB, 1024 * MIB))
    assert said["entries"] > count or name == "deep", said
    assert said["peak"] < sized(100 * MIB, 1024 * MIB)


def test_zeros_take_neither_memory_nor_disk(tmp_path: Path):
    count = sized(512, 10_240)
    said = exploded(tmp_path, "zeros", count)
    assert said["blocks"] < MIB
    assert said["unpacked"] < MIB


@pytest.mark.root
@pytest.mark.parametrize(
    ("name", "count"), [("deep", 2000), ("hard_links", 20_000), ("names", 20_000)]
)
def test_what_is_only_much_is_mounted(tmp_path: Path, name: str, count: int):
    data = b"".join(BOMBS[name](count))
    with sealed(tmp_path / "layer", data) as layer, erofs(layer, tmp_path / "mount") as mount:
        done = subprocess.run(
            ["find", ".", "-printf", "%n %y\n"], cwd=mount, capture_output=True, check=True
        )
        said = done.stdout.split(b"\n")[:-1]
        assert len(said) == sum(1 for _ in layer.walk())
        assert max(int(line.split()[0]) for line in said) >= (count if name == "hard_links" else 2)


def test_every_bomb_is_used():
    text = Path(__file__).read_text(encoding="utf-8")
    assert not [name for name in BOMBS if f'"{name}"' not in text]


def test_a_limit_is_a_limit_of_one_layer(tmp_path: Path):
    said = explode(BOMBS["entries"](1000), tmp_path, limit=100_000)
    assert "needs over 0 MiB" in str(said["error"])
    assert "entries" in explode(BOMBS["entries"](1000), tmp_path, limit=1_000_000)
