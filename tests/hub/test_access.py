"""Who may do what: every kind of caller against every kind of repository."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.hub.access import (
    ANONYMOUS,
    Caller,
    Reach,
    Scope,
    needs_role,
    parse_scopes,
    require,
    rights,
)
from lamina.hub.errors import LoginRequired, NameUnknown, PushDenied
from lamina.hub.tables.repositories import Repository
from lamina.hub.tables.roles import Reader, Role

NONE = Role.NONE
ROBOT = Caller("alice+ci", robot_of="alice", token_id="1")
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
        (ROBOT, CLOSED, ALL),
        (ROBOT, None, ALL),
    ],
)
def test_rights_of_every_caller_on_every_repository(caller, where, expected):
    assert rights(caller, "alice/app", where, NONE) == expected


@pytest.mark.parametrize("where", [OPEN, CLOSED, None])
@pytest.mark.parametrize(
    ("role", "expected"),
    [(Role.READ, {"pull"}), (Role.WRITE, {"pull", "push"}), (Role.ADMIN, ALL)],
)
def test_a_role_gives_what_it_says_wherever_it_is_asked_about(where, role, expected):
    assert rights(BOB, "alice/app", where, role) == expected
    token = Caller("bob", token_id="1", reach=Reach(("alice/app",), frozenset({"pull"})))
    assert rights(token, "alice/app", where, role) == {"pull"}
    elsewhere = Caller("bob", token_id="1", reach=Reach(("bob",), frozenset(ALL)))
    assert rights(elsewhere, "alice/app", CLOSED, role) == set()


@given(
    st.sampled_from([OPEN, CLOSED, None]),
    st.sampled_from(["alice/app", "alice/other", "bob/app"]),
    st.sampled_from(sorted(Role)),
    st.frozensets(st.sampled_from(["alice", "alice/app", "bob", "bob/app"]), max_size=2),
    st.frozensets(st.sampled_from(sorted(ALL))),
)
def test_tokens_only_narrow_and_higher_roles_only_widen(where, name, role, targets, actions):
    reach = Reach(tuple(sorted(targets)), actions)
    for caller in (ALICE, BOB, CHIEF, ROBOT):
        whole = rights(caller, name, where, role)
        assert rights(replace(caller, token_id="1", reach=reach), name, where, role) <= whole
        assert all(rights(caller, name, where, lower) <= whole for lower in Role if lower <= role)
        assert whole <= ALL
    assert rights(ANONYMOUS, name, where, NONE) <= {"pull"}


def test_a_role_is_read_only_where_something_depends_on_it():
    for caller in (ANONYMOUS, ALICE, CHIEF, ROBOT):
        assert not needs_role(caller, "alice/app", CLOSED, "push")
    assert not needs_role(BOB, "alice/app", OPEN, "pull")
    for where, action in ((OPEN, "push"), (CLOSED, "pull"), (None, "pull"), (None, "push")):
        assert needs_role(BOB, "alice/app", where, action)


def test_a_robot_is_at_home_in_one_namespace_and_reads_lists_as_that():
    assert rights(ROBOT, "bob/app", CLOSED, NONE) == set()
    with pytest.raises(PushDenied, match="alice\\+ci may not push"):
        require(ROBOT, "bob/app", OPEN, "push", NONE)
    assert ROBOT.as_reader == Reader(namespace="alice")
    assert CHIEF.as_reader == Reader("chief", "chief", is_admin=True)
    narrow = Caller("alice", token_id="1", reach=Reach(("alice/app",)))
    assert narrow.as_reader == Reader()
    assert narrow.reader_of("alice/app") == Reader("alice", "alice")
    assert narrow.reader_of("alice/other") == narrow.reader_of("") == Reader()


def test_who_has_too_low_a_role_is_told_which_one_they_have():
    with pytest.raises(PushDenied, match="the role is read") as caught:
        require(BOB, "alice/app", CLOSED, "push", Role.READ)
    assert "owner of alice" in caught.value.hint
    with pytest.raises(PushDenied, match="the role is write"):
        require(BOB, "alice/app", CLOSED, "delete", Role.WRITE)


@pytest.mark.parametrize("where", [CLOSED, None])
def test_what_one_may_not_see_is_answered_as_if_it_were_not_there(where):
    with pytest.raises(LoginRequired):
        require(ANONYMOUS, "alice/app", where, "pull", NONE)
    with pytest.raises(NameUnknown):
        require(BOB, "alice/app", where, "pull", NONE)
    with pytest.raises(PushDenied):
        require(BOB, "alice/app", where, "push", NONE)


def test_a_token_never_allows_more_than_it_was_given_nor_than_its_holder_may():
    narrow = Caller("alice", grants={"alice/app": frozenset({"pull"})})
    require(narrow, "alice/app", CLOSED, "pull", NONE)
    with pytest.raises(LoginRequired) as caught:
        require(narrow, "alice/app", CLOSED, "push", NONE)
    assert caught.value.insufficient
    wide = Caller("bob", grants={"alice/app": frozenset(ALL)})
    with pytest.raises(PushDenied):
        require(wide, "alice/app", OPEN, "push", NONE)
    with pytest.raises(NameUnknown):
        require(wide, "alice/app", CLOSED, "pull", NONE)


def test_a_token_for_something_else_still_pulls_what_is_public():
    require(Caller("bob", grants={}), "alice/app", OPEN, "pull", NONE)
    with pytest.raises(LoginRequired):
        require(Caller("alice", grants={}), "alice/app", CLOSED, "pull", NONE)


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
