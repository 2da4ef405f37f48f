"""Deleting and failing, as the distribution specification 1.1 has it."""

import re

import pytest
from tests.hub.clients import INDEX, Client, digest, document
from tests.hub.conformance.parts import index

CODES = {
    "BLOB_UNKNOWN", "BLOB_UPLOAD_INVALID", "BLOB_UPLOAD_UNKNOWN", "DIGEST_INVALID", "MANIFEST_BLOB_UNKNOWN",
    "MANIFEST_INVALID", "MANIFEST_UNKNOWN", "NAME_INVALID", "NAME_UNKNOWN", "SIZE_INVALID", "UNAUTHORIZED",
    "DENIED", "UNSUPPORTED", "TOOMANYREQUESTS",
}  # fmt: skip
ABSENT = digest(b"never pushed")
WARNING = re.compile(r'299 - "[ !#-~]+"')


@pytest.mark.parametrize("reference", ["v2", ABSENT, ".impossible"])
def test_a_manifest_that_is_not_there_cannot_be_deleted(alice, reference):
    alice.image("alice/kept")
    answer = alice.request("DELETE", f"/v2/alice/kept/manifests/{reference}")
    assert (answer.status, answer.code) == (404, "MANIFEST_UNKNOWN")


@pytest.mark.parametrize("path", ["manifests/v1", f"manifests/{ABSENT}", f"blobs/{ABSENT}"])
def test_nothing_of_a_repository_that_is_not_there_can_be_deleted(alice, path):
    answer = alice.request("DELETE", f"/v2/alice/never/{path}")
    assert (answer.status, answer.code) == (404, "NAME_UNKNOWN")


def test_what_was_deleted_can_be_pushed_again(alice):
    named = alice.image("alice/again")
    assert alice.request("DELETE", f"/v2/alice/again/manifests/{named}").status == 202
    assert alice.get(f"/v2/alice/again/manifests/{named}").status == 404
    assert alice.get("/v2/alice/again/manifests/v1").status == 404
    assert alice.image("alice/again") == named
    assert alice.get("/v2/alice/again/manifests/v1").status == 200


def test_a_tag_that_is_deleted_leaves_its_manifest_to_those_who_pinned_it(alice):
    named = alice.image("alice/pinned")
    assert alice.request("DELETE", "/v2/alice/pinned/manifests/v1").status == 202
    assert alice.get("/v2/alice/pinned/manifests/v1").status == 404
    assert alice.get(f"/v2/alice/pinned/manifests/{named}").status == 200


def test_an_index_is_deleted_first_and_its_child_after_it(alice):
    raw = alice.manifest("alice/family")
    alice.put_manifest("alice/family", digest(raw), raw)
    alice.put_manifest("alice/family", "v1", index(raw), INDEX)
    path = "/v2/alice/family/manifests/"
    assert alice.request("DELETE", path + digest(raw)).status == 405
    assert alice.request("DELETE", path + digest(index(raw))).status == 202
    assert alice.request("DELETE", path + digest(raw)).status == 202


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "alice/app/manifests/none", 404),
        ("GET", "alice/none/manifests/v1", 404),
        ("GET", f"alice/app/blobs/{ABSENT}", 404),
        ("GET", "alice/app/blobs/sha256:abc", 400),
        ("GET", "Alice/app/tags/list", 400),
        ("GET", "alice/app/tags/list?n=x", 400),
        ("GET", "alice/app/referrers/none", 400),
        ("GET", "alice/app/blobs/uploads/none", 404),
        ("GET", "alice/app/nothing", 404),
        ("PUT", "alice/app/manifests/v1", 400),
        ("PUT", "alice/app/blobs/uploads/none?digest=x", 404),
        ("PATCH", "alice/app/blobs/uploads/none", 404),
        ("PATCH", "alice/app/manifests/v1", 405),
        ("POST", "alice/app/blobs/uploads/?digest=x", 400),
        ("POST", "bob/app/blobs/uploads/", 403),
        ("DELETE", "alice/app/manifests/none", 404),
        ("TRACE", "alice/app/manifests/v1", 405),
    ],
)
def test_every_error_has_a_code_of_the_specification_and_no_error_a_warning(
    alice, nobody, method, path, status
):
    alice.image("alice/app")
    for who, expected in ((alice, status), (nobody.with_token("x.y.z"), 401)):
        answer = who.request(method, f"/v2/{path}")
        assert (answer.status, answer.headers["content-type"]) == (expected, "application/json")
        assert "warning" not in answer.headers
        for row in answer.json["errors"]:
            assert row["code"] in CODES
            assert re.fullmatch("[A-Z_]+", row["code"])
            assert isinstance(row["message"], str)


def test_who_pushes_is_warned_in_the_specifications_form(alice, chief):
    raw = alice.manifest("alice/told")
    assert "warning" not in alice.put_manifest("alice/told", "v1", raw).headers
    quota = "/api/v1/quotas/of?target=alice/told"
    used = chief.get(quota).json["used"]
    small = document({"size": used + 1})
    assert chief.request("PUT", quota, small, Content_Type="application/json").status == 200
    token = document({"name": "short", "actions": ["push"], "expires_in_days": 3})
    made = alice.request("POST", "/api/v1/tokens", token, Content_Type="application/json").json
    pusher = Client(alice.address, "alice", str(made["token"]))
    short = pusher.with_token(
        str(pusher.get_token("repository:alice/told:pull,push").json["token"])
    )
    for who in (pusher, short):  # as docker asks, and as skopeo may
        answer = who.put_manifest("alice/told", "v1", raw)
        assert answer.status == 201
        quota_full, token_ends = answer.headers["warning"].split(", ")
        assert WARNING.fullmatch(quota_full)
        assert WARNING.fullmatch(token_ends)
        assert "alice/told has " in quota_full
        assert "access token ends on " in token_ends


def test_head_is_answered_wherever_get_is(alice):
    raw = alice.manifest("alice/heads")
    for tag in ("v1", "v2"):
        alice.put_manifest("alice/heads", tag, raw)
    blob = alice.push_blob("alice/heads", b"some bytes")
    upload = alice.begin("alice/heads")
    alice.request("PATCH", upload, b"some", Content_Range="0-3")
    left_out = {"date", "x-request-id", "connection"}
    for path in (
        "/v2/",
        "/v2/_catalog?n=1",
        "/v2/alice/heads/tags/list?n=1",
        "/v2/alice/heads/manifests/v1",
        f"/v2/alice/heads/referrers/{digest(raw)}",
        f"/v2/alice/heads/blobs/{blob}",
        upload,
    ):
        got = alice.get(path)
        for _ in range(2):  # the second may be answered from what was kept
            head = alice.head(path)
            assert (head.status, head.body) == (got.status, b""), path
            assert {key: value for key, value in head.headers.items() if key not in left_out} == {
                key: value for key, value in got.headers.items() if key not in left_out
            }, path
    for path in ("/v2/alice/none/tags/list", "/v2/alice/heads/blobs/uploads/none"):
        assert alice.head(path).status == 404
