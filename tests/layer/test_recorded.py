"""Recorded owners: what was written is read again, and nothing else is believed."""

import pytest

from lamina.layer.entry import Kind
from lamina.layer.recorded import Record


@pytest.mark.parametrize(
    ("record", "text"),
    [
        (Record(0, 42), b"0:42"),
        (Record(4294967294, 1), b"4294967294:1"),
        (Record(5, 6, Kind.CHARACTER, (1, 3)), b"5:6:c:1:3"),
        (Record(0, 0, Kind.BLOCK, (259, 1048575)), b"0:0:b:259:1048575"),
    ],
)
def test_a_record_is_read_as_it_was_written(record, text):
    assert bytes(record) == text
    assert Record.parse(text) == record


@pytest.mark.parametrize(
    "text", [b"", b"1", b"1:", b":", b"-1:2", b"1:2:3", b"1:2:x:1:3", b"1:2:c:1", b"1:2:\xff:1:3",
             b"1:2:c:1:3:4", b"99999999999:1", b"a:b", b" 1:2"],
)  # fmt: skip
def test_what_we_did_not_write_is_no_record(text):
    assert Record.parse(text) is None
