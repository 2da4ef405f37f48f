"""What the hub notes about a manifest."""

import pytest
from tests.hub.clients import CONFIG, INDEX, MANIFEST, digest, document

from lamina.hub.documents import read_facts, with_config
from lamina.hub.errors import ManifestInvalid


def descriptor(name: str, kind: str = "application/x", **more: object) -> dict[str, object]:
    return {"mediaType": kind, "digest": digest(name.encode()), "size": 10, **more}


def test_an_image_names_its_config_and_layers_once_each_and_weighs_them():
    layer = descriptor("layer")
    raw = document(
        {"schemaVersion": 2, "config": descriptor("config", CONFIG), "layers": [layer, layer]}
    )
    facts = read_facts(raw, f"{MANIFEST}; charset=utf-8")
    assert facts.media_type == MANIFEST
    assert facts.blobs == (digest(b"config"), digest(b"layer"))
    assert (facts.content_size, facts.artifact_type, facts.subject) == (30, "", None)


def test_a_config_adds_its_platform_and_a_broken_one_nothing():
    raw = document({"schemaVersion": 2, "config": descriptor("config", CONFIG), "layers": []})
    facts = read_facts(raw, MANIFEST)
    config = {"os": "linux", "architecture": "arm", "variant": "v7", "rootfs": {"diff_ids": []}}
    assert with_config(facts, document(config)).platforms == ("linux/arm/v7",)
    assert with_config(facts, b"broken") == facts


def test_an_artifact_is_named_by_its_type_or_its_configs():
    raw = document(
        {"schemaVersion": 2, "config": descriptor("c", "application/x.helm"), "layers": []}
    )
    assert read_facts(raw, MANIFEST).artifact_type == "application/x.helm"
    raw = document(
        {
            "schemaVersion": 2,
            "artifactType": "application/y",
            "config": descriptor("c"),
            "layers": [],
        }
    )
    assert read_facts(raw, MANIFEST).artifact_type == "application/y"


def test_an_index_lists_platforms_without_the_attestations():
    rows = [
        descriptor("a", MANIFEST, platform={"os": "linux", "architecture": "amd64"}),
        descriptor("b", MANIFEST, platform={"os": "unknown", "architecture": "unknown"}),
        descriptor("c", MANIFEST),
    ]
    facts = read_facts(document({"schemaVersion": 2, "mediaType": INDEX, "manifests": rows}), "")
    assert (facts.media_type, facts.platforms) == (INDEX, ("linux/amd64",))
    assert len(facts.children) == 3


def test_a_type_that_disagrees_with_the_request_is_refused():
    raw = document(
        {
            "schemaVersion": 2,
            "mediaType": "application/x.own",
            "config": descriptor("c"),
            "layers": [],
        }
    )
    with pytest.raises(ManifestInvalid):
        read_facts(raw, MANIFEST)
