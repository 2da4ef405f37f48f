"""What a hub is sent by those who mean it harm, or do not know better."""

import logging
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.hub.clients import INDEX, MANIFEST, Client, digest, document
from tests.hub.conformance.parts import artifact, child
from tests.hub.raw import connect, exchange, head
from tests.hub.repositories import hide
from tests.soaking import sized

from lamina.hub.documents import read_facts
from lamina.hub.errors import ManifestInvalid
from lamina.spec.manifest import MANIFEST_LIMIT

DATA = b"0123456789" * 100


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


@pytest.mark.parametrize(
    "lines",
    [
        ("Content-Length: 5", "Content-Length: 6"),
        ("Content-Length: 5", "Transfer-Encoding: chunked"),
        ("Content-Range: 0-4", "Content-Range: 5-9", "Content-Length: 5"),
        ("Content-Length: -5",),
        ("Content-Length: 5x",),
        ("Transfer-Encoding: gibberish, chunked, gibberish",),
        ("X-Long: " + "x" * 100_000,),
        ("X-Nul: a\0b",),
        ("X Space: a",),
        (": nameless",),
        tuple(f"X-{number}: a" for number in range(1000)),
    ],
)
def test_a_head_that_cannot_be_read_is_refused_and_the_connection_ends(hub, alice, lines):
    place = alice.begin("alice/raw")
    sent = head(alice, "PATCH", place, *lines) + b"hello" + head(alice, "DELETE", place)
    answer = exchange(hub, sent)
    assert status(answer) == 400
    assert answer.count(b"HTTP/1.") == 1
    assert alice.get(place).status == 204


@pytest.mark.parametrize(
    "body", [b"zz\r\nhello\r\n0\r\n\r\n", b"-5\r\nhello\r\n", b"5\r\nhelloX", b"f" * 40]
)
def test_chunks_that_cannot_be_read_end_the_request_and_not_the_upload(hub, alice, body):
    place = alice.begin("alice/raw")
    answer = exchange(
        hub, head(alice, "PATCH", place, "Transfer-Encoding: chunked") + body, hangs_up=True
    )
    assert not answer or status(answer) < 500
    arrived = alice.get(place)
    assert (arrived.status, arrived.headers["range"] in ("0-0", "0-4")) == (204, True)
    assert alice.request("DELETE", place).status == 204


def test_a_body_that_ends_too_soon_leaves_no_blob_and_no_fault_in_the_log(hub, alice, caplog):
    named = digest(DATA)
    for length in (len(DATA) * 2, len(DATA) * 5000):  # whole in memory, and by way of an upload
        path = f"/v2/alice/short/blobs/uploads/?digest={named}"
        exchange(hub, head(alice, "POST", path, f"Content-Length: {length}") + DATA, hangs_up=True)
    exchange(
        hub,
        head(alice, "PUT", "/v2/alice/short/manifests/v1", "Content-Length: 9") + b"{",
        hangs_up=True,
    )
    alice.push_blob("alice/short", b"so that it exists")
    assert alice.head(f"/v2/alice/short/blobs/{named}").status == 404
    assert alice.get("/v2/alice/short/manifests/v1").status == 404
    assert [row for row in caplog.records if row.levelno >= logging.ERROR] == []


def test_a_manifest_that_says_no_length_is_refused_at_the_first_byte_too_many(hub, alice):
    chunk = b" " * (MANIFEST_LIMIT + 1)
    start = head(alice, "PUT", "/v2/alice/large/manifests/v1", "Transfer-Encoding: chunked")
    with connect(hub) as connection:
        connection.sendall(start + f"{len(chunk):x}\r\n".encode() + chunk)  # and no end of it
        answer = connection.recv(65536)
    assert status(answer) == 413


def test_a_body_longer_than_it_says_is_no_part_of_the_blob(hub, alice):
    path = f"/v2/alice/raw/blobs/uploads/?digest={digest(b'hello')}"
    answer = exchange(
        hub, head(alice, "POST", path, "Content-Length: 5") + b"hello world", hangs_up=True
    )
    assert not answer or status(answer) in (201, 400)
    alice.push_blob("alice/raw", b"so that it exists")
    assert alice.head(f"/v2/alice/raw/blobs/{digest(b'hello world')}").status == 404
    kept = alice.get(f"/v2/alice/raw/blobs/{digest(b'hello')}")
    assert (kept.status, kept.body) == (200, b"hello") or kept.status == 404


