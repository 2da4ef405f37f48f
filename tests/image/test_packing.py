"""A manifest with other layers keeps all else; a layer packed again is the blob a commit makes."""

from types import MappingProxyType

import pytest
from tests.engine.worlds import import_image

from lamina.image.intake import COMPRESSION
from lamina.image.packing import pack, repacked_manifest
from lamina.spec.descriptor import Descriptor, MediaType
from lamina.spec.digest import Digest
from lamina.spec.wire import decode, encode
from lamina.stream.codec import Compression
from lamina.stream.verify import DigestMismatch


def test_what_the_manifest_says_beside_the_layers_stays_and_dockers_types_become_ocis():
    old, other, new = (Digest.of(name) for name in (b"old", b"other", b"new"))
    document = {
        "schemaVersion": 2,
        "mediaType": MediaType.DOCKER_MANIFEST,
        "config": {"mediaType": MediaType.DOCKER_CONFIG, "digest": str(other), "size": 5},
        "layers": [
            {"mediaType": MediaType.DOCKER_LAYER_GZIP, "digest": str(old), "size": 3,
             "annotations": {"kept": "yes"}, "ours": 1},
            {"mediaType": MediaType.DOCKER_LAYER_GZIP, "digest": str(other), "size": 5},
        ],
        "annotations": {"a": "b"},
        "unknown": [1],
    }  # fmt: skip
    how = MappingProxyType({COMPRESSION: "zstd;level=3;by=zstd"})
    packed = Descriptor(MediaType.OCI_LAYER_ZSTD, new, 7, annotations=how)
    found = decode(repacked_manifest(encode(document), {old: packed}))
    assert found["mediaType"] == MediaType.OCI_MANIFEST
    assert found["config"]["mediaType"] == MediaType.OCI_CONFIG
    assert (found["annotations"], found["unknown"]) == ({"a": "b"}, [1])
    first, second = found["layers"]
    assert first == {
        "mediaType": MediaType.OCI_LAYER_ZSTD, "digest": str(new), "size": 7, "ours": 1,
        "annotations": {"kept": "yes", COMPRESSION: "zstd;level=3;by=zstd"},
    }  # fmt: skip
    assert second["mediaType"] == MediaType.OCI_LAYER_GZIP


def test_the_blob_is_the_one_that_was_made_with_the_layer(engine):
    import_image(engine, "one")
    image = engine.images.resolve("one")
    out: list[bytes] = []
    with engine.layers.open(image.config.diff_ids) as sealed:
        found = pack(sealed.tar(), Compression(), out.append, diff_id=image.config.diff_ids[0])
        assert found == image.manifest.layers[0]
        assert b"".join(out) == engine.store.blobs.read(found.digest)
        with pytest.raises(DigestMismatch, match="damaged on this disk"):
            pack(sealed.tar(), Compression(), out.append, diff_id=Digest.of(b"another"))
