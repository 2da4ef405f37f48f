"""Any part of a tar, by ranges of any blob; and what damaged ones give."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.layer.seeking import PACKERS, Bytes, Indexed, indexed, packed_by
from tests.layer.trees import sealed, tar_of

from lamina.layer.entry import Entry, Kind
from lamina.layer.sealed import SealedLayer
from lamina.layer.span_reader import SpanCache, SpanReader
from lamina.layer.spans import SeekIndexInvalid

EVERY = 32 * 1024


def body(number: int) -> bytes:
    chosen = random.Random(number)
    words = [b"word ", b"another", bytes(300), chosen.randbytes(40)]
    return b"".join(chosen.choice(words) for _ in range(chosen.randrange(4000)))


TAR = tar_of([(Entry(b"f%d" % number, Kind.FILE), body(number)) for number in range(12)])


@pytest.fixture(scope="module")
def layer(tmp_path_factory: pytest.TempPathFactory) -> SealedLayer:
    return sealed(tmp_path_factory.mktemp("spans") / "layer", TAR)


@pytest.fixture(scope="module", params=sorted(PACKERS))
def made(request: pytest.FixtureRequest, layer: SealedLayer) -> Indexed:
    return indexed(layer, packed_by(request.param, TAR), every=EVERY)


def reader(made: Indexed, blob: Bytes | None = None, limit: int = 1 << 20) -> SpanReader:
    index = made.index
    return SpanReader(
        index.spans,
        codec=index.codec,
        blob=blob or made.blob,
        blob_size=index.blob_size,
        window=lambda span: index.window(made.file, span),
        cache=SpanCache(limit),
    )


@given(
    st.lists(st.tuples(st.integers(0, len(TAR)), st.integers(0, 200_000)), min_size=1, max_size=9)
)
def test_any_parts_in_any_order_are_those_of_the_tar(made: Indexed, parts: list[tuple[int, int]]):
    reads = reader(made, limit=3 * EVERY)
    for start, size in parts:
        end = min(start + size, len(TAR))
        assert b"".join(reads.pieces(start, end)) == TAR[start:end]
    reads.close()


def test_a_small_part_costs_little_where_decoding_can_begin(made: Indexed):
    before = made.blob.total
    assert b"".join(reader(made).pieces(len(TAR) // 2, len(TAR) // 2 + 10))
    cost = made.blob.total - before
    if sum(span.begins for span in made.index.spans) > 4:
        assert cost < len(made.blob.data) / 2
    else:
        assert cost == len(made.blob.data)


def test_whoever_reads_on_is_served_by_few_requests(layer: SealedLayer):
    made = indexed(layer, packed_by("zlib", TAR), every=EVERY)
    reads = reader(made)
    for start in range(0, len(TAR), 5000):
        assert (
            b"".join(reads.pieces(start, min(start + 5000, len(TAR)))) == TAR[start : start + 5000]
        )
    assert len(made.blob.asked) < len(made.index.spans) / 2
    made.blob.asked.clear()
    assert b"".join(reader(made).pieces(0, len(TAR))) == TAR
    assert len(made.blob.asked) <= len(made.index.spans) // 32 + 1


def test_one_frame_is_decoded_on_and_not_anew_for_each_part(layer: SealedLayer):
    made = indexed(layer, packed_by("zstd", TAR), every=EVERY)
    reads = reader(made)
    for start in range(0, len(TAR), 40_000):
        b"".join(reads.pieces(start, min(start + 10, len(TAR))))
    assert len(made.blob.asked) == 1


def test_what_was_decoded_of_one_frame_is_not_fetched_again(layer: SealedLayer):
    made = indexed(layer, packed_by("zstd", TAR), every=EVERY)
    reads = reader(made, limit=1)  # nothing stays in memory
    before = made.blob.total
    assert b"".join(reads.pieces(len(TAR) - 10, len(TAR))) == TAR[-10:]
    assert made.blob.total - before == len(made.blob.data)
    for start in (0, len(TAR) // 2, len(TAR) // 3, len(TAR) - 10):
        assert b"".join(reads.pieces(start, start + 10)) == TAR[start : start + 10]
    assert made.blob.total - before == len(made.blob.data)
    reads.close()


@given(st.data())
def test_a_blob_with_other_bytes_is_told_and_never_believed(made: Indexed, data: st.DataObject):
    at = data.draw(st.integers(0, len(made.blob.data) - 1))
    bad = bytearray(made.blob.data)
    bad[at] ^= 1 << data.draw(st.integers(0, 7))
    if data.draw(st.booleans()):
        del bad[at:]
    blob = Bytes(bytes(bad))
    start = data.draw(st.integers(0, len(TAR) - 1))
    try:
        found = b"".join(reader(made, blob).pieces(start, start + 1))
    except SeekIndexInvalid:
        return
    assert found == TAR[start : start + 1]


def test_a_part_beyond_the_tar_is_refused(made: Indexed):
    with pytest.raises(SeekIndexInvalid):
        list(reader(made).pieces(len(TAR), len(TAR) + 1))


def test_the_cache_keeps_what_was_wanted_last():
    cache = SpanCache(10)
    for number in range(3):
        cache.put((1, number), b"1234")
    assert [cache.get((1, number)) for number in range(3)] == [None, b"1234", b"1234"]
    cache.put((1, 9), b"x" * 50)  # more than there is room for: it alone
    assert cache.get((1, 9)) == b"x" * 50
    assert cache.get((1, 2)) is None
