"""Tables of contents of layers: what they say, and what none can say."""

import gzip
import hashlib
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from tests.strategies import documents

from lamina.layer import tabled
from lamina.layer.entry import Entry, EntryInvalid, Kind
from lamina.layer.spans import SeekIndexInvalid
from lamina.layer.tabled import Table, TabledLayer
from lamina.spec.digest import Digest
from lamina.spec.wire import encode
from lamina.stream.codec import Decompressor, decompressor

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
        [FILE | {"uid": 1 << 32}], [FILE | {"gid": -1}], [FILE | {"size": float("inf")}], [FILE | {"name": "/"}],
        [FILE | {"type": "symlink", "linkName": "a\0b"}], [{}] * 100,
    ],
)  # fmt: skip
def test_what_no_table_can_say_is_refused(rows: list[Any]):
    with pytest.raises(SeekIndexInvalid, match="table of contents"):
        table(*rows)


class Blob:
    """Bytes that remember how much of them was read, and how often."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.opened = 0
        self.source = io.BytesIO()

    @contextmanager
    def open(self, start: int, end: int) -> Iterator[io.BytesIO]:
        self.opened += 1
        self.source = io.BytesIO(self.raw[start:end])
        yield self.source


def file(name: str, data: bytes, **more: Any) -> dict[str, Any]:
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    return {"name": name, "type": "reg", "size": len(data), "digest": digest} | more


def layer_of(blob: Blob, *rows: dict[str, Any], below: Sequence[TabledLayer] = ()) -> TabledLayer:
    found = Table.parse(encode({"version": 1, "entries": list(rows)}), blob_size=len(blob.raw))
    return TabledLayer.of(
        "it", found, codec="gzip", blob=blob, diff_id=Digest.parse(DIGEST), below=below
    )


def test_files_that_are_packed_as_one_are_decoded_once(monkeypatch: pytest.MonkeyPatch):
    datas = [bytes([number]) * 100 for number in range(50)]
    blob = Blob(b"x" + gzip.compress(b"".join(datas)))
    rows = [
        file(f"f{number:02}", data, offset=1, innerOffset=100 * number)
        for number, data in enumerate(datas)
    ]
    made: list[str] = []

    def counted(codec: str) -> Decompressor:
        made.append(codec)
        return decompressor(codec)

    monkeypatch.setattr(tabled, "decompressor", counted)
    with layer_of(blob, *rows) as layer:
        for number, data in enumerate(datas):
            node = layer.lookup(b"f%02d" % number)
            assert node is not None
            assert layer.read(node) == data
    assert (blob.opened, made) == (1, ["gzip"])


def test_a_file_beside_one_that_is_wrong_is_read_all_the_same():
    good, bad = gzip.compress(b"goodevil"), gzip.compress(b"other")
    blob = Blob(b"x" + good + bad + b"no gzip")
    rows = [
        file("a", b"good", offset=1), file("b", b"well", offset=1, innerOffset=4),
        file("c", b"thing", offset=1 + len(good)), file("d", b"!", offset=1 + len(good) + len(bad)),
    ]  # fmt: skip
    with layer_of(blob, *rows) as layer:
        nodes = [node for path, node in layer.walk() if path]
        assert layer.read(nodes[0]) == b"good"
        for node, why in zip(
            nodes[1:], ("other bytes", "other bytes", "blob is wrong"), strict=True
        ):
            with pytest.raises(SeekIndexInvalid, match=why):
                layer.read(node)


def test_of_a_chunk_that_is_said_to_reach_to_the_blobs_end_no_more_is_fetched_than_decodes():
    blob = Blob(b"x" + gzip.compress(b"here") + bytes(5_000_000))
    with layer_of(blob, file("a", b"here", offset=1)) as layer:
        node = layer.lookup(b"a")
        assert node is not None
        assert layer.read(node) == b"here"
    assert blob.source.tell() < 1_000_000


def test_a_hard_link_to_terabytes_that_only_a_table_has_is_refused():
    zeros = {"type": "chunk", "name": "a", "chunkType": "zeros", "chunkSize": 1 << 28}
    rows = [{"name": "a", "type": "reg", "size": 1 << 38} | zeros | {"type": "reg"}]
    rows += [zeros | {"chunkOffset": at} for at in range(1 << 28, 1 << 38, 1 << 28)]
    with (
        layer_of(Blob(b"x"), *rows) as lower,
        pytest.raises(EntryInvalid, match="hard links into lower layers"),
    ):
        layer_of(Blob(b"x"), {"name": "b", "type": "hardlink", "linkName": "a"}, below=[lower])


@given(documents())
def test_any_document_is_a_table_or_is_refused(value: object):
    try:
        found = Table.parse(encode(value), blob_size=100)
    except SeekIndexInvalid:
        return
    assert isinstance(found, Table)
