"""Reading a whole stream."""

from io import BytesIO

import pytest
from tests.layer.trees import tar_of

from lamina.layer.entry import Entry, Kind
from lamina.layer.tar import TarInvalid, read_entries


def test_entries_come_with_the_place_of_their_bodies():
    data = tar_of([(Entry(b"a", Kind.FILE), b"first"), (Entry(b"b", Kind.FILE), b"second")])
    found = [
        data[entry.offset : entry.offset + entry.size] for entry in read_entries(BytesIO(data))
    ]
    assert found == [b"first", b"second"]


def test_a_stream_is_read_past_the_end_marker():
    stream = BytesIO(tar_of([]) + b"more" * 1000)
    assert list(read_entries(stream)) == []
    assert stream.read() == b""


def test_a_stream_that_ends_too_soon_is_invalid():
    data = tar_of([(Entry(b"a", Kind.FILE), b"x" * 5000)])
    with pytest.raises(TarInvalid, match="within the body"):
        list(read_entries(BytesIO(data[:3000])))
