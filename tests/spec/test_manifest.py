from contextlib import suppress

import pytest
from hypothesis import given
from tests.strategies import documents

from lamina.errors import Invalid, LaminaError, Unsupported
from lamina.spec.descriptor import Descriptor, MediaType
from lamina.spec.digest import Digest
from lamina.spec.manifest import Index, Manifest, parse_manifest
from lamina.spec.wire import decode, encode, encode_pretty

CONFIG = Descriptor(MediaType.OCI_CONFIG, Digest.of(b"config"), 6)
LAYERS = (
    Descriptor(MediaType.OCI_LAYER_GZIP, Digest.of(b"low"), 3),
    Descriptor(MediaType.OCI_LAYER_ZSTD, Digest.of(b"high"), 4),
)


def test_a_built_manifest_reads_back_with_the_same_digest():
    built = Manifest.build(CONFIG, LAYERS, annotations={"a": "b"})
    read = parse_manifest(built.raw)
    assert isinstance(read, Manifest)
    assert (read.config, read.layers, read.digest) == (CONFIG, LAYERS, built.digest)
    assert Manifest.build(CONFIG, LAYERS, annotations={"a": "b"}).raw == built.raw


def test_a_fetched_manifest_keeps_its_bytes_whatever_its_layout():
    raw = encode_pretty(decode(Manifest.build(CONFIG, LAYERS).raw), indent=7).encode() + b"\n"
    manifest = parse_manifest(raw)
    assert manifest.raw == raw
    assert manifest.descriptor == Descriptor(MediaType.OCI_MANIFEST, Digest.of(raw), len(raw))


def test_an_index_lists_its_manifests_with_their_platforms():
    child = {**Manifest.build(CONFIG, LAYERS).descriptor.to_json(),
             "platform": {"architecture": "arm64", "os": "linux"}}  # fmt: skip
    index = parse_manifest(encode({"schemaVersion": 2, "manifests": [child]}))
    assert isinstance(index, Index)
    assert [str(one.platform) for one in index.manifests] == ["linux/arm64"]
    assert index.media_type == MediaType.OCI_INDEX


def test_the_transports_media_type_counts_where_the_document_has_none():
    bare = {"schemaVersion": 2, "config": CONFIG.to_json(), "layers": []}
    manifest = parse_manifest(encode(bare), MediaType.DOCKER_MANIFEST + "; charset=utf-8")
    assert manifest.media_type == MediaType.DOCKER_MANIFEST
    assert parse_manifest(encode(bare), "text/plain").media_type == MediaType.OCI_MANIFEST


def test_a_document_that_contradicts_its_transport_is_refused():
    with pytest.raises(Invalid, match="its transport says"):
        parse_manifest(Manifest.build(CONFIG, LAYERS).raw, MediaType.OCI_INDEX)


def test_a_document_that_is_both_manifest_and_index_is_refused():
    both = {"schemaVersion": 2, "config": CONFIG.to_json(), "layers": [], "manifests": []}
    with pytest.raises(Invalid, match="both"):
        parse_manifest(encode(both))


@pytest.mark.parametrize("old", [{"schemaVersion": 1}, {"fsLayers": []}])
def test_schema_1_is_refused_with_what_to_do(old: dict[str, object]):
    with pytest.raises(Unsupported) as caught:
        parse_manifest(encode(old))
    assert caught.value.hint


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"null", b"[]", b"{", b"\xff", b"{}", b'{"config":7}', b'{"config":{}}',
        b'{"layers":[]}', b'{"manifests":7}', b'{"manifests":[7]}', b"[" * 100_000,
    ],
)  # fmt: skip
def test_what_is_no_manifest_is_refused(raw: bytes):
    with pytest.raises(Invalid):
        parse_manifest(raw)


@given(documents())
def test_any_json_is_a_manifest_or_is_refused_by_kind(value: object):
    with suppress(LaminaError):
        parse_manifest(encode(value))


def test_a_subject_and_an_artifact_type_are_read():
    subject = Manifest.build(CONFIG, LAYERS).descriptor
    document = {"schemaVersion": 2, "config": CONFIG.to_json(), "layers": [],
                "artifactType": "application/x", "subject": subject.to_json()}  # fmt: skip
    manifest = parse_manifest(encode(document))
    assert (manifest.subject, manifest.artifact_type) == (subject, "application/x")
