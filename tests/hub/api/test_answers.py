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
