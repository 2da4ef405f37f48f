"""Heads of indexes: read as written; a hostile one is refused, and never more than that."""

from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.layer.seeking import Bytes, Indexed, indexed, packed_by
from tests.layer.trees import sealed, tar_of

from lamina.errors import LaminaError
from lamina.layer.entry import Entry, Kind
from lamina.layer.seek_index import (
    DigestRows,
    Frame,
    SeekIndex,
    head_of,
    packed,
    read_exactly,
    trailer_of,
    unpacked,
)
from lamina.layer.spans import SeekIndexInvalid

ITEMS: list[Entry | tuple[Entry, bytes]] = [
    Entry(b"", Kind.DIRECTORY, 0o755),
    *((Entry(b"f%04d" % number, Kind.FILE), b"%d" % number * 50) for number in range(1500)),
]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Indexed:
    data = tar_of(ITEMS)
    return indexed(sealed(tmp_path_factory.mktemp("index") / "l", data), packed_by("zlib", data))


def rewritten(index: SeekIndex, made: Indexed) -> Bytes:
    """Give the index's bytes with another head."""
    frames = made.file.data[: -made.written.head_size]
    return Bytes(frames + head_of(index))


def test_a_head_is_read_as_it_was_written_with_and_without_a_promise(made: Indexed):
    data = made.file.data
    assert SeekIndex.read(Bytes(data), len(data)) == made.index
    assert sha256(data).hexdigest() == made.written.digest.hex
    assert SeekIndex.parse(made.index.pack(), room=len(data)) == made.index
    assert len(made.index.digests) == 2  # 1500 files


def test_a_head_that_was_not_promised_is_refused(made: Indexed):
    data = bytearray(made.file.data)
    head = (made.written.head_size, bytes.fromhex(made.written.head_digest.hex))
    data[-40] ^= 1
    with pytest.raises(SeekIndexInvalid, match="promised"):
        SeekIndex.read(Bytes(bytes(data)), len(data), head)
    for size in (0, 15, len(data) + 1, 1 << 40):
        with pytest.raises(SeekIndexInvalid):
            SeekIndex.read(Bytes(bytes(data)), len(data), (size, head[1]))


@pytest.mark.parametrize("data", [b"", b"x" * 8, b"x" * 500, head_of.__doc__.encode() * 3])  # type: ignore[union-attr]
def test_bytes_that_are_no_index_are_refused(data: bytes):
    with pytest.raises(SeekIndexInvalid):
        SeekIndex.read(Bytes(data), len(data))


@given(st.data())
def test_a_head_with_any_byte_changed_or_lost_is_read_or_refused(
    made: Indexed, data: st.DataObject
):
    plain = bytearray(made.index.pack())
    at = data.draw(st.integers(0, len(plain) - 1))
    plain[at] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del plain[data.draw(st.integers(0, len(plain))) :]
    try:
        SeekIndex.parse(bytes(plain), room=len(made.file.data))
    except LaminaError:
        return


def test_tables_that_point_behind_the_end_are_refused(made: Indexed):
    index, size = made.index, len(made.file.data)
    far = Frame(size, 1, bytes(32))
    for bad in (
        (*index.metadata[:-1], far),
        (*index.metadata, index.metadata[0]._replace(size=1 << 31)),
    ):
        changed = SeekIndex(
            index.blob, index.blob_size, index.codec, index.block, index.sums, bad,
            index.digests, index.spans, index.needs_parents,
        )  # fmt: skip
        with pytest.raises(SeekIndexInvalid):
            SeekIndex.parse(changed.pack(), room=size)
    row = DigestRows(0, 5000, index.digests[0].frame)
    changed = SeekIndex(
        index.blob, index.blob_size, index.codec, index.block, index.sums, index.metadata,
        (row,), index.spans, index.needs_parents,
    )  # fmt: skip
    with pytest.raises(SeekIndexInvalid, match="digests"):
        SeekIndex.parse(changed.pack(), room=size)
    assert SeekIndex.read(rewritten(index, made), size) == index


def test_frames_and_windows_larger_than_any_are_not_fetched(made: Indexed):
    index, room = made.index, 1 << 40
    frames = tuple(one._replace(size=1 << 30) for one in index.metadata)
    digests = tuple(one._replace(frame=one.frame._replace(size=1 << 30)) for one in index.digests)
    spans = (index.spans[0]._replace(windowed=True, window_size=1 << 30), *index.spans[1:])
    for bad in ({"metadata": frames}, {"digests": digests}, {"spans": spans}):
        with pytest.raises(SeekIndexInvalid):
            SeekIndex.parse(replace(index, **bad).pack(), room=room)
    assert SeekIndex.parse(index.pack(), room=room) == index


def test_a_frame_that_grows_beyond_what_it_should_is_not_unpacked():
    bomb = packed(bytes(50 << 20))
    assert len(bomb) < 10_000
    with pytest.raises(SeekIndexInvalid):
        unpacked(bomb, 1000)
    with pytest.raises(SeekIndexInvalid, match="instead of"):
        unpacked(packed(b"abc"), 4)
    assert unpacked(packed(b"abc"), 4, exactly=False) == b"abc"
    for bad in (b"", b"garbage", packed(b"abc") + b"x", packed(b"abc")[:-1]):
        with pytest.raises(SeekIndexInvalid):
            unpacked(bad, 100)


def test_a_trailer_of_something_else_is_refused():
    with pytest.raises(SeekIndexInvalid):
        trailer_of(b"x" * 16)
    with pytest.raises(SeekIndexInvalid):
        trailer_of(b"")
    with pytest.raises(SeekIndexInvalid), Bytes(b"ab").open(0, 2) as source:
        read_exactly(source, 3)


def test_digests_are_found_by_inode_and_a_frame_is_fetched_once(made: Indexed):
    file, known = Bytes(made.file.data), {}  # type: ignore[var-annotated]
    with made.layer() as layer:
        nodes = {path: node for path, node in layer.walk() if node.kind is Kind.FILE}
    for path in (b"f0007", b"f0008", b"f1499"):
        digest = made.index.file_digest(file, nodes[path].nid, known)
        assert digest == sha256(b"%d" % int(path[1:]) * 50).digest()
    assert len(file.asked) == 2
    assert made.index.file_digest(file, 10**9, known) is None
