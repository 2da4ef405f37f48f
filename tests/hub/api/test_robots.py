"""Robots of a namespace by JSON."""

from tests.hub.clients import Client, document

ROBOTS = "/api/v1/namespaces/alice/robots"


def post(client: Client, path: str, **fields: object):
    return client.request("POST", path, document(fields), Content_Type="application/json")


def test_a_robot_is_made_listed_without_its_token_used_renewed_and_revoked(alice, hub):
    made = post(alice, ROBOTS, name="ci", actions=["push"], expires_in_days=30)
    assert (made.status, made.headers["cache-control"]) == (201, "no-store")
    token = str(made.json["token"])
    assert (made.json["login"], made.json["actions"]) == ("alice+ci", ["pull", "push"])
    listed = alice.get(ROBOTS)
    assert token not in listed.text
    (row,) = listed.json["robots"]
    assert (row["name"], row["created_by"], row["used_at"]) == ("ci", "alice", None)
    robot = Client(hub.address, "alice+ci", token)
    robot.image("alice/app")
    renewed = post(alice, f"{ROBOTS}/ci/renew", expires_in_days=None).json
    assert renewed["expires_at"] is None
    assert robot.get("/v2/").status == 401
    fresh = Client(hub.address, "alice+ci", str(renewed["token"]))
    assert fresh.get("/v2/").status == 200
    assert alice.request("DELETE", f"{ROBOTS}/ci").status == 204
    assert alice.request("DELETE", f"{ROBOTS}/ci").status == 404
    assert fresh.get("/v2/").status == 401


def test_others_and_robots_themselves_make_no_robots(alice, bob, nobody, hub):
    token = str(post(alice, ROBOTS, name="first", actions=["delete"]).json["token"])
    robot = Client(hub.address, "alice+first", token)
    for client, status in ((bob, 403), (nobody, 401), (robot, 403), (robot.with_token(token), 403)):
        assert client.get(ROBOTS).status == status
        assert post(client, ROBOTS, name="more", actions=["pull"]).status == status
        assert post(client, f"{ROBOTS}/first/renew").status == status
        assert client.request("DELETE", f"{ROBOTS}/first").status == status
    assert post(bob, "/api/v1/namespaces/none/robots", name="xx", actions=["pull"]).status == 404


def test_what_is_wrong_is_said_by_field(alice):
    wrong = post(alice, ROBOTS, name="", actions=["fly"], targets=["bob/app"], expires_in_days=0)
    assert wrong.status == 400
    assert set(wrong.json["fields"]) == {"name", "actions", "targets", "expires_in_days"}
    assert post(alice, ROBOTS, name="x", actions="pull").status == 400
    assert post(alice, ROBOTS, name="x", actions=["pull"], expires_in_days="1").status == 400
