"""Organisations, members and teams by JSON."""

import pytest
from tests.hub.clients import Client, document

ORGS = "/api/v1/orgs"


def send(client: Client, method: str, path: str, **fields: object):
    body = document(fields) if fields else None
    return client.request(method, path, body, Content_Type="application/json")


@pytest.fixture(scope="module", autouse=True)
def acme(alice) -> None:
    assert send(alice, "POST", ORGS, name="acme").status == 201


def test_an_organisation_is_made_listed_shown_and_changed(alice):
    made = send(alice, "POST", ORGS, name="shop").json
    assert (made["name"], made["owner"], made["members_role"]) == ("shop", True, "read")
    assert [each["name"] for each in alice.get(ORGS).json["organisations"]] == ["acme", "shop"]
    changed = send(alice, "PATCH", f"{ORGS}/shop", summary="A shop", members_role="none")
    assert changed.status == 204
    assert send(alice, "PATCH", f"{ORGS}/shop", new_private=True).status == 204
    found = alice.get(f"{ORGS}/shop").json
    assert (found["summary"], found["members_role"], found["new_private"]) == (
        "A shop",
        "none",
        True,
    )
    assert send(alice, "DELETE", f"{ORGS}/shop").status == 204
    assert alice.get(f"{ORGS}/shop").status == 404


def test_names_that_are_taken_or_none_are_refused(alice):
    assert send(alice, "POST", ORGS, name="bob").status == 409
    assert send(alice, "POST", ORGS, name="acme").status == 409
    wrong = send(alice, "POST", ORGS, name="No Name")
    assert (wrong.status, set(wrong.json["fields"])) == (400, {"name"})
    assert send(alice, "POST", ORGS, name=7).status == 400
    assert alice.request("POST", ORGS, b"{}").status == 400


def test_members_come_become_owners_and_go(alice, bob):
    path = f"{ORGS}/acme/members/bob"
    assert "members" not in bob.get(f"{ORGS}/acme").json
    assert send(alice, "PUT", path).status == 204
    members = bob.get(f"{ORGS}/acme").json["members"]
    assert [(each["name"], each["owner"]) for each in members] == [("alice", True), ("bob", False)]
    assert send(bob, "PUT", path, owner=True).status == 403
    assert send(bob, "PATCH", f"{ORGS}/acme", summary="mine").status == 403
    assert send(alice, "PUT", path, owner=True).status == 204
    assert send(bob, "PATCH", f"{ORGS}/acme", summary="ours").status == 204
    assert send(bob, "DELETE", path).status == 204
    assert send(bob, "DELETE", path).status == 404
    last = send(alice, "DELETE", f"{ORGS}/acme/members/alice")
    assert (last.status, last.json["error"]) == (409, "acme would have no owner")
    assert send(alice, "PUT", f"{ORGS}/acme/members/nobody").status == 404


def test_a_team_is_made_filled_given_a_role_and_dissolved(alice, bob, hub):
    team = f"{ORGS}/acme/teams/devs"
    assert send(alice, "POST", f"{ORGS}/acme/teams", name="devs").status == 201
    assert send(alice, "POST", f"{ORGS}/acme/teams", name="devs").status == 409
    assert send(alice, "PUT", f"{team}/members/bob").status == 404
    assert bob.get(team).status == 403
    send(alice, "PUT", f"{ORGS}/acme/members/bob")
    assert send(bob, "PUT", f"{team}/members/bob").status == 403
    assert send(alice, "PUT", f"{team}/members/bob").status == 204
    alice.image("acme/app")
    roles = "/api/v1/repositories/acme/app/roles"
    assert send(alice, "PUT", f"{roles}/teams/devs", role="write").status == 204
    assert bob.get(team).json == {
        "name": "devs",
        "members": ["bob"],
        "roles": {"acme/app": "write"},
    }
    bob.image("acme/app", "bobs", seed="bobs")
    assert send(alice, "DELETE", f"{team}/members/bob").status == 204
    assert bob.request("POST", "/v2/acme/app/blobs/uploads/").status == 403
    assert send(alice, "DELETE", f"{team}/members/bob").status == 404
    assert send(alice, "DELETE", team).status == 204
    assert send(alice, "DELETE", team).status == 404
    held = send(alice, "DELETE", f"{ORGS}/acme")
    assert (held.status, "acme/app" in held.json["error"]) == (409, True)


def test_nobody_and_tokens_change_nothing(alice, nobody, hub):
    token, _ = hub.services.access_tokens.create("alice", "ci", actions=["delete"])
    for client, status in ((nobody, 401), (Client(hub.address, "alice", token), 403)):
        assert client.get(ORGS).status == status
        assert send(client, "POST", ORGS, name="theirs").status == status
        assert send(client, "PUT", f"{ORGS}/acme/members/bob", owner=True).status == status
        assert send(client, "DELETE", f"{ORGS}/acme").status == status


def test_what_was_done_is_in_the_audit_log(alice, hub):
    send(alice, "POST", ORGS, name="noted")
    send(alice, "PUT", f"{ORGS}/noted/members/bob", owner=True)
    send(alice, "POST", f"{ORGS}/noted/teams", name="qa")
    send(alice, "PUT", f"{ORGS}/noted/teams/qa/members/bob")
    rows = hub.services.database.read(
        lambda connection: connection.execute(
            "SELECT action, subject FROM audit WHERE account = 'alice' AND subject LIKE '%noted'"
            " ORDER BY id"
        ).fetchall()
    )
    assert [tuple(row) for row in rows] == [
        ("create organisation", "noted"),
        ("make owner", "bob of noted"),
        ("create team", "qa of noted"),
        ("join team", "bob: qa of noted"),
    ]
