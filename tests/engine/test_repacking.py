"""Layers made here are packed anew on their way out; what came from elsewhere stays as it is."""

import io
import os

import pytest
from tests.archives import archive
from tests.engine.worlds import PASSWORD, import_image, make_engine, merged, phases
from tests.images import Piece, tar

from lamina.engine.push import PushOutcome
from lamina.errors import Corrupt
from lamina.events import Event, LayerProgress, Phase
from lamina.image import packing
from lamina.remote.login import login
from lamina.spec.descriptor import MediaType
from lamina.spec.manifest import Manifest, parse_manifest
from lamina.stream.codec import Compression

ZSTD = Compression.parse("zstd", 3)
LARGE = os.urandom(3 << 20) + bytes(3 << 20)


def manifest_of(engine, outcome: PushOutcome) -> Manifest:
    _, raw = engine.images.manifest(str(outcome.reference.with_digest(outcome.digest)))
    found = parse_manifest(raw)
    assert isinstance(found, Manifest)
    return found


@pytest.mark.parametrize("body", [b"small" * 1000, LARGE], ids=["small", "large"])
def test_a_layer_made_here_is_sent_as_zstd_and_a_second_push_makes_and_sends_nothing(
    hub, alice, bob, monkeypatch, body: bytes
):
    name = f"{hub.address}/alice/packed{len(body)}"
    image_id = import_image(alice, name, [Piece("data", body)])
    (first,) = alice.images.push(name, compression=ZSTD)
    manifest = manifest_of(alice, first)
    assert [layer.media_type for layer in manifest.layers] == [MediaType.OCI_LAYER_ZSTD]
    assert manifest.config.digest == image_id
    assert bob.images.pull(name)[0].image_id == image_id
    assert merged(bob, name) == {b"data": body}

    monkeypatch.setattr(packing, "pack", None)
    events: list[Event] = []
    (again,) = alice.images.push(name, compression=ZSTD, listener=events.append)
    assert again.digest == first.digest
    assert phases(events) == [Phase.PREPARING, Phase.PRESENT]
    events.clear()
    other = f"{hub.address}/alice/elsewhere{len(body)}"
    alice.images.tag(name, other)
    (third,) = alice.images.push(other, compression=ZSTD, listener=events.append)
    assert third.digest == first.digest
    mounted = [e for e in events if isinstance(e, LayerProgress) and e.phase is Phase.MOUNTED]
    assert [event.detail for event in mounted] == [f"alice/packed{len(body)}"]


def test_a_pulled_layer_stays_bit_for_bit_unless_forced(hub, alice, tmp_path):
    base, above = (tar([Piece(name, name.encode() * 100)]) for name in ("base", "above"))
    steps: list[dict[str, object]] = [{"created_by": "a step"}]
    name = f"{hub.address}/alice/base"
    alice.images.load(io.BytesIO(archive(name, layers=[base], steps=steps)))
    (pushed,) = alice.images.push(name)

    carol = make_engine(tmp_path / "carol")
    login(carol.client, hub.address, "alice", PASSWORD)
    carol.images.pull(name)
    copied = f"{hub.address}/alice/copied"
    carol.images.tag(name, copied)
    (kept,) = carol.images.push(copied, compression=ZSTD)
    assert kept.digest == pushed.digest

    on_top = f"{hub.address}/alice/on-top"
    carol.images.load(io.BytesIO(archive(on_top, layers=[base, above], steps=steps * 2)))
    (mixed,) = carol.images.push(on_top, compression=ZSTD)
    kinds = [layer.media_type for layer in manifest_of(carol, mixed).layers]
    assert kinds == [MediaType.OCI_LAYER_GZIP, MediaType.OCI_LAYER_ZSTD]
    (forced,) = carol.images.push(on_top, compression=ZSTD, force=True)
    kinds = [layer.media_type for layer in manifest_of(carol, forced).layers]
    assert kinds == [MediaType.OCI_LAYER_ZSTD, MediaType.OCI_LAYER_ZSTD]
    carol.close()


def test_a_layer_that_is_packed_so_already_is_not_packed_again(hub, alice, monkeypatch):
    name = f"{hub.address}/alice/as-it-is"
    import_image(alice, name)
    monkeypatch.setattr(packing, "pack", None)
    (outcome,) = alice.images.push(name, compression=Compression.parse("gzip", 1))
    assert outcome.digest == alice.images.resolve(name).manifest.digest


@pytest.mark.parametrize("body", [b"small", LARGE], ids=["small", "large"])
def test_a_damaged_layer_is_not_sent_as_another(hub, alice, body: bytes):
    name = f"{hub.address}/alice/damaged{len(body)}"
    import_image(alice, name, [Piece("data", body)])
    with open(alice.layers.path(alice.images.resolve(name).config.diff_ids), "r+b") as sealed:
        sealed.seek(4096 + 512)
        sealed.write(b"X")
    with pytest.raises(Corrupt, match="damaged"):
        alice.images.push(name, compression=ZSTD)
