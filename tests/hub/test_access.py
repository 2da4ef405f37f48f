"""Who may do what: every kind of caller against every kind of repository."""

import pytest

from lamina.hub.access import ANONYMOUS, Caller, Scope, parse_scopes, require, rights
from lamina.hub.errors import LoginRequired, NameUnknown, PushDenied
from lamina.hub.tables.repositories import Repository

ALICE, BOB = Caller("alice"), Caller("bob")
CHIEF = Caller("chief", is_admin=True)
ALL = {"pull", "push", "delete"}


def repository(*, is_private: bool) -> Repository:
    return Repository(1, "alice/app", "alice", is_private, "", "", 0, 0.0, 0.0)


OPEN, CLOSED = repository(is_private=False), repository(is_private=True)


@pytest.mark.parametrize(
    ("caller", "where", "expected"),
    [
        (ANONYMOUS, OPEN, {"pull"}),
        (ANONYMOUS, CLOSED, set()),
        (ANONYMOUS, None, set()),
        (BOB, OPEN, {"pull"}),
        (BOB, CLOSED, set()),
        (BOB, None, set()),
        (ALICE, OPEN, ALL),
        (ALICE, CLOSED, ALL),
        (ALICE, None, ALL),
        (CHIEF, CLOSED, ALL),
        (CHIEF, None, ALL),
    ],
)
def test_rights_of_every_caller_on_every_repository(caller, where, expected):
    assert rights(caller, "alice/app", where) == expected


@pytest.mark.parametrize("where", [CLOSED, None])
def test_what_one_may_not_see_is_answered_as_if_it_were_not_there(where):
    with pytest.raises(LoginRequired):
        require(ANONYMOUS, "alice/app", where, "pull")
    with pytest.raises(NameUnknown):
        require(BOB, "alice/app", where, "pull")
    with pytest.raises(PushDenied):
        require(BOB, "alice/app", where, "push")


def test_a_token_never_allows_more_than_it_was_given_nor_than_its_holder_may():
    narrow = Caller("alice", grants={"alice/app": frozenset({"pull"})})
    require(narrow, "alice/app", CLOSED, "pull")
    with pytest.raises(LoginRequired) as caught:
        require(narrow, "alice/app", CLOSED, "push")
    assert caught.value.insufficient
    wide = Caller("bob", grants={"alice/app": frozenset(ALL)})
    with pytest.raises(PushDenied):
        require(wide, "alice/app", OPEN, "push")
    with pytest.raises(NameUnknown):
        require(wide, "alice/app", CLOSED, "pull")


def test_a_token_for_something_else_still_pulls_what_is_public():
    require(Caller("bob", grants={}), "alice/app", OPEN, "pull")
    with pytest.raises(LoginRequired):
        require(Caller("alice", grants={}), "alice/app", CLOSED, "pull")


def test_scopes_are_read_repeated_or_joined_and_with_ports_in_names():
    assert parse_scopes(
        ["repository:a/b:pull,push repository:c/d:pull", "repository(plugin):e/f:*"]
    ) == (
        Scope("repository", "a/b", frozenset({"pull", "push"})),
        Scope("repository", "c/d", frozenset({"pull"})),
        Scope("repository", "e/f", frozenset({"*"})),
    )
    assert parse_scopes(["repository:host:5000/x:pull"])[0].name == "host:5000/x"
    assert parse_scopes(["", "x", "repository:", "repository::pull"]) == ()
