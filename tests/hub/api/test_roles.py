"""Roles in a repository by JSON."""

import pytest
from tests.hub.clients import Client, document
from tests.hub.repositories import hide

ROLES = "/api/v1/repositories/alice/deep/app/roles"


def put(client: Client, path: str, role: object):
    body = document({"role": role})
    return client.request("PUT", f"{ROLES}/{path}", body, Content_Type="application/json")


@pytest.fixture(scope="module", autouse=True)
def repository(alice, hub) -> None:
    alice.image("alice/deep/app")
    hide(hub, "alice/deep/app")


def test_a_role_is_given_changed_listed_and_taken(alice, bob):
    path = "/v2/alice/deep/app/manifests/v1"
    assert bob.get(path).status == 404
    assert put(alice, "accounts/bob", "read").status == 204
    assert bob.get(path).status == 200
    assert put(alice, "accounts/bob", "write").status == 204
    assert alice.get(ROLES).json == {"roles": [{"account": "bob", "role": "write"}]}
    assert alice.request("DELETE", f"{ROLES}/accounts/bob").status == 204
    assert bob.get(path).status == 404
    assert alice.request("DELETE", f"{ROLES}/accounts/bob").status == 404


def test_who_may_not_administer_it_gives_nothing_and_sees_no_roles(alice, bob, nobody, hub):
    for client, status in ((bob, 404), (nobody, 401)):
        assert put(client, "accounts/bob", "admin").status == status
        assert client.get(ROLES).status == status
    missing = "/api/v1/repositories/alice/none/roles"
    assert bob.get(missing).status == bob.get(ROLES).status == 404
    put(alice, "accounts/bob", "write")
    assert put(bob, "accounts/bob", "admin").status == 403
    assert bob.get(ROLES).status == 403
    assert bob.request("DELETE", f"{ROLES}/accounts/bob").status == 204
    token, _ = hub.services.access_tokens.create("alice", "ci", actions=["delete"])
    assert put(Client(hub.address, "alice", token), "accounts/bob", "read").status == 403


def test_bad_words_and_unknown_holders_are_refused(alice):
    assert put(alice, "accounts/bob", "owner").status == 400
    assert put(alice, "accounts/bob", 3).status == 400
    assert put(alice, "accounts/nobody", "read").status == 404
    assert put(alice, "teams/devs", "read").status == 404
    assert put(alice, "accounts/alice", "read").status == 400
