"""Receiving images: verified, parallel, resumable, and nothing half-visible."""

import gzip
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from tests.image.memory import MemorySource, make_image
from tests.images import Piece, tar

from lamina.errors import Corrupt, Invalid, Unsupported
from lamina.events import Event, LayerProgress, Phase
from lamina.image.receive import Place, receive
from lamina.snapshot.layers import Layers
from lamina.spec.descriptor import Descriptor, MediaType
from lamina.spec.digest import Digest
from lamina.spec.manifest import Manifest
from lamina.spec.platform import Platform
from lamina.store.store import Store
from lamina.stream.verify import DigestMismatch, Readable, SizeMismatch

AMD64 = Platform("linux", "amd64")
LAYERS = (
    tar([Piece("etc", directory=True), Piece("etc/a", b"one" * 9000)]),
    tar([Piece("b", b"two")]),
    tar([Piece("etc/a", b"three"), Piece(".wh.b")]),
)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    store = Store.open(str(tmp_path / "root"))
    return Place(store.blobs, Layers(store.root))


def blobs_on_disk(place: Place) -> set[Digest]:
    return set(place.blobs)


def test_received_image_is_whole_and_its_layers_are_sealed(place):
    manifest, blobs = make_image(LAYERS)
    events: list[Event] = []
    source = MemorySource(manifest.descriptor, blobs)
    received = receive(source, place, AMD64, name="x", listener=events.append)
    assert received.manifest.raw == manifest.raw
    assert not received.already_here
    assert blobs_on_disk(place) == set(blobs)
    with place.layers.opened(received.config.diff_ids) as pile:
        for layer, plain in zip(pile, LAYERS, strict=True):
            assert b"".join(layer.tar()) == plain
    done = [e.id for e in events if isinstance(e, LayerProgress) and e.phase is Phase.PULLED]
    assert sorted(done) == sorted(row.digest.short for row in manifest.layers)


def test_repeat_sends_nothing_but_the_manifest(place):
    manifest, blobs = make_image(LAYERS)
    receive(MemorySource(manifest.descriptor, blobs), place, AMD64, name="x", listener=print)
    again = MemorySource(manifest.descriptor, blobs)
    assert receive(again, place, AMD64, name="x", listener=print).already_here
    assert again.reads == []


def test_shared_layers_are_said_to_exist_and_not_sent(place):
    manifest, blobs = make_image(LAYERS[:2])
    receive(MemorySource(manifest.descriptor, blobs), place, AMD64, name="x", listener=print)
    manifest, blobs = make_image(LAYERS)
    events: list[Event] = []
    source = MemorySource(manifest.descriptor, blobs)
    receive(source, place, AMD64, name="x", listener=events.append)
    here = {e.id for e in events if isinstance(e, LayerProgress) and e.phase is Phase.EXISTS}
    assert here == {row.digest.short for row in manifest.layers[:2]}
    assert {digest for digest, _ in source.reads} == {
        manifest.config.digest,
        manifest.layers[2].digest,
    }


def test_same_layer_twice_in_one_image_arrives_once(place):
    order = [LAYERS[0], LAYERS[1], LAYERS[0], LAYERS[2], LAYERS[0]]
    manifest, blobs = make_image(order)
    source = MemorySource(manifest.descriptor, blobs)
    received = receive(source, place, AMD64, name="x", listener=print)
    assert [d for d, _ in source.reads].count(manifest.layers[0].digest) == 1
    with place.layers.opened(received.config.diff_ids) as pile:
        assert [b"".join(layer.tar()) for layer in pile] == order


class LateSource(MemorySource):
    """Holds one blob back until `ready` says so."""

    late: Digest
    ready: threading.Event

    @contextmanager
    def blob(self, descriptor: Descriptor, offset: int = 0) -> Iterator[Readable]:
        if descriptor.digest == self.late:
            assert self.ready.wait(100)
            time.sleep(0.2)  # the layer above is at its end meanwhile, and has to wait
        with super().blob(descriptor, offset) as stream:
            yield stream


def test_layer_waits_for_all_layers_below_not_only_for_the_next(place):
    """The one between needs nothing of those below, so it may be there before them."""
    full = tar([Piece("", directory=True), Piece("b", b"two")])
    manifest, blobs = make_image([LAYERS[0], full, LAYERS[2]])
    source = LateSource(manifest.descriptor, blobs)
    source.late, source.ready = manifest.layers[0].digest, threading.Event()
    seen = set()

    def listen(event: Event) -> None:
        if isinstance(event, LayerProgress):
            seen.add((event.id, event.phase))
        between = (manifest.layers[1].digest.short, Phase.PULLED)
        above = (manifest.layers[2].digest.short, Phase.EXTRACTING)
        if between in seen and above in seen:
            source.ready.set()

    received = receive(source, place, AMD64, name="x", listener=listen)
    assert place.layers.has(received.config.diff_ids)


