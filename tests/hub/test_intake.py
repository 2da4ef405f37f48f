"""Small uploads the short way: the same answers, the same effects, and whatever is wrong said as ever."""

import base64
import io
import os
import socket
import sqlite3
import threading

import pytest
from tests.hub.clients import PASSWORD, Client, digest
from tests.hub.lines import Line, a_hub_beside, head
from tests.hub.raw import exchange

from lamina.hub import Hub, HubSettings, front, openings
from lamina.hub.intake import LARGEST
from lamina.hub.logs import json_lines
from lamina.spec.wire import decode

UPLOADS = "/v2/alice/small/blobs/uploads/"


def basic(name: str, password: str = PASSWORD) -> str:
    return "Authorization: Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


ALICE = basic("alice")


def ask(line: Line, method: str, path: str, *lines: str, body: bytes = b"", login: str = ALICE):
    """Send a request in one piece."""
    given = (login, *lines) if login else lines
    length = f"Content-Length: {len(body)}"
    line.socket.sendall(head(path, *given, length, method=method) + body)
    return line.answer(method)


def begin(line: Line, *lines: str, path: str = UPLOADS, login: str = ALICE) -> str:
    status, fields, _ = ask(line, "POST", path, *lines, login=login)
    assert status == 202
    return str(fields["location"])


def named(place: str, data: bytes) -> str:
    return f"{place}?digest={digest(data)}"


@pytest.fixture(scope="module")
def hub(without_chores, hub: Hub) -> Hub:
    """The hub of all tests, and what it knows it goes on knowing."""
    return hub


@pytest.fixture
def long_way(hub, monkeypatch) -> list[str]:
    """What went the long way: requests that aiohttp was given."""
    went: list[str] = []
    handle = front.Front._handle_request

    async def noted(self, request, *more):
        went.append(f"{request.method} {request.path}")
        return await handle(self, request, *more)

    monkeypatch.setattr(front.Front, "_handle_request", noted)
    return went


@pytest.fixture(scope="module", autouse=True)
def checked(alice, bob):
    """Passwords that were checked a moment ago: with others one goes the long way first."""
    for client in (alice, bob):
        assert client.get("/v2/").status == 200


def rows(hub: Hub, table: str) -> int:
    return int(
        hub.services.database.read(
            lambda connection: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        )
    )


def test_both_ways_answer_alike_and_keep_the_same(hub, alice, long_way):
    said, place = [], ""
    with Line(hub) as line:
        for number, strange in enumerate(((), ("If-Match: x",))):
            data = b"bytes of way %d" % number
            begun = ask(line, "POST", UPLOADS, *strange)
            place = begun[1]["location"]
            kept = ask(line, "PUT", named(place, data), *strange, body=data)
            upload = place.rpartition("/")[2]
            said.append(
                [
                    (status, {key: value.replace(upload, "ID").replace(digest(data), "DIGEST")
                              for key, value in fields.items() if key not in ("date", "x-request-id")}, body)
                    for status, fields, body in (begun, kept)
                ]
            )  # fmt: skip
            assert alice.get(f"/v2/alice/small/blobs/{digest(data)}").body == data
    assert said[0] == said[1]
    assert [each for each in long_way if each.startswith("P")] == [
        f"POST {UPLOADS}", f"PUT {place}"
    ]  # fmt: skip


def test_a_blob_may_come_with_the_request_that_begins_it(hub, alice, long_way):
    data = b"at once"
    with Line(hub) as line:
        status, fields, _ = ask(line, "POST", named(UPLOADS, data).replace(":", "%3A"), body=data)
        assert (status, fields["docker-content-digest"]) == (201, digest(data))
        large = os.urandom(LARGEST + 1)
        assert ask(line, "POST", named(UPLOADS, large), body=large)[0] == 201
    assert [each for each in long_way if each.startswith("P")] == [f"POST {UPLOADS}"]
    for each in (data, large):
        assert alice.get(f"/v2/alice/small/blobs/{digest(each)}").body == each


def test_a_token_is_enough_and_what_it_does_not_allow_is_refused(hub, alice, long_way):
    data = b"by token"
    logins = [
        f"Authorization: Bearer {alice.get_token(scope).json['token']}"
        for scope in ("repository:alice/small:pull,push", "repository:alice/small:pull")
    ]
    with Line(hub) as line:
        for login, status in zip(logins, (202, 401), strict=True):
            assert ask(line, "POST", UPLOADS, login=login)[0] == status
        long_way.clear()
        place = begin(line, login=logins[0])
        assert not long_way
        assert ask(line, "PUT", named(place, data), body=data, login=logins[1])[0] == 401
        assert ask(line, "PUT", named(place, data), body=data, login=logins[0])[0] == 201


