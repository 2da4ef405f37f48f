"""Pushing blobs, as the distribution specification 1.1 has it: at once, in chunks, by mounting."""

import pytest
from tests.hub.clients import digest

DATA = b"0123456789" * 300


def test_an_upload_begins_at_a_place_of_its_own_and_is_empty(alice):
    answers = [alice.request("POST", "/v2/alice/up/blobs/uploads/") for _ in range(2)]
    places = {answer.headers["location"] for answer in answers}
    assert [answer.status for answer in answers] == [202, 202]
    assert len(places) == 2
    for answer in answers:
        assert answer.headers["docker-upload-uuid"] in answer.headers["location"]
        assert (answer.headers["range"], answer.headers["content-length"]) == ("0-0", "0")


def test_a_chunk_may_have_any_size_and_no_least_one_is_asked_for(alice):
    answer = alice.request("POST", "/v2/alice/up/blobs/uploads/")
    assert "oci-chunk-min-length" not in answer.headers
    place, first = answer.headers["location"], 0
    for size in (1, 2, 700, 1, len(DATA) - 704):
        span = f"{first}-{first + size - 1}"
        answer = alice.request("PATCH", place, DATA[first : first + size], Content_Range=span)
        first += size
        assert (answer.status, answer.headers["range"]) == (202, f"0-{first - 1}")
        place = answer.headers["location"]
        status = alice.get(place)
        assert (status.status, status.headers["range"]) == (204, f"0-{first - 1}")
    assert alice.request("PUT", f"{place}?digest={digest(DATA)}").status == 201


def test_the_last_chunk_may_come_with_the_closing_request(alice):
    place = alice.begin("alice/up")
    alice.request("PATCH", place, DATA[:1000], Content_Range="0-999")
    span = f"1000-{len(DATA) - 1}"
    path = f"{place}?digest={digest(DATA)}"
    assert alice.request("PUT", path, DATA[1000:], Content_Range=span).status == 201


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
@pytest.mark.parametrize("header", ["5-14", "", "x", "0-", "-9", "\u0661-10", "1" * 30 + "-5"])
def test_a_chunk_nobody_can_place_is_416_with_the_place_to_go_on(alice, method, header):
    place = alice.begin("alice/up")
    alice.request("PATCH", place, DATA[:100], Content_Range="0-99")
    query = f"?digest={digest(DATA)}" if method == "PUT" else ""
    span = header.encode("utf-8").decode("latin-1")
    answer = alice.request(method, place + query, DATA[:10], Content_Range=span)
    assert (answer.status, answer.code) == (416, "BLOB_UPLOAD_INVALID")
    assert (answer.headers["range"], answer.headers["location"]) == ("0-99", place)
    assert alice.get(place).headers["range"] == "0-99"


def test_a_chunk_shorter_than_it_says_is_refused_and_what_came_is_kept(alice):
    place = alice.begin("alice/up")
    answer = alice.request("PATCH", place, iter([DATA[:10]]), Content_Range="0-99")
    assert (answer.status, answer.code) == (400, "SIZE_INVALID")
    assert alice.get(place).headers["range"] == "0-9"
    answer = alice.request("PATCH", place, DATA[10:100], Content_Range="10-99")
    assert (answer.status, answer.headers["range"]) == (202, "0-99")


def test_chunks_of_a_sha512_blob_are_checked_by_sha512(alice):
    named = digest(DATA, "sha512")
    for content, status in ((DATA, 201), (DATA + b"?", 400)):
        place = alice.begin("alice/up")
        place = alice.request("PATCH", place, content[:1000]).headers["location"]
        answer = alice.request("PUT", f"{place}?digest={named}", content[1000:])
        assert answer.status == status
    assert alice.get(f"/v2/alice/up/blobs/{named}").body == DATA
    assert alice.head(f"/v2/alice/up/blobs/{named}").headers["docker-content-digest"] == named


@pytest.mark.parametrize(
    "query",
    [
        "mount=sha256:abc&from=alice/source",
        f"mount=md5:{'0' * 32}&from=alice/source",
        f"mount={digest(b'nobody has this')}&from=alice/source",
        f"mount={digest(b'mounted')}&from=alice/absent",
        f"mount={digest(b'mounted')}&from=Not%20A%20Name",
        f"mount={digest(b'mounted')}&from=alice/a%00b",
        "mount=&from=",
    ],
)
def test_a_mount_that_cannot_be_begins_an_upload(alice, query):
    alice.push_blob("alice/source", b"mounted")
    answer = alice.request("POST", f"/v2/alice/target/blobs/uploads/?{query}")
    assert answer.status == 202
    named = digest(b"x")
    assert alice.request("PUT", f"{answer.headers['location']}?digest={named}", b"x").status == 201


def test_a_mounted_blob_is_there_with_its_digest_and_place(alice, bob):
    named = alice.push_blob("alice/source", b"mounted")
    answer = bob.request("POST", f"/v2/bob/target/blobs/uploads/?mount={named}&from=alice/source")
    assert (answer.status, answer.headers["docker-content-digest"]) == (201, named)
    assert bob.get(answer.headers["location"]).body == b"mounted"


@pytest.mark.parametrize("method", ["GET", "PATCH", "PUT", "DELETE"])
@pytest.mark.parametrize(
    "upload", ["x", "..", "%00", "0" * 36, "5b2f1c9e-0000-4000-8000-000000000000"]
)
def test_an_upload_that_is_not_there_is_404_for_whatever_is_asked(alice, method, upload):
    alice.push_blob("alice/up", b"so that it exists")
    path = f"/v2/alice/up/blobs/uploads/{upload}?digest={digest(b'x')}"
    answer = alice.request(method, path, b"x" if method[0] == "P" else None)
    assert answer.status == 404
    assert upload == ".." or answer.code == "BLOB_UPLOAD_UNKNOWN"
