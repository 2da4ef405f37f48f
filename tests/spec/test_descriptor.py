from contextlib import suppress

import pytest
from hypothesis import given
from tests.strategies import digests, documents

from lamina.errors import Invalid
from lamina.spec.descriptor import Descriptor, MediaType
from lamina.spec.digest import Digest

DIGEST = Digest.of(b"blob")
PLAIN = {"mediaType": MediaType.OCI_LAYER_GZIP, "digest": str(DIGEST), "size": 4}


def test_a_descriptor_keeps_every_field_in_the_specs_order():
    document = {
        **PLAIN,
        "urls": ["https://example.org/blob"],
        "annotations": {"a": "b"},
        "artifactType": "application/x",
        "platform": {"architecture": "arm", "os": "linux", "variant": "v7"},
    }
    descriptor = Descriptor.from_json(document)
    assert descriptor.to_json() == document
    assert list(descriptor.to_json()) == list(document)


@given(digests())
def test_reading_what_was_written_gives_the_same_descriptor(digest: Digest):
    descriptor = Descriptor(MediaType.OCI_LAYER, digest, 7)
    assert Descriptor.from_json(descriptor.to_json()) == descriptor


@pytest.mark.parametrize(
    "change",
    [
        {"size": -1}, {"size": "4"}, {"size": True}, {"size": 4.0}, {"size": None},
        {"digest": "sha256:x"}, {"digest": 7}, {"annotations": ["a"]}, {"urls": "text"},
    ],
)  # fmt: skip
def test_a_malformed_field_is_refused(change: dict[str, object]):
    with pytest.raises(Invalid):
        Descriptor.from_json({**PLAIN, **change})


@pytest.mark.parametrize("missing", ["size", "digest", "mediaType"])
def test_a_missing_field_is_named(missing: str):
    document = {key: value for key, value in PLAIN.items() if key != missing}
    with pytest.raises(Invalid, match=missing):
        Descriptor.from_json(document)


@given(documents())
def test_any_object_is_a_descriptor_or_is_refused(value: object):
    if not isinstance(value, dict):
        return
    with suppress(Invalid):
        Descriptor.from_json(value)


def test_annotations_cannot_be_changed_behind_a_descriptors_back():
    annotations = {"a": "b"}
    descriptor = Descriptor.from_json({**PLAIN, "annotations": annotations})
    annotations["a"] = "changed"
    assert descriptor.annotations["a"] == "b"
    with pytest.raises(TypeError):
        descriptor.annotations["a"] = "c"  # type: ignore[index]
