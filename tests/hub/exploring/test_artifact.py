"""The attached manifest is one that the hub itself would take, and the same for the same parts."""

from lamina.hub.documents import read_facts
from lamina.hub.exploring.artifact import ARTIFACT, artifact
from lamina.spec.descriptor import Descriptor, MediaType
from lamina.spec.digest import Digest


def test_it_names_its_subject_its_kind_and_all_its_parts():
    image, layer, index, paths = (
        Digest.of(text) for text in (b"image", b"layer", b"index", b"paths")
    )
    subject = Descriptor(MediaType.OCI_MANIFEST, image, 5)
    raw = artifact(subject, [(layer, index, 7)], (paths, 9))
    facts = read_facts(raw, MediaType.OCI_MANIFEST)
    assert (facts.artifact_type, facts.subject) == (ARTIFACT, image)
    assert {index, paths} <= set(facts.blobs)
    assert raw == artifact(subject, [(layer, index, 7)], (paths, 9))
