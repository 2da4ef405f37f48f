"""Layers that fit into one union: as many as it takes, and merged in steps where there are more."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.errors import Unsupported
from lamina.snapshot.depth import merged_count, room_below


@given(st.integers(0, 2000), st.integers(2, 500))
def test_what_is_left_after_merging_fits_and_no_more_is_merged_than_a_step(count: int, most: int):
    merged = merged_count(count, most)
    if count <= most:
        assert merged == 0
    else:
        assert 2 <= merged <= count
        assert 1 <= count - merged + 1 <= most
        assert most - (count - merged + 1) < max(1, most // 5)


def test_images_on_one_base_share_the_merged_layer():
    assert {merged_count(count, 500) for count in range(501, 600)} == {100}
    assert {merged_count(count, 500) for count in range(600, 700)} == {200}


def test_frozen_layers_take_room_from_those_of_the_image():
    assert room_below(0, 500) == 500
    assert room_below(499, 500) == 1
    with pytest.raises(Unsupported, match="frozen 500 times"):
        room_below(500, 500)


def test_a_container_starts_without_what_merges_layers():
    program = "import sys; from lamina.snapshot import sealed, unpacked; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert "lamina.snapshot.depth" in loaded
    assert not {"lamina.snapshot.merging", "lamina.layer.erofs", "zlib"} & loaded
