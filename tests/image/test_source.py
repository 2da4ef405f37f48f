"""Choosing one image out of what a name stands for."""

import pytest
from tests.image.memory import MemorySource, make_image

from lamina.errors import Unsupported
from lamina.image.source import PlatformUnavailable, choose_manifest
from lamina.spec.descriptor import Descriptor, MediaType
from lamina.spec.digest import Digest
from lamina.spec.platform import Platform
from lamina.spec.wire import encode


def index_of(rows: list[Descriptor], blobs: dict[Digest, bytes]) -> Descriptor:
    raw = encode(
        {
            "schemaVersion": 2,
            "mediaType": MediaType.OCI_INDEX,
            "manifests": [r.to_json() for r in rows],
        }
    )
    blobs[Digest.of(raw)] = raw
    return Descriptor(MediaType.OCI_INDEX, Digest.of(raw), len(raw))


def child(architecture: str, blobs: dict[Digest, bytes], variant: str = "") -> Descriptor:
    manifest, more = make_image([b"\0" * 1024], architecture=architecture)
    blobs |= more
    row = manifest.descriptor
    platform = Platform("linux", architecture, variant)
    return Descriptor(row.media_type, row.digest, row.size, platform)


def test_plain_manifest_is_taken_whatever_the_platform():
    manifest, blobs = make_image([b"\0" * 1024], architecture="riscv64")
    source = MemorySource(manifest.descriptor, blobs)
    top, chosen = choose_manifest(source, Platform("linux", "amd64"), name="x")
    assert top.digest == chosen.digest == manifest.digest


def test_index_gives_the_wanted_platform_and_its_own_digest_as_the_top():
    blobs: dict[Digest, bytes] = {}
    rows = [child("arm64", blobs), child("amd64", blobs)]
    top = index_of(rows, blobs)
    found, chosen = choose_manifest(MemorySource(top, blobs), Platform("linux", "amd64"), name="x")
    assert found.digest == top.digest
    assert chosen.digest == rows[1].digest


def test_missing_platform_is_refused_with_what_there_is():
    blobs: dict[Digest, bytes] = {}
    unknown = child("unknown", blobs)
    unknown = Descriptor(
        unknown.media_type, unknown.digest, unknown.size, Platform("unknown", "unknown")
    )
    top = index_of([unknown, child("arm64", blobs), child("arm", blobs, "v7")], blobs)
    with pytest.raises(PlatformUnavailable, match="linux/amd64") as caught:
        choose_manifest(MemorySource(top, blobs), Platform("linux", "amd64"), name="x")
    assert "linux/arm/v7, linux/arm64" in caught.value.hint
    assert "unknown" not in caught.value.hint


def test_index_in_an_index_is_followed_but_not_for_ever():
    blobs: dict[Digest, bytes] = {}
    row = child("amd64", blobs)
    for _ in range(3):
        inner = index_of([row], blobs)
        row = Descriptor(inner.media_type, inner.digest, inner.size, Platform("linux", "amd64"))
    _, chosen = choose_manifest(MemorySource(row, blobs), Platform("linux", "amd64"), name="x")
    assert chosen.layers
    for _ in range(3):
        inner = index_of([row], blobs)
        row = Descriptor(inner.media_type, inner.digest, inner.size, Platform("linux", "amd64"))
    with pytest.raises(Unsupported, match="nested"):
        choose_manifest(MemorySource(row, blobs), Platform("linux", "amd64"), name="x")
