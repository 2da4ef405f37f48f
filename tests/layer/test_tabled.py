"""Tables of contents of layers: what they say, and what none can say."""

from typing import Any

import pytest
from hypothesis import given
from tests.strategies import documents

from lamina.layer.entry import Entry, Kind
from lamina.layer.spans import SeekIndexInvalid
from lamina.layer.tabled import Table
from lamina.spec.wire import encode

DIGEST = "sha256:" + "1" * 64
FILE = {"name": "a", "type": "reg", "size": 10, "offset": 5, "digest": DIGEST}


def table(*rows: dict[str, Any]) -> Table:
    return Table.parse(encode({"version": 1, "entries": list(rows)}), blob_size=1000)


def test_paths_are_told_with_their_attributes_and_contents_laid_behind_each_other():
    found = table(
        {"name": "./", "type": "dir", "mode": 0o40755},
        FILE | {"mode": 0o104711, "uid": 3, "modtime": "2024-01-02T03:04:05.000000007Z"},
        {"name": "b/", "type": "dir", "xattrs": {"user.x": "/wA="}},
        FILE | {"name": "b/c", "offset": 90, "chunkSize": 4, "chunkDigest": DIGEST},
        {"name": "b/c", "type": "chunk", "offset": 90, "innerOffset": 4, "chunkOffset": 4, "chunkSize": 2,
         "chunkDigest": DIGEST},
        {"name": "b/c", "type": "chunk", "chunkOffset": 6, "chunkType": "zeros"},
        {"name": "b/hard", "type": "hardlink", "linkName": "/a"},
        {"name": "b/soft", "type": "symlink", "linkName": "../a"},
        {"name": "b/null", "type": "char", "devMajor": 1, "devMinor": 3, "modtime": ""},
    )  # fmt: skip
    time_ns = 1_704_164_645_000_000_007
    assert found.entries == (
        Entry(b"", Kind.DIRECTORY, 0o755),
        Entry(b"a", Kind.FILE, 0o4711, 3, size=10, mtime_ns=time_ns),
        Entry(b"b", Kind.DIRECTORY, 0, xattrs=(("user.x", b"\xff\0"),), offset=512),
        Entry(b"b/c", Kind.FILE, 0, size=10, offset=512),
        Entry(b"b/hard", Kind.HARDLINK, 0, link=b"a", offset=1024),
        Entry(b"b/soft", Kind.SYMLINK, 0, link=b"../a", offset=1024),
        Entry(b"b/null", Kind.CHARACTER, 0, device=(1, 3), offset=1024),
    )
    assert [chunk[:5] for chunk in found.chunks] == [
        (0, 10, 5, 90, 0), (512, 4, 90, 1000, 0), (516, 2, 90, 1000, 4), (518, 4, 0, 0, 0),
    ]  # fmt: skip
    assert found.size == 1024


@pytest.mark.parametrize(
    "rows",
    [
        [FILE | {"size": -1}], [FILE | {"offset": 1000}], [FILE | {"digest": "sha256:short"}],
        [FILE | {"digest": "sha512:" + "1" * 128}], [FILE | {"chunkSize": 4}], [FILE | {"chunkSize": 11}],
        [FILE | {"type": "cat"}], [FILE | {"name": "../a"}], [FILE | {"size": 1 << 61}], [{"type": "chunk"}],
        [FILE | {"chunkSize": 4}, {"type": "chunk", "offset": 9, "chunkOffset": 3, "chunkDigest": DIGEST}],
        [FILE | {"xattrs": {"a": "*"}}], [FILE | {"innerOffset": -1}], [5],
    ],
)  # fmt: skip
def test_what_no_table_can_say_is_refused(rows: list[Any]):
    with pytest.raises(SeekIndexInvalid, match="table of contents"):
        table(*rows)


@given(documents())
def test_any_document_is_a_table_or_is_refused(value: object):
    try:
        found = Table.parse(encode(value), blob_size=100)
    except SeekIndexInvalid:
        return
    assert isinstance(found, Table)
