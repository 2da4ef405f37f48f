"""Any request to the distribution API is answered, and never with a fault of ours."""

from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.hub.clients import INDEX, MANIFEST, Client, digest
from tests.hub.conformance.parts import artifact
from tests.soaking import sized

BLOB = digest(b"one top" * 20)
ODD = st.text(st.characters(codec="utf-8"), max_size=12)
NAME = st.sampled_from(
    ["alice/app", "alice/none", "bob/app", "alice", "_catalog", "Alice/App", "a/" * 200]
)
REFERENCE = st.sampled_from(
    ["v1", "none", BLOB, digest(b"no"), "sha256:abc", "md5:" + "0" * 32, ".."]
)
ENDPOINT = st.sampled_from([
    "manifests/{}", "blobs/{}", "blobs/uploads/", "blobs/uploads/{}", "tags/list", "referrers/{}", "{}", "",
])  # fmt: skip
METHODS = st.sampled_from(["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])
WHO = st.sampled_from(["alice", ""])
BODY = st.sampled_from([None, b"", b"{}", b"x" * 100, b'{"schemaVersion": 2}'])
QUERY = st.dictionaries(
    st.sampled_from(["n", "last", "digest", "mount", "from", "artifactType", "x"]),
    st.sampled_from(["0", "1", "-1", "9" * 30, BLOB, "alice/app", "a/b", ""]) | ODD,
    max_size=3,
)
HEADERS = st.dictionaries(
    st.sampled_from([
        "Range", "If-Range", "If-None-Match", "Content-Range", "Content-Type", "Content-Encoding", "Accept",
        "Authorization", "Host", "Expect", "Cookie", "X-Forwarded-For",
    ]),
    st.sampled_from(["bytes=0-1", "bytes=-1", "0-0", "5-9", "*", MANIFEST, INDEX, "gzip", "Basic x", "Bearer x"])
    | st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20),
    max_size=3,
)  # fmt: skip


@pytest.fixture(scope="module")
def pushed(alice) -> str:
    """The address of a hub that has one image."""
    assert alice.put_manifest("alice/app", "v1", artifact(alice, "alice/app")).status == 201
    return str(alice.address)


@settings(max_examples=sized(120, 20_000), deadline=None)
@given(
    st.tuples(NAME | ODD, ENDPOINT, REFERENCE | ODD, QUERY), st.tuples(METHODS, HEADERS, BODY), WHO
)
def test_any_request_is_answered_in_the_forms_of_the_specification(pushed, place, sent, who):
    method, headers, body = sent
    name, endpoint, reference, query = place
    path = f"/v2/{quote(name)}/{endpoint.format(quote(reference))}"
    words = "&".join(f"{key}={quote(value)}" for key, value in query.items())
    answer = Client(pushed, who, extra=headers).request(method, f"{path}?{words}", body)
    assert answer.status < 500, answer
    if (
        answer.status >= 400
        and answer.headers.get("content-type") == "application/json"
        and answer.body
    ):
        assert all(row["code"].isupper() for row in answer.json["errors"])
