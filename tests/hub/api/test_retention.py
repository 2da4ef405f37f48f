"""Retention rules by JSON: who may, what they say, and a dry run."""

import pytest
from tests.hub.clients import Client, document

from lamina.hub.retention_rules import Rule

RULE, PLAN = "/api/v1/retention/rule?target=", "/api/v1/retention/plan?target="


def send(client: Client, method: str, path: str, **fields: object):
    return client.request(method, path, document(fields), Content_Type="application/json")


def test_a_rule_is_tried_set_read_followed_and_removed(hub, alice, chief):
    for tag in ("one", "two"):
        alice.image("alice/kept", tag, seed=tag)
    tried = send(alice, "POST", PLAN + "alice/kept", keep_newest=1)
    assert [each["reference"] for each in tried.json["going"]] == ["one"]
    assert tried.json["going"][0]["why"] == "not among the newest 1"
    assert tried.json["staying"] == 1
    assert alice.get(RULE + "alice/kept").status == 404
    made = send(alice, "PUT", RULE + "alice/kept", keep_newest=1, keep=["v*"])
    assert (made.status, made.json["keep_newest"], made.json["changed_by"]) == (200, 1, "alice")
    assert alice.get(RULE + "alice/kept").json == made.json
    assert made.json in chief.get("/api/v1/retention").json["rules"]
    assert alice.get(PLAN + "alice/kept").json == tried.json
    hub.services.retention.run()
    assert alice.get("/v2/alice/kept/tags/list").json["tags"] == ["two"]
    assert alice.request("DELETE", RULE + "alice/kept").status == 204
    assert alice.request("DELETE", RULE + "alice/kept").status == 404


def test_only_who_may_change_everything_there_sees_and_sets_a_rule(hub, alice, bob, chief, nobody):
    alice.image("alice/ruled")
    for target in ("alice/ruled", "alice"):
        assert send(alice, "PUT", RULE + target, keep_newest=9).status == 200
        assert send(chief, "PUT", RULE + target, keep_newest=9).status == 200
        for client, status in ((bob, 403), (nobody, 401)):
            assert send(client, "PUT", RULE + target, keep_newest=1).status == status
            assert client.get(RULE + target).status == status
            assert client.get(PLAN + target).status == status
            assert client.request("DELETE", RULE + target).status == status
    for client, status in ((alice, 403), (bob, 403), (nobody, 401), (chief, 200)):
        assert send(client, "PUT", RULE + "hub", untagged_days=10**6).status == status
        assert client.get("/api/v1/retention").status == status
    chief.request("DELETE", RULE + "hub")


def test_an_owner_of_an_organisation_rules_it_and_a_member_does_not(hub, alice, bob):
    assert send(alice, "POST", "/api/v1/orgs", name="keepers").status == 201
    path = "/api/v1/orgs/keepers/members/bob"
    assert send(alice, "PUT", path).status in (200, 201, 204)
    assert send(alice, "PUT", RULE + "keepers", keep_newest=9).status == 200
    assert send(bob, "PUT", RULE + "keepers", keep_newest=9).status == 403


def test_an_access_token_sets_none(hub, alice):
    token = send(alice, "POST", "/api/v1/tokens", name="r", actions=["pull", "push", "delete"])
    holder = Client(hub.address, "alice", str(token.json["token"]))
    assert send(holder, "PUT", RULE + "alice", keep_newest=1).status == 403


@pytest.mark.parametrize(
    ("target", "fields", "said"),
    [
        ("alice", {}, "lets nothing go"),
        ("alice", {"keep_newest": "1"}, "whole number"),
        ("alice", {"keep_newest": True}, "whole number"),
        ("alice", {"keep_newest": 10**30}, "must be 1 or more"),
        ("alice", {"only": "pr-*"}, "list"),
        ("alice", {"only": ["a b"]}, "no pattern"),
        ("alice", {"keep_last": 1}, "has no 'keep_last'"),
        ("Alice", {"keep_newest": 1}, "neither a repository nor a namespace"),
        ("", {"keep_newest": 1}, "neither a repository nor a namespace"),
    ],
)
def test_what_is_no_rule_is_refused_with_words(alice, target, fields, said):
    answer = send(alice, "PUT", RULE + target, **fields)
    assert answer.status == 400
    assert said in answer.json["error"]


def test_pages_and_json_say_the_same_rule(hub, alice):
    assert send(alice, "PUT", RULE + "alice", keep_newest=7, only=["pr-*"]).status == 200
    rule = hub.services.retention.rule("alice")
    assert (rule.keep_newest, rule.only) == (7, ("pr-*",))
    assert rule.words == Rule("alice", keep_newest=7, only=("pr-*",)).words
    hub.services.retention.remove("alice")
