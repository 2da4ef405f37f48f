"""Uploads over HTTP. Spec: distribution-spec, "Pushing blobs"."""

import socket
import threading
import time

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.hub.clients import Client, digest

DATA = b"0123456789" * 5000


def test_post_then_put_with_the_body_makes_a_blob(alice):
    place = alice.begin("alice/up")
    answer = alice.request("PUT", f"{place}?digest={digest(DATA)}", DATA)
    assert answer.status == 201
    assert answer.headers["location"] == f"/v2/alice/up/blobs/{digest(DATA)}"
    assert answer.headers["docker-content-digest"] == digest(DATA)
    assert alice.get(answer.headers["location"]).body == DATA


def test_one_post_with_the_digest_makes_a_blob(alice):
    answer = alice.request("POST", f"/v2/alice/up/blobs/uploads/?digest={digest(b'x')}", b"x")
    assert answer.status == 201


def test_pieces_in_order_make_a_blob_and_each_answer_says_how_far(alice):
    place = alice.begin("alice/up")
    for first in range(0, len(DATA), 20000):
        piece = DATA[first : first + 20000]
        span = f"{first}-{first + len(piece) - 1}"
        answer = alice.request("PATCH", place, piece, Content_Range=span)
        assert (answer.status, answer.headers["range"]) == (202, f"0-{first + len(piece) - 1}")
        place = answer.headers["location"]
    assert alice.request("PUT", f"{place}?digest={digest(DATA)}").status == 201


def test_a_piece_out_of_order_is_416_with_the_place_to_go_on(alice):
    place = alice.begin("alice/up")
    alice.request("PATCH", place, DATA[:100], Content_Range="0-99")
    answer = alice.request("PATCH", place, DATA[200:300], Content_Range="200-299")
    assert (answer.status, answer.headers["range"]) == (416, "0-99")
    assert answer.headers["location"] == place
    answer = alice.request("PUT", f"{place}?digest={digest(DATA)}", DATA[:9], Content_Range="0-8")
    assert answer.status == 416
    answer = alice.request("PATCH", place, DATA[100:200], Content_Range="100-199")
    assert answer.status == 202
    assert alice.request("PUT", f"{place}?digest={digest(DATA[:200])}").status == 201


def test_a_range_that_disagrees_with_the_length_is_refused(alice):
    place = alice.begin("alice/up")
    answer = alice.request("PATCH", place, b"abc", Content_Range="0-99")
    assert (answer.status, answer.code) == (400, "SIZE_INVALID")


def test_a_body_without_length_is_taken_as_it_streams(alice):
    place = alice.begin("alice/up")
    answer = alice.request("PATCH", place, iter([DATA[:7], DATA[7:]]))
    assert (answer.status, answer.headers["range"]) == (202, f"0-{len(DATA) - 1}")
    place = alice.begin("alice/up")
    answer = alice.request("PUT", f"{place}?digest={digest(DATA)}", iter([DATA]))
    assert answer.status == 201


def test_status_tells_how_far_and_delete_ends_it(alice):
    place = alice.begin("alice/up")
    assert alice.get(place).headers["range"] == "0-0"
    alice.request("PATCH", place, DATA[:100])
    answer = alice.get(place)
    assert (answer.status, answer.headers["range"], answer.headers["location"]) == (
        204, "0-99", place,
    )  # fmt: skip
    assert alice.request("DELETE", place).status == 204
    answer = alice.get(place)
    assert (answer.status, answer.code) == (404, "BLOB_UPLOAD_UNKNOWN")


def test_bytes_that_are_not_what_they_were_called_are_dropped(alice):
    place = alice.begin("alice/up")
    answer = alice.request("PUT", f"{place}?digest={digest(b'other')}", DATA)
    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")
    assert alice.get(place).status == 404
    assert alice.head(f"/v2/alice/up/blobs/{digest(b'other')}").status == 404


def test_put_without_a_digest_or_with_a_strange_one_is_refused(alice):
    place = alice.begin("alice/up")
    for query in ("", "?digest=", "?digest=md5:abc", "?digest=sha256:../../etc"):
        answer = alice.request("PUT", place + query, b"x")
        assert (answer.status, answer.code) == (400, "DIGEST_INVALID")


def test_sha512_is_taken_too(alice):
    named = digest(DATA, "sha512")
    answer = alice.request("POST", f"/v2/alice/up/blobs/uploads/?digest={named}", DATA)
    assert answer.status == 201
    assert alice.get(f"/v2/alice/up/blobs/{named}").body == DATA