@pytest.mark.parametrize(
    ("path", "line", "expected"),
    [
        ("/", b"Cookie: lamina_form=\xff", 200),
        ("/signin", b"Cookie: lamina_form=\xed\xa0\x80; lamina_session=\xff\xfe", 200),
        ("/v2/", b"Authorization: Bearer \xff", 401),
        ("/v2/", b"Authorization: Bearer lamina_pat_\xff", 401),
        ("/v2/", b"Authorization: Basic \xff", 401),
    ],
)
def test_bytes_of_no_alphabet_in_a_header_are_no_fault_of_the_hubs(
    hub, path, line, expected, caplog
):
    sent = f"GET {path} HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n".encode()
    assert status(exchange(hub, sent + line + b"\r\n\r\n")) == expected
    assert not [each for each in caplog.records if each.levelno >= logging.ERROR]


@pytest.mark.parametrize("body", [b"form_token=+2AA-", b"name=+2AA-", b"+2AA-=x"])
def test_half_a_sign_in_a_form_is_a_form_that_cannot_be_read(hub, body, caplog):
    lines = (
        "POST /signin HTTP/1.1", "Host: hub", "Connection: close", f"Content-Length: {len(body)}",
        "Content-Type: application/x-www-form-urlencoded; charset=utf-7", "", "",
    )  # fmt: skip
    assert status(exchange(hub, "\r\n".join(lines).encode() + body)) == 403
    assert not [each for each in caplog.records if each.levelno >= logging.ERROR]


def test_one_login_at_a_time(hub, alice, bob):
    login = bob.headers({})["Authorization"]
    answer = exchange(
        hub, head(alice, "GET", "/v2/", f"Authorization: {login}", "Connection: close")
    )
    assert status(answer) == 401


@pytest.mark.parametrize(
    "path",
    [
        "/v2/../../etc/passwd",
        "/v2/%2e%2e/%2e%2e/etc/passwd",
        "/v2/alice/app/blobs/..%2f..%2f..%2fhub.db",
        "/v2/alice/app/blobs/uploads/..%2f..%2fhub.db",
        "/v2/alice/app/blobs/sha256:..%2f..%2fhub.db",
        "/v2/alice/app/manifests/..%5c..%5chub.db",
        "/v2/alice/../secret/manifests/v1",
        "/v2//manifests/v1",
        "/v2/alice//app/tags/list",
        "//v2/alice/app/tags/list/../../../../hub.db",
        "/v2/alice/app%00/tags/list",
        "/v2/alice/app/manifests/v1%0d%0aX-Evil:%20yes",
        "/v2/alice/app/tags/list?n=1&last=%0d%0aX-Evil:%20yes",
        "/v2/alice/app/tags/list?n=1&x=%ff%00%0d%0aX-Evil:%20yes",
        "http://evil.example/v2/alice/app/tags/list",
        "*",
    ],
)
def test_a_tricky_path_leads_nowhere_and_into_no_header(hub, alice, path):
    for tag in ("v1", "v2"):
        alice.image("alice/app", tag)
    for method in ("GET", "PUT", "DELETE"):
        lines = ("Content-Length: 0", "Connection: close")
        answer = exchange(hub, head(alice, method, path, *lines))
        assert status(answer) < 500
        top, _, body = answer.partition(b"\r\n\r\n")
        assert b"\nx-evil" not in top.lower()
        assert b"SQLite format" not in body
        assert b"root:" not in body


def test_what_is_private_and_what_is_missing_cannot_be_told_apart_by_writing(hub, alice, bob):
    named = alice.image("alice/secret")
    blob = digest(b"one top" * 20)
    hide(hub, "alice/secret")
    place = alice.begin("alice/secret").rpartition("/")[2]
    bob.push_blob("bob/own", b"x")
    for method, path in (
        ("PUT", "manifests/v1"),
        ("DELETE", "manifests/v1"),
        ("DELETE", f"manifests/{named}"),
        ("DELETE", f"blobs/{blob}"),
        ("POST", "blobs/uploads/"),
        ("PATCH", f"blobs/uploads/{place}"),
        ("PUT", f"blobs/uploads/{place}?digest={blob}"),
        ("GET", f"blobs/uploads/{place}"),
        ("DELETE", f"blobs/uploads/{place}"),
    ):
        body = b"x" if method in ("PUT", "PATCH") else None
        there, never = (
            bob.request(method, f"/v2/alice/{name}/{path}", body) for name in ("secret", "absent")
        )
        assert there.status == never.status
        assert there.status in (403, 404)
        assert there.unnamed.replace(b"secret", b"absent") == never.unnamed
    tried = [f"mount={blob}&from=alice/{name}" for name in ("secret", "absent")]
    answers = [bob.request("POST", f"/v2/bob/own/blobs/uploads/?{query}") for query in tried]
    assert [answer.status for answer in answers] == [202, 202]
    assert answers[0].headers.keys() == answers[1].headers.keys()


