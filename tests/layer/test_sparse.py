"""Chunk plans: every byte where it belongs, at little cost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.errors import Unsupported
from lamina.layer.erofs import AREA, BLOCK, HOLE
from lamina.layer.sparse import pieces_of, plan_chunks

Segments = tuple[tuple[int, int, int], ...]


@st.composite
def maps(draw: st.DrawFn) -> tuple[int, Segments]:
    unit = draw(st.sampled_from([1, 512, 4096, 65536]))
    position, offset, found = 0, 1024, []
    for gap, length in draw(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), max_size=9)):
        logical = position + gap * unit
        found.append((logical, offset, length * unit))
        position, offset = logical + length * unit, offset + length * unit
    size = position + draw(st.integers(0, 9 * unit))
    return size, tuple(found) or ((size, offset, 0),)


@given(maps())
def test_every_byte_is_where_the_map_says(case: tuple[int, Segments]):
    size, segments = case
    tar = bytes(byte % 251 + 1 for byte in range(1024 + sum(s[2] for s in segments)))
    wanted = bytearray(size)
    for logical, offset, length in segments:
        wanted[logical : logical + length] = tar[offset : offset + length]
    plan = plan_chunks(size, segments)
    chunk = 1 << plan.bits
    rebuilt = bytearray(len(plan.blocks) * chunk)
    start = 0
    for index, block in enumerate(plan.blocks):
        if index in plan.copies:
            found, start = pieces_of(index, plan, size, segments, start)
            for within, offset, length in found:
                at = index * chunk + within
                rebuilt[at : at + length] = tar[offset : offset + length]
        elif block != HOLE:
            data = tar[block * BLOCK - AREA :][: min(chunk, size - index * chunk)]
            rebuilt[index * chunk : index * chunk + len(data)] = data
    assert rebuilt[:size] == wanted


def test_aligned_pieces_are_not_copied():
    segments = tuple((number * 65536, number * 4096, 4096) for number in range(1000))
    plan = plan_chunks(65536 * 1000, segments)
    assert not plan.copies
    assert len(plan.blocks) * 4 <= 64_000


def test_a_terabyte_of_hole_has_a_short_map():
    plan = plan_chunks(1 << 40, ((1 << 39, 512, 512),))
    assert len(plan.blocks) < 10_000


def test_more_than_any_map_holds_is_unsupported():
    with pytest.raises(Unsupported):
        plan_chunks(1 << 70, ((1 << 70, 512, 0),))
