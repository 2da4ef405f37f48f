"""Repositories themselves by JSON."""

from collections.abc import Mapping
from urllib.parse import quote

from tests.hub.clients import Answer, Client, document

from lamina.hub import Hub

ALL = "/api/v1/repositories"


def send(client: Client, method: str, path: str, body: Mapping[str, object]) -> Answer:
    return client.request(method, path, document(dict(body)), Content_Type="application/json")


def one(name: str) -> str:
    return f"{ALL}/of?name={quote(name, safe='')}"


def test_a_repository_is_private_before_and_after_its_first_push(alice, bob, nobody):
    made = send(alice, "POST", ALL, {"name": "alice/hidden", "private": True, "summary": "mine"})
    assert (made.status, made.json["private"], made.json["tags"]) == (201, True, 0)
    alice.image("alice/hidden")
    for client, status in ((bob, 404), (nobody, 401)):
        assert client.get("/v2/alice/hidden/manifests/v1").status == status
        assert client.get(one("alice/hidden")).status == status
    found = alice.get(one("alice/hidden")).json
    assert (found["private"], found["summary"], found["tags"]) == (True, "mine", 1)
    assert send(alice, "POST", ALL, {"name": "alice/hidden"}).status == 409
    assert send(bob, "POST", ALL, {"name": "alice/hidden"}).status == 403


def test_it_is_described_shown_to_all_and_deleted(alice, bob):
    send(alice, "POST", ALL, {"name": "alice/told", "private": True})
    readme = "# Grüße\n" + "ä" * 80_000  # longer than other documents may be
    assert send(alice, "PATCH", one("alice/told"), {"readme": readme}).status == 204
    assert alice.get(one("alice/told")).json["readme"] == readme
    assert bob.get(one("alice/told")).status == 404
    assert send(alice, "PATCH", one("alice/told"), {"private": False}).status == 204
    assert bob.get(one("alice/told")).json["readme"] == readme
    assert bob.request("DELETE", one("alice/told")).status == 403
    assert alice.request("DELETE", one("alice/told")).status == 204
    assert alice.get(one("alice/told")).status == 404


def test_names_that_end_like_other_paths_are_those_of_repositories(alice):
    for name in ("alice/roles", "alice/app/inside/v1", "alice/of"):
        assert send(alice, "POST", ALL, {"name": name}).status == 201
        assert alice.get(one(name)).json["name"] == name


def test_ones_own_are_listed_and_those_of_another_as_one_may_see_them(alice, bob):
    send(alice, "POST", ALL, {"name": "alice/empty"})
    alice.image("alice/full")
    mine = {row["name"]: row["tags"] for row in alice.get(ALL).json["repositories"]}
    assert (mine["alice/empty"], mine["alice/full"]) == (0, 1)
    theirs = bob.get(f"{ALL}?namespace=alice").json
    names = [row["name"] for row in theirs["repositories"]]
    assert ("alice/full" in names, "alice/empty" in names) == (True, False)
    assert all(row["name"].startswith("bob/") for row in bob.get(ALL).json["repositories"])


def holder(hub: Hub, name: str, *actions: str, targets: tuple[str, ...] = ()) -> Client:
    """Alice with an access token."""
    token, _ = hub.services.access_tokens.create("alice", name, actions=actions, targets=targets)
    return Client(hub.address, "alice", token)


def test_an_access_token_does_with_repositories_what_it_may_with_images(alice, hub):
    send(alice, "POST", ALL, {"name": "alice/held-repository", "private": True})
    puller, pusher, deleter = (
        holder(hub, f"may {each}", each) for each in ("pull", "push", "delete")
    )
    held = one("alice/held-repository")
    assert puller.get(held).json["private"]
    assert send(puller, "PATCH", held, {"readme": "x"}).status == 403
    assert send(puller, "POST", ALL, {"name": "alice/pulled"}).status == 403
    assert send(pusher, "POST", ALL, {"name": "alice/pushed", "private": True}).status == 201
    assert send(pusher, "PATCH", held, {"readme": "from CI"}).status == 204
    assert send(pusher, "PATCH", held, {"private": False}).status == 403
    assert pusher.request("DELETE", held).status == 403
    found = alice.get(held).json
    assert (found["readme"], found["private"]) == ("from CI", True)
    assert send(deleter, "PATCH", held, {"private": False}).status == 403
    assert deleter.with_token(deleter.password).request("DELETE", held).status == 204


def test_an_access_token_for_one_repository_is_for_no_other(alice, hub):
    for name in ("alice/mine-repository", "alice/other"):
        send(alice, "POST", ALL, {"name": name, "private": True})
    client = holder(hub, "one", "push", "delete", targets=("alice/mine-repository",))
    assert send(client, "PATCH", one("alice/mine-repository"), {"summary": "x"}).status == 204
    for method in ("GET", "DELETE"):
        assert client.request(method, one("alice/other")).status == 404
    assert send(client, "PATCH", one("alice/other"), {"summary": "x"}).status == 404
    names = [row["name"] for row in client.get(f"{ALL}?namespace=alice").json["repositories"]]
    assert "alice/other" not in names


def test_an_access_token_describes_nothing_that_its_owner_may_not(alice, bob, hub):
    bob.image("bob/shown")
    client = holder(hub, "reaching", "delete")
    assert send(client, "PATCH", one("bob/shown"), {"summary": "x"}).status == 403
    assert client.request("DELETE", one("bob/shown")).status == 403
    assert send(client, "POST", ALL, {"name": "bob/more"}).status == 403


def test_what_cannot_be_is_said(alice):
    for page in ("0", "-1", "x", "9" * 30, ""):
        assert alice.get(f"{ALL}?page={page}").status == 400
    for body in ({}, {"name": "alice/x", "private": "yes"}, {"name": "alice/x", "color": "red"}):
        assert send(alice, "POST", ALL, body).status == 400
    assert alice.get(f"{ALL}/of").status == 400
    assert send(alice, "PATCH", one("alice/none"), {"private": True}).status == 404


def test_each_deed_is_in_the_audit_log(alice, hub):
    send(alice, "POST", ALL, {"name": "alice/noted-repository", "private": True})
    send(alice, "PATCH", one("alice/noted-repository"), {"private": True, "summary": "x"})
    send(alice, "PATCH", one("alice/noted-repository"), {"private": False})
    alice.request("DELETE", one("alice/noted-repository"))
    rows = hub.services.database.read(
        lambda connection: connection.execute(
            "SELECT action FROM audit WHERE subject = ? ORDER BY id", ("alice/noted-repository",)
        ).fetchall()
    )
    actions = [row[0] for row in rows]
    assert actions == ["create repository", "describe", "make public", "delete repository"]
