"""Manifests over HTTP. Spec: distribution-spec, "Pushing manifests", "Listing referrers"."""

import json

import pytest
from tests.hub.clients import (
    CONFIG,
    DOCKER_MANIFEST,
    INDEX,
    LAYER,
    MANIFEST,
    digest,
    document,
)

DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"


def test_a_manifest_comes_back_byte_for_byte_by_tag_and_by_digest(alice):
    raw = b" " + alice.manifest("alice/m") + b"\n"
    answer = alice.put_manifest("alice/m", "v1", raw)
    assert (answer.status, answer.headers["docker-content-digest"]) == (201, digest(raw))
    assert answer.headers["location"] == f"/v2/alice/m/manifests/{digest(raw)}"
    for reference in ("v1", digest(raw)):
        got = alice.get(f"/v2/alice/m/manifests/{reference}")
        assert (got.status, got.body, got.headers["content-type"]) == (200, raw, MANIFEST)
        assert got.headers["docker-content-digest"] == digest(raw)
        head = alice.head(f"/v2/alice/m/manifests/{reference}")
        assert (head.status, head.body) == (200, b"")
        assert head.headers["content-length"] == str(len(raw))
        known = alice.get(f"/v2/alice/m/manifests/{reference}", If_None_Match=got.headers["etag"])
        assert known.status == 304


def test_dockers_manifest_and_list_are_kept_under_their_own_types(alice):
    inner = json.loads(alice.manifest("alice/docker"))
    inner["mediaType"] = DOCKER_MANIFEST
    raw = document(inner)
    assert alice.put_manifest("alice/docker", digest(raw), raw, DOCKER_MANIFEST).status == 201
    outer = document(
        {"schemaVersion": 2, "mediaType": DOCKER_LIST, "manifests": [child(raw, "amd64")]}
    )
    assert alice.put_manifest("alice/docker", "v1", outer, DOCKER_LIST).status == 201
    got = alice.get("/v2/alice/docker/manifests/v1")
    assert (got.headers["content-type"], got.body) == (DOCKER_LIST, outer)


def test_what_a_manifest_names_must_have_been_pushed_here(alice):
    raw = alice.manifest("alice/parts")
    answer = alice.put_manifest("alice/elsewhere", "v1", raw)
    assert (answer.status, answer.code) == (400, "MANIFEST_BLOB_UNKNOWN")
    assert len(answer.json["errors"][0]["detail"]) == 3
    index = document({"schemaVersion": 2, "mediaType": INDEX, "manifests": [child(raw, "amd64")]})
    answer = alice.put_manifest("alice/parts", "v1", index, INDEX)
    assert (answer.status, answer.code) == (400, "MANIFEST_BLOB_UNKNOWN")


def test_foreign_layers_need_not_be_here(alice):
    config = alice.descriptor("alice/foreign", CONFIG, b"{}")
    layer = {
        "mediaType": LAYER,
        "digest": digest(b"far"),
        "size": 3,
        "urls": ["https://x.example/l"],
    }
    raw = document({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]})
    assert alice.put_manifest("alice/foreign", "v1", raw).status == 201


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"not json",
        b"[]",
        b'{"schemaVersion": 1, "fsLayers": []}',
        b'{"schemaVersion": 2, "layers": [], "manifests": []}',
        b'{"schemaVersion": 2, "layers": []}',
        b'{"schemaVersion": 2, "config": 3, "layers": []}',
        b'{"schemaVersion": 2, "config": {"mediaType": "x", "digest": "sha256:no", "size": 1}}',
        b'{"a":' * 100_000,
        b'{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []}',
    ],
)
def test_what_is_no_manifest_is_refused(alice, raw):
    answer = alice.put_manifest("alice/bad", "v1", raw)
    assert (answer.status, answer.code) == (400, "MANIFEST_INVALID")


def test_a_manifest_under_a_wrong_digest_or_tag_is_refused(alice):
    raw = alice.manifest("alice/wrong")
    answer = alice.put_manifest("alice/wrong", digest(b"other"), raw)
    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")
    answer = alice.put_manifest("alice/wrong", "-v1", raw)
    assert (answer.status, answer.code) == (400, "MANIFEST_INVALID")


def test_four_mebibytes_are_taken_and_a_byte_more_is_not(alice):
    inner = json.loads(alice.manifest("alice/large"))
    inner["annotations"] = {"pad": ""}
    pad = 4 * 1024 * 1024 - len(document(inner))
    inner["annotations"]["pad"] = "x" * pad
    raw = document(inner)
    assert alice.put_manifest("alice/large", "v1", raw).status == 201
    assert alice.get("/v2/alice/large/manifests/v1").body == raw
    answer = alice.put_manifest("alice/large", "v2", raw + b" ")
    assert (answer.status, answer.code) == (413, "MANIFEST_INVALID")


def test_a_tag_moves_and_the_old_digest_stays_pullable(alice):
    old = alice.image("alice/moving", seed="old")
    new = alice.image("alice/moving", seed="new")
    assert alice.head("/v2/alice/moving/manifests/v1").headers["docker-content-digest"] == new
    assert alice.get(f"/v2/alice/moving/manifests/{old}").status == 200


