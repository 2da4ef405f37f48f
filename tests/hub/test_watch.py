"""Around every request: its id, its line, its place in the metrics."""

import io

import pytest
from tests.hub.clients import PASSWORD, Client, digest
from tests.hub.raw import exchange

from lamina.hub import Hub, HubSettings
from lamina.hub.logs import json_lines
from lamina.hub.watch import route_of
from lamina.spec.wire import decode


def test_every_answer_has_an_id_and_an_error_tells_it(nobody, alice):
    answer = nobody.get("/v2/nobody/app/manifests/v1")
    assert answer.status == 401
    assert answer.json["errors"][0]["detail"]["request_id"] == answer.headers["x-request-id"]
    blob = alice.push_blob("alice/watched", b"some bytes")
    seen = {
        alice.get(path).headers["x-request-id"]
        for path in ("/", "/v2/", "/static/none", f"/v2/alice/watched/blobs/{blob}", "/healthz")
    }
    assert len(seen) == 5


def test_the_id_of_a_proxy_is_kept_where_it_is_a_plain_word(tmp_path):
    settings = HubSettings(root=str(tmp_path), port=0, shutdown_s=1, proxies=("127.0.0.0/8",))
    with Hub(settings=settings) as hub:
        proxy = Client(hub.address)
        answer = proxy.get("/v2/", X_Request_Id="trace-1.2:3")
        assert answer.headers["x-request-id"] == "trace-1.2:3"
        for strange in ("a b", 'quo"te', "x" * 129, "<script>", ""):
            given = proxy.get("/v2/", X_Request_Id=strange).headers["x-request-id"]
            assert given not in ("", strange)


def test_the_id_of_anyone_else_is_written_beside_ours(tmp_path):
    out = io.StringIO()
    with json_lines(out), Hub(root=str(tmp_path)) as hub:
        for given in ("trace-1.2:3", "<script>"):
            answer = Client(hub.address).get("/healthz", X_Request_Id=given)
            assert answer.headers["x-request-id"] != given
    lines = [line for line in map(decode, out.getvalue().splitlines()) if "path" in line]
    assert [line.get("client_request_id") for line in lines] == ["trace-1.2:3", None]
    assert all(line["request_id"] != "trace-1.2:3" for line in lines)


def test_no_answer_tells_what_it_was_made_with(hub, alice):
    alice.image("alice/plain")
    for path in (
        "/",
        "/v2/",
        "/healthz",
        "/static/style.css",
        "/static/none",
        "/v2/alice/plain/manifests/v1",
    ):
        for _ in range(2):  # a manifest's second answer is kept from the first
            assert alice.get(path).headers["server"] == "lamina", path
    assert alice.request("POST", "/healthz").headers["server"] == "lamina"
    answer = exchange(hub, b"NO HTTP AT ALL\r\n\r\n")
    assert b"\r\nServer: lamina\r\n" in answer
    assert b"aiohttp" not in answer
    assert b"Python" not in answer


def test_a_hint_stays_beside_the_id(nobody):
    detail = nobody.request("PUT", "/v2/x/y/manifests/v1", b"{}").json["errors"][0]["detail"]
    assert set(detail) == {"hint", "request_id"}


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/v2/", "ping"),
        ("/v2/a/b/manifests/v1", "manifest"),
        ("/v2/a/blobs/sha256:1", "blob"),
        ("/v2/a/blobs/uploads/", "upload"),
        ("/v2/a/blobs/uploads", "upload"),
        ("/v2/a/blobs/uploads/1", "upload"),
        ("/v2/a/manifests/tags/list", "tags"),
        ("/v2/a/referrers/sha256:1", "referrers"),
        ("/v2/_catalog", "catalog"),
        ("/v2/x", "other"),
        ("/v2/a/b/c", "other"),
        ("/token", "token"),
        ("/readyz", "health"),
        ("/api/v1/register", "api"),
        ("/alice/app/-/tag/v1", "page"),
        ("/", "page"),
        ("*", "page"),
    ],
)
def test_paths_are_of_a_dozen_kinds(path, route):
    assert route_of(path) == route


def test_a_line_says_who_did_what_and_holds_no_secret(tmp_path):
    stream = io.StringIO()
    with json_lines(stream):
        settings = HubSettings(root=str(tmp_path), port=0, shutdown_s=1, proxies=("127.0.0.0/8",))
        with Hub(settings=settings) as hub:
            hub.register("alice", PASSWORD)
            alice = Client(hub.address, "alice")
            data = b"some bytes"
            alice.push_blob("alice/app", data)
            name = f"/v2/alice/app/blobs/{digest(data)}"
            alice.get(name, X_Request_Id="mine", X_Forwarded_For="203.0.113.7", User_Agent="test")
            token = alice.get_token("repository:alice/app:pull").json["token"]
            alice.with_token(token).get("/v2/?secret=hunter2")
            alice.head(name)
            alice.get(name, Range="bytes=0-3")
            alice.request("PROPFIND", "/static/none")
    rows = [decode(line) for line in stream.getvalue().splitlines()]
    pushed = next(row for row in rows if row["route"] == "upload")
    assert (pushed["method"], pushed["status"], pushed["received"]) == ("POST", 201, len(data))
    pulled = next(row for row in rows if row.get("request_id") == "mine")
    assert (pulled["path"], pulled["sent"], pulled["account"]) == (name, len(data), "alice")
    assert (pulled["address"], pulled["status"]) == ("203.0.113.7", 200)
    for secret in (PASSWORD, "hunter2", token, "Basic"):
        assert secret not in stream.getvalue()
    counted = hub.services.metrics.render(uploads=0, free=0).splitlines()
    assert 'lamina_hub_requests_total{method="HEAD",route="blob",code="200"} 1' in counted
    assert f'lamina_hub_sent_bytes_total{{route="blob"}} {len(data) + 4}' in counted
    assert f'lamina_hub_received_bytes_total{{route="upload"}} {len(data)}' in counted
    assert 'lamina_hub_requests_total{method="other",route="static",code="404"} 1' in counted
    assert "lamina_hub_requests_in_flight 0" in counted
