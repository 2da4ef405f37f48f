"""Personal access tokens by JSON."""

import pytest
from tests.hub.clients import PASSWORD, Client, document

TOKENS = "/api/v1/tokens"


def post(client, **fields):
    return client.request("POST", TOKENS, document(fields), Content_Type="application/json")


def test_a_token_is_made_listed_without_its_bits_used_and_revoked(alice, hub):
    made = post(alice, name="ci", actions=["push"], targets=["alice"], expires_in_days=30)
    assert (made.status, made.headers["cache-control"]) == (201, "no-store")
    token, token_id = made.json["token"], made.json["id"]
    assert made.json["actions"] == ["pull", "push"]
    listed = alice.get(TOKENS)
    assert token not in listed.text
    row = next(each for each in listed.json["tokens"] if each["id"] == token_id)
    assert (row["name"], row["targets"], row["used_at"]) == ("ci", ["alice"], None)
    assert row["expires_at"] > row["created_at"]
    holder = Client(hub.address, "alice", token)
    assert holder.get("/v2/").status == 200
    assert alice.request("DELETE", f"{TOKENS}/{token_id}").status == 204
    assert alice.request("DELETE", f"{TOKENS}/{token_id}").status == 404
    assert holder.get("/v2/").status == 401


def test_nobody_a_wrong_password_and_a_short_token_make_none(alice, nobody, hub):
    short = alice.get_token("repository:alice/app:pull,push").json["token"]
    for client in (nobody, Client(hub.address, "alice", "wrong one"), nobody.with_token(short)):
        for answer in (post(client, name="x", actions=["pull"]), client.get(TOKENS)):
            assert answer.status == 401
            assert answer.headers["www-authenticate"].startswith("Basic")


def test_a_token_neither_makes_nor_lists_nor_ends_tokens(alice, hub):
    made = post(alice, name="narrow", actions=["pull"]).json
    for client in (Client(hub.address, "alice", made["token"]), alice.with_token(made["token"])):
        assert post(client, name="wide", actions=["push"]).status == 403
        assert client.get(TOKENS).status == 403
        assert client.request("DELETE", f"{TOKENS}/{made['id']}").status == 403


def test_nobody_ends_tokens_of_another(alice, bob):
    made = post(alice, name="mine", actions=["pull"]).json
    assert bob.request("DELETE", f"{TOKENS}/{made['id']}").status == 404
    assert made["id"] not in bob.get(TOKENS).text
    assert made["id"] in alice.get(TOKENS).text


def test_the_login_that_docker_keeps_in_place_of_a_password_will_do(hub, nobody):
    hub.register("refresher", PASSWORD)
    client = Client(hub.address, "refresher")
    refresh = client.get_token(offline_token="true").json["refresh_token"]
    assert post(nobody.with_token(refresh), name="x", actions=["pull"]).status == 201


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b'{"name": 1}',
        b'{"name": "x", "actions": "pull"}',
        b'{"name": "x", "actions": ["pull"], "targets": [1]}',
        b'{"name": "x", "actions": ["pull"], "expires_in_days": true}',
        b'{"name": "x", "actions": ["pull"], "expires_in_days": 1e99}',
        b'{"name": "x", "actions": ["fly"]}',
        b'{"name": "\\ud800", "actions": ["pull"]}',
    ],
)
def test_what_is_no_wish_is_refused_with_words(alice, body):
    answer = alice.request("POST", TOKENS, body, Content_Type="application/json")
    assert (answer.status, bool(answer.json["error"])) == (400, True)


def test_forms_of_other_sites_are_refused(alice):
    answer = alice.request("POST", TOKENS, b'{"name":"x"}', Content_Type="text/plain")
    assert answer.status == 400
