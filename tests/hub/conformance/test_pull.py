"""Pulling, as the distribution specification 1.1 has it: manifests, blobs, HEAD, parts."""

import json

import pytest
from tests.hub.clients import MANIFEST, digest
from tests.hub.conformance.parts import artifact

from lamina.spec.wire import encode_pretty

ABSENT = digest(b"never pushed")
DATA = bytes(range(256)) * 16


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("reference", ["v2", ABSENT, ".impossible", "-v1", "x" * 129, "a%00b"])
def test_a_manifest_that_is_not_there_is_404_also_by_a_tag_that_cannot_be(alice, method, reference):
    alice.image("alice/pull")
    answer = alice.request(method, f"/v2/alice/pull/manifests/{reference}")
    assert answer.status == 404
    assert method == "HEAD" or answer.code == "MANIFEST_UNKNOWN"


@pytest.mark.parametrize(
    "path", ["manifests/v1", f"manifests/{ABSENT}", f"blobs/{ABSENT}", "tags/list"]
)
def test_what_a_repository_that_is_not_there_has_is_404(alice, path):
    answer = alice.get(f"/v2/alice/never/{path}")
    assert (answer.status, answer.code) == (404, "NAME_UNKNOWN")


def test_a_blob_that_is_not_there_is_404_for_get_and_head(alice):
    alice.image("alice/pull")
    assert alice.get(f"/v2/alice/pull/blobs/{ABSENT}").code == "BLOB_UNKNOWN"
    assert alice.head(f"/v2/alice/pull/blobs/{ABSENT}").status == 404


def test_head_has_the_headers_of_get_and_no_body(alice):
    named = alice.push_blob("alice/pull", DATA)
    alice.image("alice/pull")
    for path in (f"blobs/{named}", "manifests/v1"):
        got, head = (alice.request(method, f"/v2/alice/pull/{path}") for method in ("GET", "HEAD"))
        for name in ("content-length", "content-type", "docker-content-digest", "etag"):
            assert got.headers[name] == head.headers[name]
        assert (head.status, head.body) == (200, b"")
        assert head.headers["docker-content-digest"] == digest(got.body)
        assert head.headers["content-length"] == str(len(got.body))


def test_parameters_of_a_content_type_are_left_out_on_the_way_back(alice):
    raw = alice.manifest("alice/pull")
    assert alice.put_manifest("alice/pull", "p", raw, f"{MANIFEST}; charset=utf-8").status == 201
    assert alice.get("/v2/alice/pull/manifests/p").headers["content-type"] == MANIFEST


def test_a_manifest_of_a_type_nobody_knows_comes_back_byte_for_byte_under_it(alice):
    kind = "application/vnd.example.thing.v3+json"
    fields = {"mediaType": kind, "unheard.of": {"b": [1.50, None], "a": "\u00e9\n"}}
    raw = encode_pretty(json.loads(artifact(alice, "alice/pull", **fields))).encode() + b"\n"
    assert alice.put_manifest("alice/pull", "odd", raw, kind).status == 201
    answer = alice.get("/v2/alice/pull/manifests/odd", Accept="text/html")
    assert (answer.body, answer.headers["content-type"]) == (raw, kind)


def test_a_download_goes_on_from_where_it_broke(alice):
    path = f"/v2/alice/pull/blobs/{alice.push_blob('alice/pull', DATA)}"
    first = alice.get(path, Range="bytes=0-999")
    rest = alice.get(path, Range="bytes=1000-", If_Range=first.headers["etag"])
    assert (first.status, rest.status) == (206, 206)
    assert rest.headers["content-range"] == f"bytes 1000-{len(DATA) - 1}/{len(DATA)}"
    assert first.body + rest.body == DATA


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "*"])
def test_what_a_client_has_already_is_not_sent_again(alice, form):
    named = alice.image("alice/pull")
    blob = alice.push_blob("alice/pull", DATA)
    for path in ("manifests/v1", f"manifests/{named}", f"blobs/{blob}"):
        tag = alice.head(f"/v2/alice/pull/{path}").headers["etag"]
        for method in ("GET", "HEAD"):
            answer = alice.request(method, f"/v2/alice/pull/{path}", If_None_Match=form.format(tag))
            assert (answer.status, answer.body) == (304, b"")
            assert answer.headers["etag"] == tag
