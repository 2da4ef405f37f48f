"""Webhooks by JSON."""

import pytest
from tests.hub.clients import Client, document

HOOKS = "/api/v1/webhooks"
URL = "https://hooks.example/x?a=b"


def post(client, path=HOOKS, **fields):
    return client.request("POST", path, document(fields), Content_Type="application/json")


def change(client, path, **fields):
    return client.request("PATCH", path, document(fields), Content_Type="application/json")


def test_a_webhook_is_made_listed_without_its_secret_changed_and_deleted(alice):
    made = post(alice, scope="alice", url=URL, events=["delete", "push"])
    assert (made.status, made.headers["cache-control"]) == (201, "no-store")
    secret, path = made.json["secret"], f"{HOOKS}/{made.json['id']}"
    assert made.json["events"] == ["push", "delete"]
    listed = alice.get(f"{HOOKS}?scope=alice")
    assert secret not in listed.text
    assert [each["url"] for each in listed.json["webhooks"]] == [URL]
    assert alice.get(HOOKS).json == listed.json
    assert change(alice, path, is_active=False).status == 204
    assert alice.get(path).json["is_active"] is False
    assert alice.request("DELETE", path).status == 204
    for answer in (
        alice.get(path),
        alice.request("DELETE", path),
        change(alice, path, is_active=True),
    ):
        assert answer.status == 404


def test_a_receivers_own_secret_is_taken(alice):
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    made = post(alice, scope="alice", url=URL, events=["pull"], secret=secret).json
    assert made["secret"] == secret
    alice.request("DELETE", f"{HOOKS}/{made['id']}")


def test_a_test_and_a_repetition_stand_in_the_log(alice):
    made = post(alice, scope="alice", url=URL, events=["push"]).json
    path = f"{HOOKS}/{made['id']}"
    assert alice.request("POST", f"{path}/test").status == 202
    (first,) = alice.get(path).json["deliveries"]
    assert (first["event"], first["subject"]) == ("test", "alice")
    assert '"action":"test"' in first["body"]
    assert alice.request("POST", f"{path}/deliveries/{first['id']}").status == 202
    log = alice.get(path).json["deliveries"]
    assert {each["event_id"] for each in log} == {first["event_id"]}
    assert len(log) == 2
    assert alice.request("POST", f"{path}/deliveries/absent").status == 404
    alice.request("DELETE", path)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"scope": 1, "url": URL, "events": ["push"]}, "must be a string"),
        ({"scope": "alice", "url": URL, "events": "push"}, "list of strings"),
        ({"scope": "alice", "url": "http://10.0.0.1/", "events": ["push"]}, "private network"),
        ({"scope": "alice", "url": URL, "events": []}, "Choose what"),
    ],
)
def test_what_is_wrong_is_said(alice, fields, said):
    answer = post(alice, **fields)
    assert (answer.status, said in answer.json["error"]) == (400, True)


def test_what_is_no_json_or_no_flag_is_refused(alice):
    assert alice.request("POST", HOOKS, b"x=y").status == 400
    made = post(alice, scope="alice", url=URL, events=["push"]).json
    assert change(alice, f"{HOOKS}/{made['id']}", is_active="yes").status == 400
    alice.request("DELETE", f"{HOOKS}/{made['id']}")


def test_nobody_a_stranger_and_an_access_token_see_and_change_nothing(hub, alice, bob, nobody):
    made = post(alice, scope="alice", url=URL, events=["push"]).json
    path = f"{HOOKS}/{made['id']}"
    asked = ((("GET"), f"{HOOKS}?scope=alice"), ("GET", path), ("POST", f"{path}/test"),
             ("DELETE", path))  # fmt: skip
    token = hub.services.access_tokens.create("alice", "hooks", actions=["pull", "push"])[0]
    for client, status in (
        (nobody, 401), (bob, 404), (Client(hub.address, "alice", token), 403),
        (nobody.with_token(token), 403),
    ):  # fmt: skip
        for method, where in asked:
            assert client.request(method, where).status == status, (method, where)
        assert post(client, scope="alice", url=URL, events=["push"]).status == status
    assert len(alice.get(f"{HOOKS}?scope=alice").json["webhooks"]) == 1
    alice.request("DELETE", path)


def test_deeds_stand_in_the_audit_log(hub, alice):
    made = post(alice, scope="alice", url=URL, events=["push"]).json
    alice.request("DELETE", f"{HOOKS}/{made['id']}")
    found = hub.services.database.read(
        lambda connection: connection.execute(
            "SELECT action FROM audit WHERE subject = ? ORDER BY id", (f"alice {made['id']}",)
        ).fetchall()
    )
    assert [row[0] for row in found] == ["create webhook", "delete webhook"]
