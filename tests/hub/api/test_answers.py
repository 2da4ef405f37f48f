"""What every route of `/api/v1/` shares: logins, documents, errors."""

import pytest
from tests.hub.clients import Client, document

TOKENS = "/api/v1/tokens"


def test_a_missing_login_is_challenged_for_a_password(nobody, hub):
    for client in (nobody, Client(hub.address, "alice", "wrong one")):
        answer = client.get(TOKENS)
        assert answer.status == 401
        assert answer.headers["www-authenticate"] == 'Basic realm="lamina-hub"'
        assert answer.json["error"]


def test_a_refresh_token_takes_the_passwords_place(alice, nobody):
    fields = {"offline_token": "true", "client_id": "test"}
    refresh = alice.get_token(**fields).json["refresh_token"]
    assert nobody.with_token(refresh).get(TOKENS).status == 200


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"name": "x", "actions": [1]}', b"\xff"])
def test_what_is_no_document_is_a_bad_request(alice, body):
    answer = alice.request("POST", TOKENS, body, Content_Type="application/json")
    assert answer.status == 400
    assert answer.json["error"]


def test_wrong_fields_are_named(alice):
    body = document({"name": "", "actions": []})
    answer = alice.request("POST", TOKENS, body, Content_Type="application/json")
    assert set(answer.json["fields"]) == {"name", "actions"}


@pytest.mark.parametrize(
    "body",
    [
        b'{"name": "\\ud800", "actions": ["pull"]}',
        b'{"name": "x", "actions": ["pull"], "targets": ["\\ud800"]}',
    ],
)
def test_half_letters_are_no_text(alice, body):
    answer = alice.request("POST", TOKENS, body, Content_Type="application/json")
    assert answer.status == 400
    assert "must be" in answer.json["error"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/v1/register"),
        ("POST", "/api/v1/tokens"),
        ("POST", "/api/v1/orgs"),
        ("PATCH", "/api/v1/orgs/acme"),
        ("PUT", "/api/v1/orgs/acme/members/bob"),
        ("POST", "/api/v1/orgs/acme/teams"),
        ("PUT", "/api/v1/repositories/acme/app/roles/accounts/bob"),
        ("PUT", "/api/v1/quotas/of?target=hub"),
        ("POST", "/api/v1/namespaces/chief/robots"),
        ("POST", "/api/v1/namespaces/chief/robots/ci/renew"),
        ("POST", "/api/v1/webhooks"),
        ("PATCH", "/api/v1/webhooks/1"),
        ("POST", "/api/v1/caches"),
        ("POST", "/api/v1/mirrors"),
        ("PUT", "/api/v1/retention/rule?target=hub"),
    ],
)
def test_a_field_that_is_not_known_is_refused_by_its_name(chief, method, path):
    answer = chief.request(method, path, document({"ownr": True}), Content_Type="application/json")
    assert answer.status == 400
    assert "'ownr'" in answer.json["error"]
