"""Tables of spans: what was written is read, and what contradicts itself is not."""

from hashlib import sha256

import pytest

from lamina.layer.spans import LIMIT, ROW, SeekIndexInvalid, Span, SpanCutter, read_spans
from lamina.stream.seek_points import finder

NONE = bytes(32)
GOOD = (
    Span(0, 100, NONE, 40, begins=True),
    Span(100, 50, NONE, 60, begins=False),
    Span(150, 30, NONE, 90, begins=True, packed_at=60, bits=3, windowed=True, window_at=7, window_size=5),
)  # fmt: skip


def table(*spans: Span) -> bytes:
    return b"".join(span.pack() for span in spans)


def read(data: bytes, tar_size: int = 180) -> tuple[Span, ...]:
    return read_spans(data, tar_size=tar_size, blob_size=100, room=12)


def test_rows_are_read_as_they_were_written():
    assert read(table(*GOOD)) == GOOD
    assert read(b"", 0) == ()
    assert GOOD[2].point(b"w") == (150, 60, 3, b"w")


@pytest.mark.parametrize(
    "spans",
    [
        GOOD[:2],  # another length than the tar's
        GOOD[1:],  # the first does not begin
        (GOOD[0]._replace(size=0), *GOOD[1:]),
        (GOOD[0]._replace(size=LIMIT + 1), *GOOD[1:]),
        (GOOD[0]._replace(needed=101), *GOOD[1:]),  # beyond the blob
        (GOOD[0]._replace(needed=70), *GOOD[1:]),  # backwards
        (*GOOD[:2], GOOD[2]._replace(packed_at=91)),
        (*GOOD[:2], GOOD[2]._replace(bits=8)),
        (*GOOD[:2], GOOD[2]._replace(windowed=False)),
        (*GOOD[:2], GOOD[2]._replace(window_at=8)),
        (GOOD[0]._replace(bits=1, windowed=True), *GOOD[1:]),  # before the first byte
    ],
)
def test_rows_that_cannot_be_are_refused(spans: tuple[Span, ...]):
    with pytest.raises(SeekIndexInvalid):
        read(table(*spans))


def test_a_table_that_is_cut_short_is_refused():
    with pytest.raises(SeekIndexInvalid):
        read(table(*GOOD)[: ROW.size * 3 - 1])


def test_spans_are_cut_where_decoding_can_begin_and_at_the_limit():
    cutter = SpanCutter(finder("", 1000, None), lambda _: (0, 0), limit=400)
    data = bytes(range(250)) * 10
    assert b"".join(cutter.feed(data)) == data
    spans = cutter.finish()
    assert [(span.at, span.size, span.begins) for span in spans] == [
        (0, 400, True), (400, 400, False), (800, 200, False),
        (1000, 400, True), (1400, 400, False), (1800, 200, False),
        (2000, 400, True), (2400, 100, False),
    ]  # fmt: skip
    assert all(
        span.digest == sha256(data[span.at : span.at + span.size]).digest() for span in spans
    )