def test_deleting_a_tag_leaves_the_others_and_the_manifest(alice):
    named = alice.image("alice/tags", "v1")
    assert alice.image("alice/tags", "v2") == named
    assert alice.request("DELETE", "/v2/alice/tags/manifests/v1").status == 202
    assert alice.get("/v2/alice/tags/manifests/v1").code == "MANIFEST_UNKNOWN"
    assert alice.get("/v2/alice/tags/manifests/v2").status == 200
    assert alice.get("/v2/alice/tags/tags/list").json["tags"] == ["v2"]


def test_deleting_a_digest_takes_every_tag_on_it(alice):
    named = alice.image("alice/gone", "v1")
    alice.image("alice/gone", "v2")
    assert alice.request("DELETE", f"/v2/alice/gone/manifests/{named}").status == 202
    for reference in ("v1", "v2", named):
        answer = alice.get(f"/v2/alice/gone/manifests/{reference}")
        assert (answer.status, answer.code) == (404, "MANIFEST_UNKNOWN")
    assert alice.get("/v2/alice/gone/tags/list").json["tags"] == []


def test_a_child_of_an_index_cannot_be_deleted_under_it(alice):
    raw = alice.manifest("alice/family")
    alice.put_manifest("alice/family", digest(raw), raw)
    index = document({"schemaVersion": 2, "mediaType": INDEX, "manifests": [child(raw, "amd64")]})
    alice.put_manifest("alice/family", "v1", index, INDEX)
    answer = alice.request("DELETE", f"/v2/alice/family/manifests/{digest(raw)}")
    assert (answer.status, answer.code) == (405, "UNSUPPORTED")


def test_strangers_delete_nothing(alice, bob, nobody):
    alice.image("alice/mine")
    assert bob.request("DELETE", "/v2/alice/mine/manifests/v1").code == "DENIED"
    assert nobody.request("DELETE", "/v2/alice/mine/manifests/v1").status == 401
    assert alice.get("/v2/alice/mine/manifests/v1").status == 200


def test_a_manifest_with_a_subject_is_listed_as_its_referrer(alice):
    subject = alice.image("alice/signed")
    pointer = {"mediaType": MANIFEST, "digest": subject, "size": 1}
    names = {}
    for kind in ("application/vnd.example.sig", "application/vnd.example.sbom"):
        raw = artifact(alice, kind, subject=pointer, annotations={"kind": kind})
        answer = alice.put_manifest("alice/signed", digest(raw), raw)
        assert (answer.status, answer.headers["oci-subject"]) == (201, subject)
        names[kind] = digest(raw)
    answer = alice.get(f"/v2/alice/signed/referrers/{subject}")
    assert (answer.status, answer.headers["content-type"]) == (200, INDEX)
    rows = {row["artifactType"]: row for row in answer.json["manifests"]}
    assert {kind: row["digest"] for kind, row in rows.items()} == names
    assert rows["application/vnd.example.sig"]["annotations"] == {
        "kind": "application/vnd.example.sig"
    }
    assert "oci-filters-applied" not in answer.headers


def test_referrers_are_filtered_by_artifact_type_and_paged(alice):
    subject = alice.image("alice/paged")
    pointer = {"mediaType": MANIFEST, "digest": subject, "size": 1}
    for number in range(3):
        raw = artifact(
            alice, "application/x.a", "alice/paged", subject=pointer, annotations={"n": str(number)}
        )
        assert alice.put_manifest("alice/paged", digest(raw), raw).status == 201
    base = f"/v2/alice/paged/referrers/{subject}"
    answer = alice.get(f"{base}?artifactType=application/x.none")
    assert (answer.json["manifests"], answer.headers["oci-filters-applied"]) == ([], "artifactType")
    seen: list[str] = []
    path = f"{base}?artifactType=application/x.a&n=2"
    while path:
        answer = alice.get(path)
        seen += [row["digest"] for row in answer.json["manifests"]]
        path = answer.headers.get("link", "")[1:].partition(">")[0]
    assert len(set(seen)) == len(seen) == 3


def test_referrers_of_something_unknown_are_an_empty_index(alice):
    alice.image("alice/signed")
    answer = alice.get(f"/v2/alice/signed/referrers/{digest(b'?')}")
    assert (answer.status, answer.json["manifests"]) == (200, [])


def test_a_subject_need_not_be_here_yet(alice):
    pointer = {"mediaType": MANIFEST, "digest": digest(b"later"), "size": 5}
    raw = artifact(alice, "application/x.early", subject=pointer)
    assert alice.put_manifest("alice/signed", "early", raw).status == 201


def child(raw: bytes, arch: str) -> dict[str, object]:
    kind = json.loads(raw)["mediaType"]
    platform = {"os": "linux", "architecture": arch}
    return {"mediaType": kind, "digest": digest(raw), "size": len(raw), "platform": platform}


def artifact(client, kind: str, repository: str = "alice/signed", **fields: object) -> bytes:
    empty = client.descriptor(repository, "application/vnd.oci.empty.v1+json", b"{}")
    return document(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": kind,
            "config": empty,
            "layers": [empty],
            **fields,
        }
    )
