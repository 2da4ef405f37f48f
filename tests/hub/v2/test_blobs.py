"""Blobs over HTTP: whole, in part, known already, gone."""

import pytest
from tests.hub.clients import digest

from lamina.hub.v2.blobs import wanted_range

DATA = bytes(range(256)) * 40


@pytest.fixture(scope="module")
def path(alice) -> str:
    return f"/v2/alice/blobs/blobs/{alice.push_blob('alice/blobs', DATA)}"


def test_a_blob_comes_whole_with_its_digest_and_length(alice, path):
    answer = alice.get(path)
    assert (answer.status, answer.body) == (200, DATA)
    assert answer.headers["docker-content-digest"] == digest(DATA)
    assert answer.headers["etag"] == f'"{digest(DATA)}"'
    assert answer.headers["accept-ranges"] == "bytes"


def test_head_tells_the_length_without_the_bytes(alice, path):
    answer = alice.head(path)
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["content-length"] == str(len(DATA))


@pytest.mark.parametrize(
    ("header", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=100-199", 100, 199),
        ("bytes=10000-", 10000, 10239),
        ("bytes=-7", 10233, 10239),
        ("bytes=-99999", 0, 10239),
        ("bytes=5-99999", 5, 10239),
    ],
)
def test_a_range_gives_that_part(alice, path, header, first, last):
    answer = alice.get(path, Range=header)
    assert (answer.status, answer.body) == (206, DATA[first : last + 1])
    assert answer.headers["content-range"] == f"bytes {first}-{last}/10240"


@pytest.mark.parametrize("header", ["bytes=10240-", "bytes=99999-100000", "bytes=-0"])
def test_a_range_past_the_end_is_not_satisfiable(alice, path, header):
    answer = alice.get(path, Range=header)
    assert answer.status == 416
    assert answer.headers["content-range"] == f"bytes */{len(DATA)}"


@pytest.mark.parametrize("header", ["bytes=0-1,5-6", "lines=1-2", "bytes=9-3", "bytes=x-"])
def test_what_is_no_single_range_gives_the_whole(alice, path, header):
    answer = alice.get(path, Range=header)
    assert (answer.status, answer.body) == (200, DATA)


def test_a_blob_known_by_its_etag_is_not_sent_again(alice, path):
    answer = alice.get(path, If_None_Match=f'"{digest(DATA)}"')
    assert (answer.status, answer.body) == (304, b"")


def test_a_range_of_another_etag_gives_the_whole(alice, path):
    assert alice.get(path, Range="bytes=0-1", If_Range='"other"').status == 200
    assert alice.get(path, Range="bytes=0-1", If_Range=f'"{digest(DATA)}"').status == 206


def test_an_empty_blob_is_pushed_and_pulled(alice):
    named = alice.push_blob("alice/blobs", b"")
    assert alice.get(f"/v2/alice/blobs/blobs/{named}").body == b""
    assert alice.get(f"/v2/alice/blobs/blobs/{named}", Range="bytes=0-").status == 416


def test_unknown_blobs_and_bad_digests_are_told_apart(alice):
    answer = alice.get(f"/v2/alice/blobs/blobs/{digest(b'never pushed')}")
    assert (answer.status, answer.code) == (404, "BLOB_UNKNOWN")
    answer = alice.get("/v2/alice/blobs/blobs/sha256:abc")
    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")


def test_a_blob_pushed_elsewhere_is_not_shown_here(alice, bob):
    named = alice.push_blob("alice/blobs", b"only alice's")
    bob.push_blob("bob/blobs", b"something")
    assert bob.get(f"/v2/bob/blobs/blobs/{named}").status == 404


def test_a_blob_is_deleted_once_and_never_while_a_manifest_names_it(alice):
    named = alice.push_blob("alice/blobs", b"to be deleted")
    assert alice.request("DELETE", f"/v2/alice/blobs/blobs/{named}").status == 202
    assert alice.get(f"/v2/alice/blobs/blobs/{named}").status == 404
    assert alice.request("DELETE", f"/v2/alice/blobs/blobs/{named}").code == "BLOB_UNKNOWN"
    alice.image("alice/held")
    answer = alice.request("DELETE", f"/v2/alice/held/blobs/{digest(b'one top' * 20)}")
    assert (answer.status, answer.code) == (405, "UNSUPPORTED")


def test_a_large_blob_survives_the_way_through_sendfile(alice):
    data = bytes(1024) * 5000 + b"end"
    named = alice.push_blob("alice/blobs", data)
    assert digest(alice.get(f"/v2/alice/blobs/blobs/{named}").body) == named


def test_ranges_are_read_as_rfc_9110_says():
    assert wanted_range("", 10) is None
    assert wanted_range("bytes=0-", 0) == (0, 0)
    assert wanted_range("bytes=2-4", 10) == (2, 3)
    assert wanted_range("bytes=-", 10) is None
