"""Docker's token service."""

import time
from urllib.parse import urlencode

import jwt
import pytest
from tests.hub.clients import PASSWORD, Client, document
from tests.hub.raw import connect

from lamina.hub import Hub, HubSettings
from lamina.hub.access import Caller
from lamina.hub.tokens import Tokens, new_key
from lamina.spec.wire import Document


def claims(token: str) -> Document:
    return jwt.decode(token, options={"verify_signature": False})


def post(client: Client, **fields: str):
    body = urlencode(fields).encode()
    return client.request("POST", "/token", body, Content_Type="application/x-www-form-urlencoded")


def test_several_scopes_are_answered_each_by_what_one_may(alice, bob):
    bob.image("bob/public")
    answer = alice.get_token(
        "repository:alice/app:pull,push",
        "repository:bob/public:pull,push",
        "repository:bob/no:pull",
    )
    assert answer.status == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json["token"] == answer.json["access_token"]
    assert answer.json["expires_in"] >= 60
    access = {row["name"]: row["actions"] for row in claims(answer.json["token"])["access"]}
    assert access == {"alice/app": ["pull", "push"], "bob/public": ["pull"], "bob/no": []}


def test_a_token_lets_one_push_and_pull(alice):
    token = alice.get_token("repository:alice/tok:pull,push").json["token"]
    bearer = alice.with_token(token)
    assert bearer.image("alice/tok")
    assert bearer.get("/v2/alice/tok/manifests/v1").status == 200


def test_a_token_for_one_repository_does_not_push_to_another(alice):
    bearer = alice.with_token(alice.get_token("repository:alice/one:pull,push").json["token"])
    answer = bearer.request("POST", "/v2/alice/two/blobs/uploads/")
    assert answer.status == 401
    assert 'scope="repository:alice/two:pull,push"' in answer.headers["www-authenticate"]
    assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]


def test_nobody_gets_a_token_that_pulls_public_images_only(alice, nobody):
    alice.image("alice/pub")
    answer = nobody.get_token("repository:alice/pub:pull,push")
    assert claims(answer.json["token"])["access"][0]["actions"] == ["pull"]
    bearer = nobody.with_token(answer.json["token"])
    assert bearer.get("/v2/alice/pub/manifests/v1").status == 200
    assert bearer.request("POST", "/v2/alice/pub/blobs/uploads/").status == 401


def test_a_wrong_password_is_said_to_be_wrong(hub):
    answer = Client(hub.address, "alice", "not the password").get_token()
    assert (answer.status, answer.code) == (401, "UNAUTHORIZED")
    assert "incorrect username or password" in answer.text
    assert (
        post(Client(hub.address), grant_type="password", username="alice", password="x").status
        == 401
    )


def test_a_refresh_token_takes_the_place_of_the_password(nobody):
    answer = post(
        nobody, grant_type="password", username="alice", password=PASSWORD,
        access_type="offline", client_id="docker", scope="repository:alice/r:pull,push",
    )  # fmt: skip
    refresh = answer.json["refresh_token"]
    assert nobody.with_token(answer.json["access_token"]).image("alice/r")
    again = post(
        nobody, grant_type="refresh_token", refresh_token=refresh, client_id="docker",
        scope="repository:alice/r:pull",
    )  # fmt: skip
    assert (again.status, again.json["refresh_token"]) == (200, refresh)
    bearer = nobody.with_token(again.json["access_token"])
    assert bearer.get("/v2/alice/r/manifests/v1").status == 200
    assert bearer.request("POST", "/v2/alice/r/blobs/uploads/").status == 401


def test_offline_token_by_get_gives_a_refresh_token_to_those_who_are_somebody(alice, nobody):
    assert alice.get_token(offline_token="true", client_id="podman").json["refresh_token"]
    assert "refresh_token" not in nobody.get_token(offline_token="true").json


def test_a_changed_password_ends_refresh_tokens(hub, nobody):
    hub.register("changer", PASSWORD)
    refresh = Client(hub.address, "changer").get_token(offline_token="true").json["refresh_token"]
    hub.services.accounts.set_password("changer", "another long password")
    assert post(nobody, grant_type="refresh_token", refresh_token=refresh).status == 401
    assert Client(hub.address, "changer").get_token().status == 401
    assert Client(hub.address, "changer", "another long password").get_token().status == 200


def test_other_grants_and_large_forms_are_refused(nobody):
    assert post(nobody, grant_type="client_credentials").status == 405
    assert post(nobody, grant_type="password", username="x" * 100_000).status == 400


def test_strange_scopes_are_left_out(alice):
    answer = alice.get_token(
        "repository:../etc:pull", "registry:catalog:*", "x", "repository::pull"
    )
    assert claims(answer.json["token"])["access"] == []


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "eyJhbGciOiJub25lIn0.e30."])
def test_what_is_no_token_of_ours_is_refused(nobody, token):
    assert nobody.request("GET", "/v2/", Authorization=f"Bearer {token}").status == 401


def test_tokens_of_other_algorithms_and_other_keys_are_refused(nobody):
    payload = {
        "iss": "lamina-hub", "aud": "lamina-hub", "sub": "alice", "iat": int(time.time()),
        "exp": int(time.time()) + 60, "access": [], "admin": True,
    }  # fmt: skip
    key = nobody.get("/.well-known/jwks.json").json["keys"][0]
    public = jwt.PyJWK(key).key
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    import base64
    import hashlib
    import hmac

    def part(value: Document) -> bytes:
        return base64.urlsafe_b64encode(document(value)).rstrip(b"=")

    text = part({"alg": "HS256", "kid": key["kid"]}) + b"." + part(payload)
    mark = base64.urlsafe_b64encode(hmac.new(pem, text, hashlib.sha256).digest()).rstrip(b"=")
    none = part({"alg": "none"}) + b"." + part(payload) + b"."
    for forged in (text + b"." + mark, none):
        assert nobody.with_token(forged.decode()).get("/v2/").status == 401
    foreign = Tokens(new_key(), lifetime_s=60, clock=time.time).issue(Caller("alice"), {})
    assert nobody.with_token(foreign.token).get("/v2/").status == 401


def test_a_token_ends_when_its_time_is_over(tmp_path):
    settings = HubSettings(root=str(tmp_path), port=0, token_s=0, shutdown_s=1.0)
    with Hub(settings=settings) as hub:
        client = Client(hub.address)
        answer = client.with_token(client.get_token().json["token"]).get("/v2/")
        assert (answer.status, "too old" in answer.text) == (401, True)


@pytest.mark.parametrize("kind", ["counted", "chunked"])
def test_a_form_may_come_in_any_number_of_pieces(hub, alice, kind):
    fields = {"grant_type": "password", "username": "alice", "password": PASSWORD, "service": "s"}
    form = urlencode(fields).encode()
    length = f"Content-Length: {len(form)}" if kind == "counted" else "Transfer-Encoding: chunked"
    head = f"POST /token HTTP/1.1\r\nHost: {hub.address}\r\nConnection: close\r\n{length}\r\n\r\n"
    pieces = [head.encode(), form[:10], form[10:]]
    if kind == "chunked":  # podman's ends in a packet of its own at times
        chunks = [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces[1:]]
        pieces = [head.encode() + chunks[0], chunks[1], b"0\r\n\r\n"]
    answer = b""
    with connect(hub) as connection:
        for piece in pieces:
            connection.sendall(piece)
            assert alice.get("/healthz").status == 200  # the hub has looked at what came by now
        while more := connection.recv(65536):
            answer += more
    assert answer.startswith(b"HTTP/1.1 200 ")