@pytest.mark.parametrize("cut", [0, 1, 30, -1])
def test_interrupted_layer_continues_where_it_stopped(place, cut):
    manifest, blobs = make_image(LAYERS)
    wanted = manifest.layers[0]
    whole = blobs[wanted.digest]
    part = whole[: cut if cut >= 0 else len(whole)]
    with place.blobs.writer(str(wanted.digest).replace(":", "-")) as writer:
        writer.write(part)
    source = MemorySource(manifest.descriptor, blobs)
    receive(source, place, AMD64, name="x", listener=print)
    offsets = [offset for digest, offset in source.reads if digest == wanted.digest]
    assert offsets == ([len(part)] if len(part) < len(whole) else [])
    assert place.blobs.read(wanted.digest) == whole


def damaged(blobs: dict[Digest, bytes], digest: Digest, data: bytes) -> dict[Digest, bytes]:
    return {**blobs, digest: data}


@pytest.mark.parametrize("what", ["flip", "short", "long", "empty", "gzip"])
def test_damaged_layer_is_refused_and_a_repeat_from_a_sound_source_works(place, what):
    manifest, blobs = make_image(LAYERS)
    digest = manifest.layers[1].digest
    raw = blobs[digest]
    lies = {
        "flip": raw[:20] + bytes([raw[20] ^ 1]) + raw[21:],
        "short": raw[:-5],
        "long": raw + b"x",
        "empty": b"",
        "gzip": gzip.compress(b"other" * 200)[: len(raw)].ljust(len(raw), b"\0"),
    }
    source = MemorySource(manifest.descriptor, damaged(blobs, digest, lies[what]))
    with pytest.raises(Corrupt):
        receive(source, place, AMD64, name="x", listener=print)
    assert not place.blobs.has(digest)
    assert not place.blobs.has(manifest.digest)
    sound = MemorySource(manifest.descriptor, blobs)
    receive(sound, place, AMD64, name="x", listener=print)
    assert place.blobs.read(digest) == raw


def test_layer_that_is_not_its_diff_id_is_refused(place):
    manifest, blobs = make_image(LAYERS)
    other, more = make_image([LAYERS[1], LAYERS[0]])
    lying = Manifest.build(manifest.config, other.layers + manifest.layers[2:])
    blobs |= more | {lying.digest: lying.raw}
    with pytest.raises(DigestMismatch):
        receive(MemorySource(lying.descriptor, blobs), place, AMD64, name="x", listener=print)
    assert not place.blobs.has(lying.digest)


def test_wrong_number_of_layers_is_refused_before_any_is_sent(place):
    manifest, blobs = make_image(LAYERS)
    lying = Manifest.build(manifest.config, manifest.layers[:2])
    blobs |= {lying.digest: lying.raw}
    source = MemorySource(lying.descriptor, blobs)
    with pytest.raises(Invalid, match="2 layers"):
        receive(source, place, AMD64, name="x", listener=print)
    assert [d for d, _ in source.reads] == [manifest.config.digest]


def test_damaged_config_is_refused(place):
    manifest, blobs = make_image(LAYERS)
    raw = blobs[manifest.config.digest]
    for lie in (raw[:-1] + b" ", raw[:-1], raw + b" "):
        source = MemorySource(manifest.descriptor, damaged(blobs, manifest.config.digest, lie))
        with pytest.raises((DigestMismatch, SizeMismatch)):
            receive(source, place, AMD64, name="x", listener=print)
    assert blobs_on_disk(place) == set()


def test_artifact_is_no_image(place):
    manifest, blobs = make_image(LAYERS)
    strange = replace(manifest.config, media_type="application/vnd.example.thing")
    artifact = Manifest.build(strange, manifest.layers)
    blobs |= {artifact.digest: artifact.raw}
    with pytest.raises(Unsupported, match="artifact"):
        receive(MemorySource(artifact.descriptor, blobs), place, AMD64, name="x", listener=print)


def test_config_beyond_reason_is_not_read(place):
    manifest, blobs = make_image(LAYERS)
    huge = Descriptor(MediaType.OCI_CONFIG, manifest.config.digest, 1 << 40)
    lying = Manifest.build(huge, manifest.layers)
    blobs |= {lying.digest: lying.raw}
    source = MemorySource(lying.descriptor, blobs)
    with pytest.raises(Invalid, match="beyond reason"):
        receive(source, place, AMD64, name="x", listener=print)
    assert source.reads == []


def test_nothing_temporary_stays_after_a_pull(place, tmp_path):
    manifest, blobs = make_image(LAYERS)
    receive(MemorySource(manifest.descriptor, blobs), place, AMD64, name="x", listener=print)
    root = tmp_path / "root"
    left = [name for folder in ("uploads", "layers/new") for name in os.listdir(root / folder)]
    assert left == []


def test_each_layer_is_made_ready_in_its_thread_and_those_that_were_here_too(place):
    piles = []

    def ready(pile):
        assert place.layers.has(pile)
        piles.append(pile)

    ours = Place(place.blobs, place.layers, ready=ready)
    manifest, blobs = make_image(LAYERS[:2])
    source = MemorySource(manifest.descriptor, blobs)
    first = receive(source, ours, AMD64, name="x", listener=print)
    whole = first.config.diff_ids
    assert set(piles) == {whole[:1], whole}
    piles.clear()
    assert receive(source, ours, AMD64, name="x", listener=print).already_here
    assert piles == [whole[:1], whole]
