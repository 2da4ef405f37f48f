"""Layers that are read by an index: the same trees as sealed ones, for little, and never wrong ones."""

import tempfile
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.images import debian
from tests.layer.changesets import Piece, changesets
from tests.layer.seeking import PACKERS, Bytes, Indexed, indexed, packed_by
from tests.layer.test_sealed import SAMPLE
from tests.layer.trees import facts_of_tree, sealed, tar_of

from lamina.errors import LaminaError
from lamina.layer.entry import Entry, Kind
from lamina.layer.indexed import IndexedLayer
from lamina.layer.sealed import SealedLayer
from lamina.layer.seek_index import SeekIndex, head_of, packed
from lamina.layer.spans import SeekIndexInvalid
from lamina.layer.view import Tree


@pytest.mark.parametrize("name", PACKERS)
@settings(max_examples=8)
@given(items=changesets())
def test_an_indexed_layer_shows_what_its_sealed_layer_shows(name: str, items: Sequence[Piece]):
    data = tar_of(items)
    with tempfile.TemporaryDirectory() as folder, sealed(Path(folder, "l"), data) as layer:
        made = indexed(layer, packed_by(name, data), every=4096)
        with made.layer() as remote:
            assert facts_of_tree(Tree.of([remote])) == facts_of_tree(Tree.of([layer]))
            assert b"".join(remote.tar()) == data
            remote.verify()
            assert (remote.implied_root, remote.diff_id) == (layer.implied_root, layer.diff_id)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> tuple[SealedLayer, Indexed]:
    """Debian's second layer: python, 24 MB."""
    data = debian().layers[1].read_bytes()
    layer = sealed(tmp_path_factory.mktemp("real") / "l", data, parents=())
    return layer, indexed(layer, packed_by("igzip", data), every=1 << 20)


def test_a_real_layer_is_walked_for_its_metadata_alone_and_a_file_for_a_span(
    real: tuple[SealedLayer, Indexed],
):
    layer, made = real
    made.blob.asked.clear()
    with made.layer() as remote:
        rows = [(path, node.nid, node.kind, node.size) for path, node in remote.walk()]
        assert rows == [(path, node.nid, node.kind, node.size) for path, node in layer.walk()]
        assert made.blob.total == 0
        files = [(path, node) for path, node in remote.walk() if node.kind is Kind.FILE]
        largest = max(files, key=lambda row: row[1].size)[1]
        small = next(node for _, node in files if 0 < node.size < 1000)
        assert remote.read(small) == layer.read(layer.node(small.nid))
        assert 0 < made.blob.total < len(made.blob.data) / 4
        assert remote.read(largest) == layer.read(layer.node(largest.nid))
        with remote.open_file(largest) as stream:
            total = sha256()
            while data := stream.read(70_000):
                total.update(data)
        assert total.digest() == remote.digest(largest)


def test_metadata_comes_in_frames_and_only_those_that_are_looked_at(tmp_path: Path):
    names = [sha256(b"%d" % number).hexdigest().encode() for number in range(24_000)]
    data = tar_of([Entry(b"d", Kind.DIRECTORY), *(Entry(b"d/" + name, Kind.FILE) for name in sorted(names))])  # fmt: skip
    made = indexed(sealed(tmp_path / "l", data), packed_by("zstd", data), every=1 << 21)
    assert len(made.index.metadata) > 10
    made.file.asked.clear()
    with made.layer() as remote:
        directory = remote.lookup(b"d")
        assert directory is not None
        assert remote.child(directory, names[0]) is not None
        assert remote.child(directory, b"nothing") is None
        assert made.file.total < len(made.file.data) * 3 / 4
        assert len(remote.listdir(directory)) == len(names)


def changed(made: Indexed, data: bytes) -> IndexedLayer:
    """Open a layer by the index `data`, which promises nothing."""
    index = SeekIndex.read(Bytes(data), len(data))
    return IndexedLayer("changed", index, file=Bytes(data), blob=made.blob)


def test_an_index_that_gives_a_file_another_place_is_caught_by_the_files_digest(tmp_path: Path):
    # Two files of one size: the index of one layer, with the digests of the other.
    one, two = (
        sealed(tmp_path / name, tar_of([(row, body) for row, body in zip(files(), bodies, strict=True)]))
        for name, bodies in (("a", (b"A" * 600, b"B" * 600)), ("b", (b"B" * 600, b"A" * 600)))
    )  # fmt: skip
    blob = b"".join(one.tar())
    made, other = indexed(one, blob), indexed(two, b"".join(two.tar()))
    frame = other.index.digests[0].frame
    data = made.file.data[: -made.written.head_size]
    at = len(data)
    data += other.file.data[frame.at : frame.at + frame.size]
    row = made.index.digests[0]._replace(frame=frame._replace(at=at))
    index = made.index
    lying = SeekIndex(
        index.blob, index.blob_size, index.codec, index.block, index.sums, index.metadata,
        (row,), index.spans, index.needs_parents,
    )  # fmt: skip
    with changed(made, data + head_of(lying)) as layer:
        node = layer.lookup(b"a")
        assert node is not None
        assert layer.read(node, 0, 100) == b"A" * 100  # of a part nobody can tell
        with pytest.raises(SeekIndexInvalid, match="is not what the index says"):
            layer.read(node)


def files() -> list[Entry]:
    return [Entry(b"a", Kind.FILE), Entry(b"b", Kind.FILE)]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Indexed:
    data = tar_of(SAMPLE)
    layer = sealed(tmp_path_factory.mktemp("sample") / "l", data)
    return indexed(layer, packed_by("zlib", data), every=4096)


@given(st.data())
def test_an_index_with_any_byte_changed_gives_the_tree_or_an_error(
    sample: Indexed, data: st.DataObject
):
    bad = bytearray(sample.file.data)
    at = data.draw(st.integers(0, len(bad) - 1))
    bad[at] ^= 1 << data.draw(st.integers(0, 7))
    try:
        with changed(sample, bytes(bad)) as layer:
            facts = facts_of_tree(Tree.of([layer]))
    except LaminaError:
        return
    with sample.layer() as layer:
        assert facts == facts_of_tree(Tree.of([layer]))


@given(st.data())
def test_a_head_that_lies_about_where_things_are_never_crashes(
    sample: Indexed, data: st.DataObject
):
    # As whoever may write the index can: every sum of the head is right.
    index = sample.index
    plain = bytearray(index.pack())
    at = data.draw(st.integers(0, len(plain) - 1))
    plain[at] = data.draw(st.integers(0, 255))
    frames = sample.file.data[: -sample.written.head_size]
    raw = packed(bytes(plain))
    trailer = b"LAMSEEK\1" + len(raw).to_bytes(4, "little") + len(plain).to_bytes(4, "little")
    try:
        with changed(sample, frames + raw + trailer) as layer:
            for path, node in layer.walk():
                if node.kind is Kind.FILE and path:
                    layer.read(node, 0, 1 << 20)
    except LaminaError:
        return


def test_a_header_of_another_layer_does_not_fit(sample: Indexed, tmp_path: Path):
    data = tar_of([*SAMPLE, *SAMPLE[1:2]])
    other = indexed(sealed(tmp_path / "l", data), packed_by("zlib", data))
    index = other.index
    mixed = SeekIndex(
        index.blob, index.blob_size, index.codec, index.block, index.sums,
        index.metadata * 3, index.digests, index.spans, index.needs_parents,
    )  # fmt: skip
    with pytest.raises(LaminaError):
        IndexedLayer("mixed", mixed, file=other.file, blob=other.blob)
