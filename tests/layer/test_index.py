"""Packing: inline data never crosses a block, and the root's nid fits 16 bits."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.layer.trees import erofs, sealed, tar_of

from lamina.layer.entry import Entry, Kind
from lamina.layer.erofs import BLOCK
from lamina.layer.node import INLINE


@given(
    st.lists(st.tuples(st.integers(1, 700), st.integers(0, 300)), min_size=1, max_size=30),
    st.integers(0, 700),
)
def test_inline_data_never_crosses_a_block(links: list[tuple[int, int]], root_value: int):
    import tempfile

    items = [Entry(b"", Kind.DIRECTORY, 0o755, xattrs=(("user.r", b"v" * root_value),))]
    items += [
        Entry(b"%d" % number, Kind.SYMLINK, 0o777, link=b"t" * size, xattrs=(("user.x", b"v" * value),))
        for number, (size, value) in enumerate(links)
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as name, sealed(Path(name, "l"), tar_of(items)) as layer:
        assert layer.root.nid < 1 << 16
        for path, node in layer.walk():
            if path:
                assert node.target == b"t" * links[int(path)][0]
            if node.layout == INLINE:
                end = node.data_at + node.size
                assert node.data_at // BLOCK == (end - 1) // BLOCK


@pytest.mark.root
@pytest.mark.parametrize("value", range(300, 420, 8))
def test_a_root_whose_names_would_cross_a_block_mounts(tmp_path: Path, value: int):
    root = Entry(b"", Kind.DIRECTORY, 0o711, xattrs=(("user.r", b"v" * value),))
    with (
        sealed(tmp_path / "l", tar_of([root, Entry(b"f" * 80, Kind.FIFO)])) as layer,
        erofs(layer, tmp_path / "m") as mount,
    ):
        assert mount.stat().st_mode & 0o777 == 0o711
        assert (mount / ("f" * 80)).is_fifo()
