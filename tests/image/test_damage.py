"""A layer damaged on its way, at any place: refused, and nothing of it is ever visible."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.image.memory import MemorySource
from tests.images import Piece, tar
from tests.layer.trees import facts_of_tree
from tests.soaking import sized

from lamina.errors import Corrupt
from lamina.events import silent
from lamina.image.edit import append_layer, new_manifest
from lamina.image.receive import Place, receive
from lamina.layer.view import Tree
from lamina.snapshot.layers import Layers
from lamina.spec.config import History, ImageConfig
from lamina.spec.descriptor import Descriptor, MediaType
from lamina.spec.digest import Digest
from lamina.spec.manifest import Manifest
from lamina.spec.platform import Platform
from lamina.store.store import Store
from lamina.stream.codec import compressor

AMD64 = Platform("linux", "amd64")
CODECS = {
    "": MediaType.OCI_LAYER,
    "gzip": MediaType.OCI_LAYER_GZIP,
    "zstd": MediaType.OCI_LAYER_ZSTD,
}
LAYER = tar(
    [
        Piece("etc/", directory=True),
        Piece("etc/a", b"one" * 900, xattrs=(("user.k", "v"),)),
        Piece("etc/" + "long" * 40, b"of a long name"),
        Piece("etc/hard", hard="etc/a"),
        Piece("etc/soft", link="a"),
        *(Piece(f"etc/{number}", bytes([number]) * number) for number in range(20)),
    ]
)
every_codec = pytest.mark.parametrize("codec", CODECS)


def packed(codec: str, data: bytes) -> bytes:
    if not codec:
        return data
    machine = compressor(codec, 3)
    return machine.compress(data) + machine.flush()


def config_of(diff_id: Digest) -> ImageConfig:
    document: dict[str, object] = {"architecture": "amd64", "os": "linux"}
    return append_layer(document, diff_id=diff_id, row=History(created_by="ADD"), settings={})


def source_of(
    codec: str, blob: bytes, diff_id: Digest, sent: bytes
) -> tuple[Manifest, MemorySource]:
    """An image of one layer whose manifest promises `blob`, and a source that sends `sent`."""
    config = config_of(diff_id)
    row = Descriptor(CODECS[codec], Digest.of(blob), len(blob))
    manifest = new_manifest(config, [row])
    blobs = {config.digest: config.raw, manifest.digest: manifest.raw, row.digest: sent}
    return manifest, MemorySource(manifest.descriptor, blobs)


class Receiver:
    """A store of its own, and what is visible in it."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        store = Store.open(str(self.root))
        self.place = Place(store.blobs, Layers(store.root))

    def refuse(self, manifest: Manifest, source: MemorySource, diff_id: Digest) -> None:
        """The image is Corrupt, and nothing of it is here after."""
        with pytest.raises(Corrupt):
            receive(source, self.place, AMD64, name="x", listener=silent)
        assert not self.place.blobs.has(manifest.layers[0].digest)
        self.has_nothing(manifest, diff_id)

    def has_nothing(self, manifest: Manifest, diff_id: Digest) -> None:
        """A blob that is what its digest says may stay, as garbage; no image and no layer does."""
        assert not self.place.blobs.has(manifest.digest)
        assert not self.place.layers.has((diff_id,))
        assert os.listdir(self.root / "layers" / "new") == []

    def take(self, source: MemorySource, diff_id: Digest) -> dict[bytes, tuple[object, ...]]:
        """Receive it; give its tree."""
        receive(source, self.place, AMD64, name="x", listener=silent)
        with self.place.layers.open((diff_id,)) as layer:
            layer.verify()
            return facts_of_tree(Tree.of([layer]))


@pytest.fixture(scope="module")
def wanted() -> dict[bytes, tuple[object, ...]]:
    with tempfile.TemporaryDirectory() as name:
        diff_id = Digest.of(LAYER)
        return Receiver(Path(name)).take(source_of("", LAYER, diff_id, LAYER)[1], diff_id)


def damages(blob: bytes) -> Iterator[bytes]:
    """Flip a bit, or cut, at places all over; both ends get each of theirs."""
    ends = {*range(0, 20, 3), *range(len(blob) - 12, len(blob), 3)}
    for at in sorted(ends | set(range(0, len(blob), len(blob) // 12))):
        bad = bytearray(blob)
        bad[at] ^= 1 << at % 8
        yield bytes(bad)
        yield blob[:at]
    yield blob + b"\0"


@every_codec
def test_a_bit_or_an_end_that_was_lost_on_the_way_is_corrupt(
    tmp_path: Path, codec: str, wanted: dict[bytes, tuple[object, ...]]
):
    receiver, diff_id, blob = Receiver(tmp_path), Digest.of(LAYER), packed(codec, LAYER)
    for sent in damages(blob):
        manifest, source = source_of(codec, blob, diff_id, sent)
        receiver.refuse(manifest, source, diff_id)
    _, sound = source_of(codec, blob, diff_id, blob)
    assert receiver.take(sound, diff_id) == wanted


@every_codec
@settings(max_examples=sized(30, 2000))
@given(data=st.data())
def test_a_layer_damaged_before_its_digest_was_taken_is_corrupt_or_the_same_tree(
    codec: str, data: st.DataObject, wanted: dict[bytes, tuple[object, ...]]
):
    blob, diff_id = bytearray(packed(codec, LAYER)), Digest.of(LAYER)
    at = data.draw(st.integers(0, len(blob) - 1))
    if data.draw(st.booleans()):
        del blob[at:]
    else:
        blob[at] ^= 1 << data.draw(st.integers(0, 7))
    bad = bytes(blob)
    with tempfile.TemporaryDirectory() as name:
        receiver = Receiver(Path(name))
        manifest, source = source_of(codec, bad, diff_id, bad)
        try:
            assert receiver.take(source, diff_id) == wanted  # a byte that says nothing
        except Corrupt:
            receiver.has_nothing(manifest, diff_id)


@settings(max_examples=sized(30, 2000))
@given(data=st.data())
def test_a_tar_cut_short_by_its_builder_is_corrupt_or_all_that_was_written(
    data: st.DataObject, wanted: dict[bytes, tuple[object, ...]]
):
    """Every digest is right: only the tar says that there is an end missing."""
    cut = LAYER[: data.draw(st.integers(0, len(LAYER) - 1))]
    diff_id = Digest.of(cut)
    with tempfile.TemporaryDirectory() as name:
        receiver = Receiver(Path(name))
        manifest, source = source_of("gzip", packed("gzip", cut), diff_id, packed("gzip", cut))
        try:
            found = receiver.take(source, diff_id)
        except Corrupt:
            receiver.has_nothing(manifest, diff_id)
        else:
            assert {path: fact for path, fact in wanted.items() if path in found and path} == {
                path: fact for path, fact in found.items() if path
            }
