"""Layers that are cut short, damaged or misnamed: what of them can be read is, and no more."""

import gzip
import hashlib
import io
import tarfile

import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tests.engine.worlds import make_engine
from tests.images import Piece, tar

from lamina.engine.engine import Engine
from lamina.engine.salvage import Extent, salvage
from lamina.layer.entry import Kind
from lamina.layer.seal import Sealer
from lamina.layer.sealed import SealedLayer
from lamina.spec.descriptor import Descriptor
from lamina.spec.digest import Digest

PIECES = [
    Piece("a/", directory=True), Piece("a/one", b"1" * 700), Piece("a/.wh.gone"),
    Piece("a/two", b"2" * 3000), Piece("link", link="a/two"), Piece("three", b"3"),
]  # fmt: skip
WHOLE = tar(PIECES)
NAMES = [b"", b"a", b"a/gone", b"a/one", b"a/two", b"link", b"three"]
LAYER = "application/vnd.oci.image.layer.v1.tar"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return make_engine(tmp_path_factory.mktemp("engine"))


def blob(engine: Engine, data: bytes, media_type: str = LAYER) -> Descriptor:
    return Descriptor(media_type, engine.store.blobs.put(data), len(data))


def name(data: bytes) -> Digest:
    return Digest("sha256:" + hashlib.sha256(data).hexdigest())


@example(cut=len(WHOLE))
@hypothesis_settings(max_examples=25)
@given(cut=st.integers(0, len(WHOLE)))
def test_a_tar_cut_anywhere_gives_each_file_that_is_all_there_and_no_other(
    engine: Engine, cut: int
):
    body = WHOLE[:cut]
    layer, damage = salvage(engine.store.blobs, blob(engine, body), name(body), ())
    with tarfile.open(fileobj=io.BytesIO(WHOLE)) as judge:  # noqa: TID251 - the judge's own
        there = [
            member for member in judge if member.offset_data + member.size <= cut
        ]  # fmt: skip
    if layer is None:
        assert damage is not None
        assert not there
        return
    with layer:
        assert damage is None or damage.extent is Extent.PART
        assert layer.entries == len(there)
        for member in there:
            node = layer.lookup(member.name.encode().replace(b".wh.", b""))
            assert node is not None
            if node.kind is Kind.FILE:
                assert node.layer.read(node) == WHOLE[member.offset_data :][: member.size]


@pytest.mark.parametrize("pack", [gzip.compress, bytes])
def test_a_layer_that_is_whole_has_no_damage_and_one_of_another_name_is_whole_too(
    engine: Engine, pack
):
    packed = blob(engine, pack(WHOLE))
    for diff_id, extent in ((name(WHOLE), None), (name(b"other"), Extent.ALL)):
        layer, damage = salvage(engine.store.blobs, packed, diff_id, ())
        assert layer is not None
        with layer:
            assert [path for path, _ in layer.walk()] == NAMES
        assert (damage.extent if damage else None) == extent
        assert damage is None or "diff ID" in damage.said


def test_a_hard_link_to_a_lower_layer_is_found_there_and_without_it_nothing_is_made_up(
    engine: Engine, tmp_path
):
    low = tmp_path / "low"
    with Sealer(str(low)) as sealer:
        sealer.write(WHOLE)
        sealer.finish(name(WHOLE))
    linked = tar([Piece("other", hard="a/two"), Piece("cut", b"x" * 9000)])[:5000]
    packed = blob(engine, linked)
    with SealedLayer.open(str(low)) as below:
        layer, damage = salvage(engine.store.blobs, packed, name(linked), (below,))
        assert layer is not None
        assert damage is not None
        with layer:
            node = layer.lookup(b"other")
            assert node is not None
            assert layer.read(node) == b"2" * 3000
            assert layer.lookup(b"cut") is None
        assert "only its first entry is shown: tar ends" in damage.said
    layer, damage = salvage(engine.store.blobs, packed, name(linked), ())
    assert layer is None
    assert damage is not None
    assert damage.extent is Extent.NOTHING


def test_what_is_packed_in_an_unknown_way_is_named_by_its_media_type(engine: Engine):
    strange = blob(engine, b"\x8b\x01 nobody knows" * 99, LAYER + "+br")
    layer, damage = salvage(engine.store.blobs, strange, name(b""), ())
    assert layer is None
    assert damage is not None
    assert "tar+br" in damage.said