@pytest.mark.parametrize(
    ("login", "path", "status", "code"),
    [
        ("", UPLOADS, 401, "UNAUTHORIZED"),
        (basic("alice", "wrong password"), UPLOADS, 401, "UNAUTHORIZED"),
        ("Authorization: Basic ====", UPLOADS, 401, "UNAUTHORIZED"),
        ("Authorization: Other x", UPLOADS, 401, "UNAUTHORIZED"),
        (basic("bob"), UPLOADS, 403, "DENIED"),
        (ALICE, "/v2/small/blobs/uploads/", 400, "NAME_INVALID"),
        (ALICE, "/v2/Alice/small/blobs/uploads/", 400, "NAME_INVALID"),
        (ALICE, UPLOADS + "?digest=sha256:beef", 400, "DIGEST_INVALID"),
        (ALICE, UPLOADS + "?digest=md5:" + 32 * "a", 400, "DIGEST_INVALID"),
    ],
)
def test_who_may_not_begin_is_told_why(hub, login, path, status, code):
    with Line(hub) as line:
        for _ in range(2):
            got, fields, body = ask(line, "POST", path, login=login, body=b"x" * ("?" in path))
            assert (got, decode(body)["errors"][0]["code"]) == (status, code)
            assert ("www-authenticate" in fields) == (status == 401)
            assert decode(body)["errors"][0]["detail"]["request_id"] == fields["x-request-id"]


def test_bytes_that_are_not_what_they_should_be_are_refused_and_their_upload_ends(hub, alice):
    with Line(hub) as line:
        place = begin(line)
        status, _, body = ask(line, "PUT", named(place, b"right"), body=b"wrong")
        assert (status, decode(body)["errors"][0]["code"]) == (400, "DIGEST_INVALID")
        status, _, body = ask(line, "PUT", named(place, b"right"), body=b"right")
        assert (status, decode(body)["errors"][0]["code"]) == (404, "BLOB_UPLOAD_UNKNOWN")
    assert alice.get(f"/v2/alice/small/blobs/{digest(b'right')}").status == 404


def test_an_upload_is_ended_once(hub, alice):
    data = b"once only"
    with Line(hub) as line:
        place = begin(line)
        assert ask(line, "PUT", named(place, data), body=data)[0] == 201
        for method, path in (("PUT", named(place, data)), ("PATCH", place), ("GET", place)):
            sent = data if method != "GET" else b""
            assert ask(line, method, path, body=sent)[0] == 404
        for end in ("DELETE", "PATCH"):
            place = begin(line)
            assert ask(line, "GET", place)[:2][0] == 204
            assert ask(line, end, place, body=b"once " * (end == "PATCH"))[0] in (202, 204)
            status = ask(line, "PUT", named(place, data), body=data[5:])[0]
            assert status == (404 if end == "DELETE" else 201)
        place = begin(line)
        assert ask(line, "PUT", named(place.replace("small", "other"), data), body=data)[0] == 404
        strange = place[:-1] + ("0" if place[-1] != "0" else "1")
        assert ask(line, "PUT", named(strange, data), body=data)[0] == 404
    assert alice.get(f"/v2/alice/small/blobs/{digest(data)}").body == data


def test_an_upload_has_one_spelling_and_none_that_no_file_can_have_as_its_name(hub):
    data = b"by one name"
    with Line(hub) as line:
        upload = begin(line).rpartition("/")[2]
        spellings = (300 * "-" + upload, f"{{{upload}}}", f"urn:uuid:{upload}", upload.replace("-", ""))  # fmt: skip
        for spelled in spellings:
            assert ask(line, "PUT", named(UPLOADS + spelled, data), body=data)[0] == 404
        assert ask(line, "PUT", named(UPLOADS + upload, data), body=data)[0] == 201
    hub.services.intake.settle()


