"""`lamina hub org`, `member` and `team`."""

import json

import pytest
from tests.cli.commands.hub_logins import hub, login

__all__ = ["hub", "login"]


def test_an_organisation_is_made_listed_changed_and_deleted(login):
    org = login("alice", "org")
    assert org("create", "acme") == (0, "acme\n", "")
    header, row = org("ls")[1].splitlines()
    assert header.split()[0] == "NAME"
    assert row.split() == ["acme", "owner", "read", "public"]
    words = ("set", "acme", "--members", "none", "--new", "private", "--summary", "Anvils")
    assert org(*words) == (0, "acme\n", "")
    (listed,) = json.loads(org("ls", "--json")[1])
    assert (listed["members_role"], listed["new_private"], listed["summary"]) == (
        "none",
        True,
        "Anvils",
    )
    assert org("rm", "acme") == (0, "acme\n", "")
    assert org("ls", "-q") == (0, "", "")


def test_members_are_added_listed_made_owners_and_removed(login):
    login("alice", "org")("create", "crew")
    mine, his = login("alice", "member"), login("bob", "member")
    assert "only members see the members" in his("ls", "crew")[2]
    assert mine("add", "crew", "bob", "chief") == (0, "bob\nchief\n", "")
    rows = [line.split()[:2] for line in his("ls", "crew")[1].splitlines()[1:]]
    assert rows == [["alice", "owner"], ["bob", "member"], ["chief", "member"]]
    code, out, err = his("add", "crew", "bob", "--owner")
    assert (code, out, "only owners of crew may do this" in err) == (1, "", True)
    assert mine("add", "--owner", "crew", "bob")[0] == 0
    assert his("rm", "crew", "alice") == (0, "alice\n", "")
    assert "would have no owner" in his("rm", "crew", "bob")[2]
    assert "no account is named" in his("add", "crew", "nobody")[2]


def test_teams_are_made_filled_listed_and_dissolved(login):
    login("alice", "org")("create", "band")
    login("alice", "member")("add", "band", "bob")
    team = login("alice", "team")
    assert team("create", "band", "brass") == (0, "brass\n", "")
    assert team("join", "band", "brass", "bob", "alice") == (0, "bob\nalice\n", "")
    assert team("ls", "band")[1].splitlines()[1].split() == ["brass", "2"]
    assert team("ls", "band", "brass", "-q")[1] == "alice\nbob\n"
    assert team("leave", "band", "brass", "bob") == (0, "bob\n", "")
    assert team("rm", "band", "brass") == (0, "brass\n", "")
    assert "has no team 'brass'" in team("ls", "band", "brass")[2]


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("org", ("mv", "acme")),
        ("org", ("ls", "acme")),
        ("org", ("set", "acme")),
        ("org", ("set", "acme", "--new", "secret")),
        ("member", ("add", "acme")),
        ("team", ("join", "acme", "devs")),
        ("team", ("ls",)),
    ],
)
def test_words_that_make_no_sense_are_refused_with_those_that_do(login, command, words):
    code, out, err = login("alice", command)(*words)
    assert (code, out) == (1, "")
    assert err