def test_a_blob_is_mounted_from_where_one_may_pull(alice, bob):
    named = alice.push_blob("alice/source", b"mount me")
    answer = bob.request("POST", f"/v2/bob/target/blobs/uploads/?mount={named}&from=alice/source")
    assert (answer.status, answer.headers["location"]) == (201, f"/v2/bob/target/blobs/{named}")
    assert bob.get(f"/v2/bob/target/blobs/{named}").body == b"mount me"


def test_mount_without_a_source_finds_one_and_else_begins_an_upload(alice, bob):
    named = alice.push_blob("alice/source", b"discover me")
    assert bob.request("POST", f"/v2/bob/found/blobs/uploads/?mount={named}").status == 201
    missing = digest(b"nobody has this")
    answer = bob.request("POST", f"/v2/bob/found/blobs/uploads/?mount={missing}&from=alice/source")
    assert answer.status == 202
    assert "/blobs/uploads/" in answer.headers["location"]


def test_an_upload_belongs_to_its_repository_and_its_owner(alice, bob):
    place = alice.begin("alice/up")
    assert bob.request("PATCH", place, b"x").status == 403
    elsewhere = place.replace("alice/up", "alice/source")
    alice.push_blob("alice/source", b"so that it exists")
    assert alice.request("PATCH", elsewhere, b"x").code == "BLOB_UPLOAD_UNKNOWN"
    assert alice.request("PATCH", "/v2/alice/up/blobs/uploads/..%2F..%2Fhub.db", b"x").status == 404


def test_what_came_before_a_connection_broke_is_kept_and_the_rest_follows(hub, alice):
    place = alice.begin("alice/broken")
    send_and_hang_up(hub, alice, place, DATA[:30000], promised=len(DATA))
    arrived = int(alice.get(place).headers["range"].removeprefix("0-")) + 1
    assert 0 < arrived <= 30000
    rest = DATA[arrived:]
    answer = alice.request("PATCH", place, rest, Content_Range=f"{arrived}-{len(DATA) - 1}")
    assert answer.status == 202
    assert alice.request("PUT", f"{place}?digest={digest(DATA)}").status == 201


def test_a_client_that_comes_back_takes_over_from_its_hanging_connection(hub, alice):
    place = alice.begin("alice/hanging")
    host, _, port = hub.address.partition(":")
    with socket.create_connection((host, int(port)), timeout=100) as hanging:
        hanging.sendall(head_of("PATCH", place, alice, len(DATA)) + DATA[:1000])
        wait_until_received(hub, 1000)
        assert alice.get(place).headers["range"] == "0-999"
        answer = alice.request("PATCH", place, DATA[1000:], Content_Range=f"1000-{len(DATA) - 1}")
        assert answer.status == 202
    assert alice.request("PUT", f"{place}?digest={digest(DATA)}").status == 201


def test_the_same_blob_pushed_by_many_at_once_is_one_blob(hub, alice):
    data = b"everyone pushes this" * 1000
    codes: list[int] = []

    def push(number: int) -> None:
        path = f"/v2/alice/many{number % 3}/blobs/uploads/?digest={digest(data)}"
        codes.append(Client(hub.address, "alice").request("POST", path, data).status)

    threads = [threading.Thread(target=push, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [201] * 16
    assert alice.get(f"/v2/alice/many0/blobs/{digest(data)}").body == data


@settings(max_examples=15)
@given(st.lists(st.binary(min_size=1, max_size=3000), min_size=1, max_size=6), st.booleans())
def test_any_split_of_an_upload_gives_the_same_blob(alice, pieces, last_in_put):
    place = alice.begin("alice/split")
    whole = b"".join(pieces)
    for piece in pieces[:-1] if last_in_put else pieces:
        place = alice.request("PATCH", place, piece).headers["location"]
    body = pieces[-1] if last_in_put else None
    assert alice.request("PUT", f"{place}?digest={digest(whole)}", body).status == 201


def head_of(method: str, path: str, client: Client, length: int) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", f"Host: {client.address}", f"Content-Length: {length}"]
    lines += [f"{name}: {value}" for name, value in client.headers({}).items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def send_and_hang_up(hub, client: Client, path: str, data: bytes, *, promised: int) -> None:
    host, _, port = hub.address.partition(":")
    with socket.create_connection((host, int(port)), timeout=100) as connection:
        connection.sendall(head_of("PATCH", path, client, promised) + data)
        wait_until_received(hub, 1)


def wait_until_received(hub, size: int) -> None:
    """Until the hub holds that much of the one body on its way: it keeps that, whatever comes."""
    while sum(hub.services.transfers.active().values()) < size:
        time.sleep(0.01)