def test_what_was_begun_in_one_process_goes_on_in_another_and_after_a_stop(hub, tmp_path):
    data = b"from one to the other"
    with a_hub_beside(hub, hub.services.clock) as other, Line(hub) as here, Line(other) as there:
        Client(other.address, "alice").get("/v2/")
        place = begin(here)
        assert ask(there, "PUT", named(place, data), body=data)[0] == 201
        assert ask(here, "PUT", named(place, data), body=data)[0] == 404
        place = begin(here)
        assert ask(there, "PATCH", place, body=data[:5])[0] == 202
        assert ask(here, "PUT", named(place, data), body=data[5:])[0] == 201
    with Hub(str(tmp_path)) as first:
        first.register("alice", PASSWORD)
        assert Client(first.address, "alice").get("/v2/").status == 200
        with Line(first) as line:
            places = [begin(line) for _ in range(3)]
        assert rows(first, "uploads") == 0
    with Hub(str(tmp_path)) as second:
        assert rows(second, "uploads") == 3
        with Line(second) as line:
            for number, place in enumerate(places):
                body = b"%d" % number
                assert ask(line, "PUT", named(place, body), body=body)[0] == 201


def test_what_rests_has_a_row_and_a_file_and_goes_on_from_there(hub):
    data = b"after a while"
    hub.services.uploads.note_rested(for_s=0)  # what other tests began
    with Line(hub) as line:
        place = begin(line)
        before = rows(hub, "uploads")
        hub.services.uploads.note_rested(for_s=1000)
        assert rows(hub, "uploads") == before
        for _ in range(2):
            hub.services.uploads.note_rested(for_s=0)
            assert rows(hub, "uploads") == before + 1
        upload = place.rpartition("/")[2]
        assert os.path.exists(f"{hub.root}/uploads/{upload}")
        assert ask(line, "PUT", named(place, data), body=data)[0] == 201
        assert rows(hub, "uploads") == before


def test_who_begins_more_than_may_rest_has_rows_at_once(hub, monkeypatch):
    hub.services.uploads.note_rested(for_s=0)  # what other tests began
    monkeypatch.setattr(openings, "_MANY", 2)
    before = rows(hub, "uploads")
    with Line(hub) as line:
        places = [begin(line) for _ in range(5)]
        assert rows(hub, "uploads") == before + 3
        for number, place in enumerate(places):
            data = b"of many %d" % number
            assert ask(line, "PUT", named(place, data), body=data)[0] == 201
    assert rows(hub, "uploads") == before


def test_a_right_that_goes_between_the_two_requests_is_gone(hub, alice):
    data = b"too late"
    with Line(hub) as line:
        place = begin(line)
        hub.services.accounts.set_disabled("alice", is_disabled=True)
        try:
            assert ask(line, "POST", UPLOADS)[0] == 401
            assert ask(line, "PUT", named(place, data), body=data)[0] == 401
        finally:
            hub.services.accounts.set_disabled("alice", is_disabled=False)
        assert ask(line, "PUT", named(place, data), body=data)[0] == 201
        chief = basic("chief")
        Client(hub.address, "chief").get("/v2/")
        place = begin(line, login=chief)
        hub.services.accounts.set_admin("bob", is_admin=True)
        hub.services.accounts.set_admin("chief", is_admin=False)
        try:
            assert ask(line, "PUT", named(place, data), body=data, login=chief)[0] == 403
        finally:
            hub.services.accounts.set_admin("chief", is_admin=True)
            hub.services.accounts.set_admin("bob", is_admin=False)


def test_quotas_read_only_and_caches_are_kept_to(hub, alice, tmp_path):
    data = b"more than may be"
    quotas = hub.services.quotas
    with Line(hub) as line:
        place = begin(line)
        quotas.set("alice", 1)
        try:
            assert ask(line, "POST", UPLOADS)[0] == 403
            assert ask(line, "PUT", named(place, data), body=data)[0] == 403
        finally:
            quotas.remove("alice")
    with Hub(str(tmp_path)) as other:
        other.register("alice", PASSWORD)
    settings = HubSettings(root=str(tmp_path), port=0, shutdown_s=1.0, read_only="it moves")
    with Hub(settings=settings) as other, Line(other) as line:
        assert Client(other.address, "alice").get("/v2/").status == 200
        for path in (UPLOADS, named(UPLOADS, data)):
            status, _, body = ask(line, "POST", path, body=data if "?" in path else b"")
            assert (status, decode(body)["errors"][0]["message"][-8:]) == (405, "it moves")


