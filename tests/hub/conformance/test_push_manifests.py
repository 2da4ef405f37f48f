"""Pushing manifests, as the distribution and image specifications 1.1 have it."""

import json

import pytest
from tests.hub.clients import CONFIG, INDEX, MANIFEST, digest, document
from tests.hub.conformance.parts import artifact, child, index, pointer


def test_a_pushed_manifest_is_pulled_from_where_the_answer_says(alice):
    raw = alice.manifest("alice/push")
    for reference in ("v1", digest(raw)):
        answer = alice.put_manifest("alice/push", reference, raw)
        assert (answer.status, answer.headers["docker-content-digest"]) == (201, digest(raw))
        assert alice.get(answer.headers["location"]).body == raw


def test_a_manifest_is_pushed_and_pulled_by_sha512_and_refused_under_a_wrong_one(alice):
    raw = alice.manifest("alice/push")
    named = digest(raw, "sha512")
    answer = alice.put_manifest("alice/push", named, raw)
    assert (answer.status, answer.headers["docker-content-digest"]) == (201, named)
    got = alice.get(f"/v2/alice/push/manifests/{named}")
    assert (got.body, got.headers["docker-content-digest"]) == (raw, named)
    answer = alice.put_manifest("alice/push", named, raw + b" ")
    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")
    outer = document({
        "schemaVersion": 2, "mediaType": INDEX, "manifests": [{**child(raw), "digest": named}],
    })  # fmt: skip
    assert alice.put_manifest("alice/push", "sha512", outer, INDEX).status == 201


def test_a_manifest_may_name_no_layer_and_an_index_no_manifest(alice):
    config = alice.descriptor("alice/push", CONFIG, b"{}")
    raw = document({"schemaVersion": 2, "config": config, "layers": []})
    assert alice.put_manifest("alice/push", "bare", raw).status == 201
    assert alice.put_manifest("alice/push", "none", index(), INDEX).status == 201


def test_each_missing_part_is_named_in_the_refusal(alice):
    rows = [
        {"mediaType": "a/b", "digest": digest(b"%d" % number), "size": 1} for number in range(3)
    ]
    raw = artifact(alice, "alice/push", layers=rows)
    answer = alice.put_manifest("alice/push", "v9", raw)
    assert (answer.status, answer.code) == (400, "MANIFEST_BLOB_UNKNOWN")
    named = [row["digest"] for row in answer.json["errors"][0]["detail"]]
    assert named == [row["digest"] for row in rows]
    assert alice.get("/v2/alice/push/manifests/v9").status == 404


def test_a_subject_may_be_missing_and_is_acknowledged(alice):
    subject = digest(b"later")
    for kind, raw in (
        (MANIFEST, artifact(alice, "alice/push", subject=pointer(subject))),
        (INDEX, index(subject=pointer(subject))),
    ):
        answer = alice.put_manifest("alice/push", digest(raw), raw, kind)
        assert (answer.status, answer.headers["oci-subject"]) == (201, subject)
    answer = alice.put_manifest("alice/push", "none", index(), INDEX)
    assert "oci-subject" not in answer.headers


@pytest.mark.parametrize("reference", ["-v1", ".v1", "v" * 129, "a%2Bb", "%20", "v%0d%0a1", "%ff"])
def test_a_reference_that_is_no_tag_is_refused(alice, reference):
    raw = alice.manifest("alice/push")
    answer = alice.put_manifest("alice/push", reference, raw)
    assert (answer.status, answer.code) == (400, "MANIFEST_INVALID")


@pytest.mark.parametrize(
    "reference", ["sha256:abc", "md5:" + "0" * 32, "sha256:" + "A" * 64, "a:b"]
)
def test_a_reference_that_is_no_digest_is_refused(alice, reference):
    answer = alice.put_manifest("alice/push", reference, alice.manifest("alice/push"))
    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")


def test_a_schema_1_manifest_is_refused_in_words(alice):
    raw = document({"schemaVersion": 1, "name": "alice/push", "tag": "v1", "fsLayers": []})
    kind = "application/vnd.docker.distribution.manifest.v1+prettyjws"
    answer = alice.put_manifest("alice/push", "old", raw, kind)
    assert (answer.status, answer.code) == (400, "MANIFEST_INVALID")
    assert "schema 1" in answer.json["errors"][0]["message"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("schemaVersion", None),
        ("schemaVersion", 3),
        ("schemaVersion", True),
        ("mediaType", 5),
        ("mediaType", "no type"),
        ("mediaType", "a/b\r\nSet-Cookie: c=d"),
        ("artifactType", ["a/b"]),
        ("artifactType", "a/\ud800"),
        ("artifactType", "a/b\x00"),
        ("annotations", {"count": 5}),
        ("annotations", ["a"]),
        ("subject", "sha256:abc"),
        ("config", {"mediaType": "\ud800", "digest": digest(b"{}"), "size": 2}),
        ("config", {"mediaType": "a/b", "digest": digest(b"{}"), "size": 10**30}),
        ("layers", [{"mediaType": "a/b", "digest": digest(b"{}"), "size": 2**62}] * 2),
        ("layers", {"a": 1}),
    ],
)
def test_fields_that_would_break_those_who_read_them_are_refused(alice, field, value):
    fields = json.loads(artifact(alice, "alice/push")) | {field: value}
    raw = document({name: value for name, value in fields.items() if value is not None})
    answer = alice.put_manifest("alice/push", "broken", raw, "")
    assert (answer.status, answer.code) == (400, "MANIFEST_INVALID")


def test_an_unusual_platform_does_not_keep_an_index_out(alice):
    raw = alice.manifest("alice/push")
    alice.put_manifest("alice/push", digest(raw), raw)
    platforms = [
        {"os": "\ud800", "architecture": "a,b"},
        {"os": "plan9", "architecture": "\x00"},
        {},
    ]
    rows = [{**child(raw), "platform": each} for each in platforms]
    outer = document({"schemaVersion": 2, "mediaType": INDEX, "manifests": rows})
    assert alice.put_manifest("alice/push", "odd", outer, INDEX).status == 201
    assert alice.get("/v2/alice/push/manifests/odd").body == outer


def test_what_is_not_utf_8_is_no_manifest(alice):
    text = alice.manifest("alice/push").decode()
    for encoding in ("utf-16", "utf-32-le", "utf-8-sig"):
        answer = alice.put_manifest("alice/push", "v1", text.encode(encoding))
        assert (answer.status, answer.code) == (400, "MANIFEST_INVALID")


def test_a_type_in_the_manifest_must_be_the_requests(alice):
    answer = alice.put_manifest("alice/push", "v1", alice.manifest("alice/push"), "a/other")
    assert (answer.status, answer.code) == (400, "MANIFEST_INVALID")
