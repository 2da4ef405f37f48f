"""`lamina hub role`."""

import json

from tests.cli.commands.hub_logins import hub, login
from tests.hub.clients import Client

__all__ = ["hub", "login"]


def test_roles_are_given_to_accounts_and_teams_listed_and_taken(login, hub):
    login("alice", "org")("create", "acme")
    login("alice", "team")("create", "acme", "devs")
    alice, bob = Client(hub.address, "alice"), Client(hub.address, "bob")
    alice.image("acme/deep/app")
    role = login("alice", "role")
    assert role("set", "acme/deep/app", "bob", "write") == (0, "bob write\n", "")
    assert role("set", "acme/deep/app", "team:devs", "read") == (0, "team:devs read\n", "")
    rows = [line.split() for line in role("ls", "acme/deep/app")[1].splitlines()]
    assert rows == [["WHO", "ROLE"], ["team:devs", "read"], ["bob", "write"]]
    assert json.loads(role("ls", "--json", "acme/deep/app")[1])[0] == {
        "team": "devs",
        "role": "read",
    }
    bob.image("acme/deep/app", "bobs", seed="bobs")
    assert role("rm", "acme/deep/app", "bob", "team:devs") == (0, "bob\nteam:devs\n", "")
    assert bob.request("POST", "/v2/acme/deep/app/blobs/uploads/").status == 403


def test_what_cannot_be_is_said(login):
    role = login("bob", "role")
    assert "is not known" in role("ls", "alice/none")[2]
    assert "is not known" in role("give", "alice/none", "bob")[2]
    code, out, err = login("alice", "role")("set", "alice/none", "bob", "boss")
    assert (code, out, "A role is one of read, write, admin" in err) == (1, "", True)