def test_however_a_body_comes_it_is_the_same_blob(hub, alice, monkeypatch):
    with Line(hub) as line:
        for cuts in ((), (1,), (200,), (400, 401), (600,)):
            data = b"%r " % (cuts,) * 60
            place = begin(line)
            path, length = named(place, data), f"Content-Length: {len(data)}"
            sent = head(path, ALICE, length, method="PUT") + data
            for start, end in zip((0, *cuts), (*cuts, len(sent)), strict=True):
                line.socket.sendall(sent[start:end])
            assert line.answer("PUT")[0] == 201
            assert alice.get(f"/v2/alice/small/blobs/{digest(data)}").body == data
        monkeypatch.setattr(front, "_PATIENCE_S", 0)  # every body is slow
        data = b"slowly"
        start = head(named(begin(line), data), ALICE, "Content-Length: 6", method="PUT")
        line.socket.sendall(start + data[:2])
        upload = start.split(b"?")[0].rpartition(b"/")[2].decode()
        while not hub.services.transfers.active().get(upload):  # aiohttp receives it
            pass
        line.socket.sendall(data[2:])
        assert line.answer("PUT")[0] == 201
    assert alice.get(f"/v2/alice/small/blobs/{digest(data)}").body == data


def test_what_came_of_a_body_that_breaks_off_is_kept(hub, monkeypatch):
    data = b"half of it is here"
    monkeypatch.setattr(front, "_PATIENCE_S", 0)
    with Line(hub) as line:
        place = begin(line)
        upload = place.rpartition("/")[2]
        line.socket.sendall(
            head(named(place, data), ALICE, "Content-Length: 18", method="PUT") + data[:7]
        )
        while hub.services.transfers.active().get(upload) != 7:
            pass
    with Line(hub) as line:
        status, fields, _ = ask(line, "GET", place)
        assert (status, fields["range"]) == (204, "0-6")
        assert ask(line, "PUT", named(place, data), body=data[7:])[0] == 201


def test_requests_that_come_at_once_are_answered_in_turn(hub, alice):
    data, other = b"first", b"second"
    with Line(hub) as line:
        places = [begin(line), begin(line)]
        parts = [
            head(UPLOADS, ALICE, method="POST"),
            head(named(places[0], data), ALICE, "Content-Length: 5", method="PUT") + data,
            head(f"/v2/alice/small/blobs/{digest(data)}"),
            head(named(places[1], b"no"), ALICE, "Content-Length: 6", method="PUT") + other,
            head(named(UPLOADS, other), ALICE, "Content-Length: 6", method="POST") + other,
            head(f"/v2/alice/small/blobs/{digest(other)}"),
        ]
        line.socket.sendall(b"".join(parts))
        got = [line.answer()[::2] for _ in parts]
    assert [status for status, _ in got] == [202, 201, 200, 400, 201, 200]
    assert (got[2][1], got[5][1]) == (data, other)


def test_a_flood_of_requests_waits_in_its_socket_until_the_first_is_done(hub, monkeypatch):
    data = b"behind it comes a lot"
    count = 4000
    with Line(hub) as line:
        place = begin(line)
        first = head(named(place, data), ALICE, f"Content-Length: {len(data)}", method="PUT")
        line.socket.sendall(first + data + head("/v2/", ALICE) * count)
        assert line.answer("PUT")[0] == 201
        assert {line.answer()[0] for _ in range(count)} == {200}


def test_a_flood_of_uploads_waits_in_its_socket_however_many_were_taken(hub, monkeypatch):
    data, count, held = b"%16384d" % 1, 80, []
    gather = front.Front._gather

    def noted(self, taking, come: bytes) -> None:
        gather(self, taking, come)
        held.append(len(taking.data))

    monkeypatch.setattr(front.Front, "_gather", noted)
    with Line(hub) as line:
        one = head(named(UPLOADS, data), ALICE, f"Content-Length: {len(data)}", method="POST")
        sender = threading.Thread(target=line.socket.sendall, args=((one + data) * count,))
        sender.start()
        assert {line.answer("POST")[0] for _ in range(count)} == {201}
        sender.join()
    assert max(held) < 32 * len(data)  # what is read at a time, what may wait, and one


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_who_sends_no_more_is_still_answered(hub, alice, method):
    data = b"the last word"
    alice.push_blob("alice/small", data)
    with Line(hub) as line:
        path = named(begin(line), data)
    sent = head(f"/v2/alice/small/blobs/{digest(data)}", "Range: bytes=0-2")
    if method == "PUT":
        sent = head(path, ALICE, f"Content-Length: {len(data)}", method="PUT") + data
    answer = exchange(hub, sent, hangs_up=True)
    assert answer.startswith(b"HTTP/1.1 201" if method == "PUT" else b"HTTP/1.1 206")
    closing = exchange(hub, head("/v2/", ALICE, "Connection: close"), hangs_up=True)
    assert closing.startswith(b"HTTP/1.1 200")


