"""The distribution API as a whole: the base check, unknown paths, and who may do what."""

import pytest
from tests.hub.clients import MANIFEST, PASSWORD, Client, digest
from tests.hub.repositories import hide

from lamina.hub import Hub, HubSettings


def test_base_asks_nobody_for_a_token_on_the_same_host_and_port(hub, nobody):
    answer = nobody.get("/v2/")
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == (
        f'Bearer realm="{hub.url}/token",service="lamina-hub"'
    )
    assert answer.headers["docker-distribution-api-version"] == "registry/2.0"
    assert answer.code == "UNAUTHORIZED"


def test_base_lets_basic_and_tokens_even_of_nobody_pass(alice, nobody):
    assert alice.get("/v2/").status == 200
    assert nobody.with_token(nobody.get_token().json["token"]).get("/v2/").status == 200
    assert Client(alice.address, "alice", "wrong one").get("/v2/").status == 401


def test_unknown_endpoints_and_methods_are_worded_as_the_specification_does(alice):
    assert alice.get("/v2/alice/app/nothing").status == 404
    assert alice.get("/v2/alice/app/nothing").headers["content-type"] == "application/json"
    answer = alice.request("PATCH", "/v2/alice/app/manifests/v1")
    assert (answer.status, answer.code) == (405, "UNSUPPORTED")


@pytest.mark.parametrize("name", ["Alice/app", "alice", "alice//app", "alice/.app", "alice/../bob"])
def test_names_outside_the_grammar_are_refused(alice, name):
    answer = alice.request("POST", f"/v2/{name}/blobs/uploads/")
    assert (answer.status, answer.code) == (400, "NAME_INVALID")


def test_a_plain_push_by_a_stranger_is_denied_and_by_nobody_challenged(nobody, bob):
    answer = bob.request("POST", "/v2/alice/app/blobs/uploads/")
    assert (answer.status, answer.code) == (403, "DENIED")
    answer = nobody.request("POST", "/v2/alice/app/blobs/uploads/")
    assert (answer.status, answer.code) == (401, "UNAUTHORIZED")
    assert answer.headers["www-authenticate"].endswith(',scope="repository:alice/app:pull,push"')


def test_a_head_of_a_blob_asks_for_a_token_that_can_push_too(nobody):
    answer = nobody.head(f"/v2/alice/new/blobs/{digest(b'x')}")
    assert answer.headers["www-authenticate"].endswith(',scope="repository:alice/new:pull,push"')


def test_the_admin_may_push_anywhere(chief):
    assert chief.image("alice/given")


def test_public_images_are_pulled_without_login_and_without_token(alice, nobody):
    named = alice.image("alice/open")
    assert nobody.get("/v2/alice/open/manifests/v1").headers["docker-content-digest"] == named
    assert nobody.get("/v2/alice/open/tags/list").json == {"name": "alice/open", "tags": ["v1"]}


def test_a_private_repository_looks_like_none_to_everyone_else(hub, alice, bob, nobody):
    alice.image("alice/secret")
    hide(hub, "alice/secret")
    assert alice.get("/v2/alice/secret/manifests/v1").status == 200
    paths = {"manifests/v1": 404, "tags/list": 404, f"blobs/{digest(b'')}": 404}
    for path, unknown in (paths | {f"referrers/{digest(b'')}": 200}).items():
        for who, status in ((bob, unknown), (nobody, 401)):
            there = who.get(f"/v2/alice/secret/{path}")
            never = who.get(f"/v2/alice/absent/{path}")
            assert there.status == never.status == status
            assert there.unnamed.replace(b"secret", b"absent") == never.unnamed
    assert "alice/secret" in alice.get("/v2/_catalog?n=1000").json["repositories"]
    assert "alice/secret" not in bob.get("/v2/_catalog?n=1000").json["repositories"]


def test_a_blob_of_a_private_repository_cannot_be_mounted_by_a_stranger(hub, alice, bob):
    named = alice.push_blob("alice/vault", b"private bytes")
    hide(hub, "alice/vault")
    for source in ("&from=alice/vault", ""):
        answer = bob.request("POST", f"/v2/bob/copy/blobs/uploads/?mount={named}{source}")
        assert answer.status == 202
    assert bob.head(f"/v2/bob/copy/blobs/{named}").status == 404


def test_a_hello_of_tls_on_plain_http_is_answered_by_an_http_status_line(hub):
    import socket

    host, _, port = hub.address.partition(":")
    with socket.create_connection((host, int(port)), timeout=100) as connection:
        connection.sendall(bytes.fromhex("1603010200010001fc0303") + bytes(500))
        assert connection.recv(64).startswith(b"HTTP/1.")


def test_answers_are_never_compressed_whatever_the_client_accepts(alice):
    named = alice.image("alice/plain")
    for path in (f"manifests/{named}", f"blobs/{digest(b'one top' * 20)}"):
        answer = alice.get(f"/v2/alice/plain/{path}", Accept_Encoding="gzip, zstd")
        assert answer.status == 200
        assert "content-encoding" not in answer.headers


def test_many_accept_headers_still_give_the_manifest(hub, alice):
    import http.client

    alice.image("alice/accepting")
    connection = http.client.HTTPConnection(hub.address, timeout=100)
    connection.putrequest("GET", "/v2/alice/accepting/manifests/v1")
    for kind in ("application/vnd.docker.distribution.manifest.v2+json", MANIFEST):
        connection.putheader("Accept", kind)
    connection.endheaders()
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("Content-Type")) == (200, MANIFEST)
    answer.read()
    connection.close()


def test_a_read_only_hub_gives_what_it_has_and_says_why_it_takes_nothing(tmp_path):
    with Hub(root=str(tmp_path)) as hub:
        hub.register("alice", PASSWORD)
        named = Client(hub.address, "alice").image("alice/app")
    words = "moving until 18:00"
    settings = HubSettings(root=str(tmp_path), port=0, shutdown_s=1, read_only=words)
    with Hub(settings=settings) as hub:
        alice = Client(hub.address, "alice")
        assert alice.get("/v2/").status == 200
        assert digest(alice.get("/v2/alice/app/manifests/v1").body) == named
        assert alice.get_token("repository:alice/app:pull").status == 200
        for method, path in (
            ("POST", "/v2/alice/app/blobs/uploads/"),
            ("PUT", "/v2/alice/app/manifests/v1"),
            ("DELETE", "/v2/alice/app/manifests/v1"),
            ("DELETE", f"/v2/alice/app/manifests/{named}"),
        ):
            answer = alice.request(method, path)
            assert (answer.status, answer.code) == (405, "UNSUPPORTED")
            assert answer.json["errors"][0]["message"] == f"the hub is read-only: {words}"
        assert digest(alice.get("/v2/alice/app/manifests/v1").body) == named