@pytest.mark.parametrize(
    "raw",
    [
        b"[" * 4_000_000,
        b'{"a":' * 600_000 + b"1" + b"}" * 600_000,
        b'{"schemaVersion": 2, "config": {}, "layers": [' + b"[]," * 200_000 + b"[]]}",
        b'{"schemaVersion": ' + b"9" * 4_000_000 + b"}",
        b'{"schemaVersion": 1e999999999}',
        b'{"schemaVersion": NaN}',
        b'{"schemaVersion": 2, "layers": ' + b"0." + b"1" * 1_000_000 + b"}",
        b'"' + b"\\u0000" * 600_000 + b'"',
        b"\x1f\x8b\x08\0\0\0\0\0\0\xff",
        b"\xff\xfe{}",
    ],
)
def test_a_document_made_to_burst_is_refused(alice, raw):
    answer = alice.put_manifest("alice/bombs", "v1", raw)
    assert (answer.status, answer.code) == (400, "MANIFEST_INVALID")
    assert len(answer.body) < 1000


def test_of_a_field_given_twice_the_last_counts_as_clients_read_it(alice):
    raw = artifact(alice, "alice/twice")
    lie = b'{"layers":[{"mediaType":"a/b","digest":"%s","size":1}],' % digest(b"no").encode()
    assert alice.put_manifest("alice/twice", "v1", lie + raw[1:]).status == 201
    assert alice.get("/v2/alice/twice/manifests/v1").body == lie + raw[1:]


def test_an_index_of_ten_thousand_is_taken_and_one_of_as_many_missing_is_refused(alice):
    raw = alice.manifest("alice/wide")
    alice.put_manifest("alice/wide", digest(raw), raw)
    rows = [{**child(raw), "annotations": {"n": str(number)}} for number in range(10_000)]
    index = document({"schemaVersion": 2, "mediaType": INDEX, "manifests": rows})
    assert alice.put_manifest("alice/wide", "v1", index, INDEX).status == 201
    assert alice.get("/v2/alice/wide/manifests/v1").body == index
    for number, row in enumerate(rows):
        row["digest"] = digest(b"%d" % number)
    index = document({"schemaVersion": 2, "mediaType": INDEX, "manifests": rows})
    answer = alice.put_manifest("alice/wide", "v2", index, INDEX)
    assert (answer.status, answer.code) == (400, "MANIFEST_BLOB_UNKNOWN")
    assert len(answer.body) < 16 * 1024


def test_many_who_close_one_upload_at_once_get_one_blob(hub, alice):
    place = alice.begin("alice/race")
    assert alice.request("PATCH", place, DATA).status == 202
    codes: list[int] = []

    def close() -> None:
        path = f"{place}?digest={digest(DATA)}"
        codes.append(Client(hub.address, "alice").request("PUT", path).status)

    threads = [threading.Thread(target=close) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 201 in codes
    assert set(codes) <= {201, 404}
    assert alice.get(f"/v2/alice/race/blobs/{digest(DATA)}").body == DATA


def test_a_body_that_stalls_keeps_nobody_else_waiting(hub, alice):
    place = alice.begin("alice/stall")
    connections = [connect(hub) for _ in range(50)]
    try:
        for connection in connections:
            path = f"/v2/alice/stall/blobs/uploads/?digest={digest(DATA)}"
            connection.sendall(head(alice, "POST", path, "Content-Length: 1000000") + b"x")
        assert alice.get(place).status == 204
        assert alice.image("alice/stall")
    finally:
        for connection in connections:
            connection.close()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
    | st.sampled_from([MANIFEST, INDEX, digest(b"{}"), "a/b"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
DESCRIPTOR = st.fixed_dictionaries(
    {},
    optional={
        "mediaType": VALUES, "digest": st.just(digest(b"{}")) | VALUES, "size": st.just(2) | VALUES,
        "platform": VALUES | st.dictionaries(st.sampled_from(["os", "architecture", "variant"]), VALUES),
        "urls": VALUES, "annotations": VALUES, "artifactType": VALUES, "data": VALUES,
    },
)  # fmt: skip
DOCUMENTS = st.fixed_dictionaries(
    {"schemaVersion": st.just(2)},
    optional={
        "mediaType": st.sampled_from([MANIFEST, INDEX]) | VALUES, "artifactType": VALUES,
        "config": DESCRIPTOR | VALUES, "layers": st.lists(DESCRIPTOR, max_size=3) | VALUES,
        "manifests": st.lists(DESCRIPTOR, max_size=3) | VALUES, "subject": DESCRIPTOR | VALUES,
        "annotations": VALUES,
    },
)  # fmt: skip


@settings(max_examples=sized(80, 20_000), deadline=None)
@given(DOCUMENTS, st.sampled_from(["", MANIFEST, INDEX, "a/b"]))
def test_any_document_is_read_or_refused_in_words(fields, kind):
    try:
        facts = read_facts(document(fields), kind)
    except ManifestInvalid:
        return
    assert "/" in facts.media_type
    assert "".join((facts.media_type, facts.artifact_type, *facts.platforms)).isprintable()