def test_the_books_are_kept_as_they_are_the_long_way(tmp_path):
    stream = io.StringIO()
    with json_lines(stream), Hub(str(tmp_path)) as hub:
        hub.register("alice", PASSWORD)
        Client(hub.address, "alice").get("/v2/")
        with Line(hub) as line:
            for strange in ((), ("If-Match: x",)):
                data = repr(strange).encode()
                place = begin(line, "User-Agent: t", *strange)
                assert ask(line, "PUT", named(place, data), "User-Agent: t", *strange, body=data)[0] == 201  # fmt: skip
        found = hub.services.metrics.render(uploads=0, free=0).splitlines()
    told = [each for each in map(decode, stream.getvalue().splitlines()) if each.get("agent") == "t"]  # fmt: skip
    own = ("time", "request_id", "duration_ms", "path", "received")
    kept = [{name: value for name, value in each.items() if name not in own} for each in told]
    assert kept[:2] == kept[2:]
    assert [each["account"] for each in kept] == ["alice"] * 4
    assert [each["received"] for each in told] == [0, 2, 0, 16]
    for method, code in (("POST", 202), ("PUT", 201)):
        assert f'lamina_hub_requests_total{{method="{method}",route="upload",code="{code}"}} 2' in found  # fmt: skip
    assert "lamina_hub_requests_in_flight 0" in found
    assert 'lamina_hub_received_bytes_total{route="upload"} 18' in found


def test_a_stop_waits_for_what_is_being_taken_and_says_that_it_was_the_last(tmp_path, monkeypatch):
    monkeypatch.setattr("lamina.hub.databases.sqlite._BUSY_MS", 100_000)  # for the lock held here
    with Hub(settings=HubSettings(root=str(tmp_path), port=0, shutdown_s=100)) as hub:
        hub.register("alice", PASSWORD)
        Client(hub.address, "alice").get("/v2/")
        data = b"as the hub goes"
        database = hub.services.database
        held = sqlite3.connect(f"{tmp_path}/hub.db", isolation_level=None, check_same_thread=False)
        held.execute("PRAGMA busy_timeout = 60000")
        line = Line(hub)
        path = named(begin(line), data)
        held.execute("BEGIN IMMEDIATE")  # the writer waits
        line.socket.sendall(head(path, ALICE, f"Content-Length: {len(data)}", method="PUT") + data)
        while not hub.services.metrics.in_flight:
            pass
        hub._loop.call_soon_threadsafe(hub._stop.set)
        while not stopping(hub):
            pass
        held.execute("COMMIT")
        held.close()
        status, fields, _ = line.answer("PUT")
        assert (status, fields.get("connection")) == (201, "close")
        assert line.socket.recv(10) == b""
        assert database is hub.services.database
        line.socket.close()
    with Hub(str(tmp_path)) as hub:
        assert Client(hub.address).get(f"/v2/alice/small/blobs/{digest(data)}").body == data


def stopping(hub: Hub) -> bool:
    """Tell whether the hub has ceased to listen."""
    host, _, port = hub.address.partition(":")
    try:
        socket.create_connection((host, int(port)), timeout=100).close()
    except (ConnectionRefusedError, ConnectionResetError):
        return True
    return False


def test_a_turn_that_fails_has_kept_nothing_and_all_of_it_goes_the_long_way(
    hub, alice, long_way, monkeypatch
):
    def fail(*_more, **_named):
        raise sqlite3.OperationalError("on purpose")

    data = b"the long way after all"
    with Line(hub) as line:
        place = begin(line)
        monkeypatch.setattr("lamina.hub.tables.pushes.add", fail)
        assert ask(line, "PUT", named(place, data), body=data)[0] == 201
    assert [each for each in long_way if each.startswith("P")] == [f"PUT {place}"]
    assert alice.get(f"/v2/alice/small/blobs/{digest(data)}").body == data
