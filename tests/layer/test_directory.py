"""Blocks of a directory: all names, or a part of them, and never a crash on damaged ones."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.layer.directory import DOTS, DirectoryDamaged, columns, names_in, part
from lamina.layer.erofs import BLOCK, directory_blocks, pack_block

NAMES = st.sets(
    st.binary(min_size=1, max_size=255).filter(lambda name: not {0, 47} & set(name)), max_size=40
)


def directory(found: set[bytes], form: int = 1) -> bytes:
    """A directory with the dots where they belong, each name's inode its place among all."""
    names = sorted(found | set(DOTS))
    ends, _ = directory_blocks(names)
    blocks, start = [], 0
    for end in ends:
        forms = [2 if name in DOTS else form for name in names[start:end]]
        blocks.append(pack_block(names[start:end], list(range(start, end)), forms))
        start = end
    return b"".join(block.ljust(BLOCK, b"\0") for block in blocks[:-1]) + blocks[-1]


@given(NAMES, st.integers(0, 45), st.integers(1, 45))
def test_a_part_is_what_the_whole_has_there(names: set[bytes], offset: int, limit: int) -> None:
    data = directory(names)
    whole = columns(data)
    assert whole.names == sorted(names - set(DOTS))
    assert [sorted(names | set(DOTS))[nid] for nid in whole.nids] == whole.names
    found = part(data, offset, limit)
    assert found is not None
    total, some = found
    assert total == len(whole.names)
    assert some == tuple(column[offset : offset + limit] for column in whole)


def test_devices_may_be_whiteouts_so_a_part_says_nothing_of_them() -> None:
    assert part(directory({b"a"}, form=3), 0, 9) is None
    assert part(b"", 0, 9) == (0, ([], [], []))


@given(NAMES, st.data())
def test_damaged_blocks_are_named(names: set[bytes], data: st.DataObject) -> None:
    block = bytearray(directory(names))
    for place in data.draw(st.lists(st.integers(0, len(block) - 1), min_size=1, max_size=9)):
        block[place] = data.draw(st.integers(0, 255))
    for read in (columns, lambda raw: part(raw, 3, 7)):
        with suppress(DirectoryDamaged):  # nothing else
            read(bytes(block))


@pytest.mark.parametrize("data", [b"", b"\0" * 12, b"\1" * 40])
def test_what_is_no_block_is_damaged(data: bytes) -> None:
    with pytest.raises(DirectoryDamaged, match="is damaged"):
        names_in(data)
