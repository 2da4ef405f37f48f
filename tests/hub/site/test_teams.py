"""Pages of members and teams."""

import pytest
from tests.hub.clients import Client
from tests.hub.site.pages import Browser

from lamina.hub import Hub
from lamina.hub.access import Caller

ALICE = Caller("alice")
MEMBERS, TEAMS = "/acme/-/members", "/acme/-/teams"


@pytest.fixture(scope="module", autouse=True)
def acme(hub: Hub, alice: Client) -> None:
    hub.services.organisations.create(ALICE, "acme")
    alice.image("acme/app")


@pytest.fixture
def member(hub: Hub) -> Browser:
    """Bob, signed in."""
    browser = Browser(hub.address)
    assert browser.sign_in("bob").status == 303
    return browser


def names(hub: Hub) -> dict[str, bool]:
    found = hub.services.organisations.view(ALICE, "acme").members
    return {each.name: each.is_owner for each in found}


def test_members_are_taken_in_made_owners_made_plain_again_and_removed(owner, hub):
    for verb, expected in (("member", False), ("owner", True), ("member", False)):
        assert owner.post(MEMBERS, do=verb, account="Bob ").status == 303
        assert names(hub) == {"alice": True, "bob": expected}
    assert "Make an owner: bob" in owner.get(MEMBERS).text
    assert owner.post(MEMBERS, do="remove", account="bob").status == 303
    assert names(hub) == {"alice": True}


def test_mistakes_are_said_on_the_page(owner):
    wrong = owner.post(MEMBERS, do="member", account="nobody")
    assert (wrong.status, "No account is named" in wrong.text) == (400, True)
    last = owner.post(MEMBERS, do="remove", account="alice")
    assert (last.status, "would have no owner" in last.text) == (400, True)
    assert owner.post(MEMBERS, do="dance", account="bob").status == 400


def test_plain_members_see_who_is_there_and_may_leave_but_change_nothing(owner, member, hub):
    owner.post(MEMBERS, do="member", account="bob")
    page = member.get(MEMBERS).text
    assert "Leave: bob" in page
    assert "Take someone in" not in page
    assert "/acme/-/settings" not in page
    assert member.post(MEMBERS, do="owner", account="bob").status == 403
    assert member.post(MEMBERS, do="remove", account="alice").status == 403
    left = member.post(MEMBERS, do="remove", account="bob")
    assert (left.status, left.headers["location"]) == (303, "/acme")
    assert names(hub) == {"alice": True}
    assert member.get(MEMBERS).status == 403
    assert member.get(TEAMS).status == 403


def test_a_team_is_made_filled_shown_with_its_roles_and_deleted(owner, member, hub):
    owner.post(MEMBERS, do="member", account="bob")
    made = owner.post(TEAMS, team="devs")
    path = f"{TEAMS}/devs"
    assert (made.status, made.headers["location"]) == (303, path)
    wrong = owner.post(TEAMS, team="Devs")
    assert (wrong.status, "lower-case" in wrong.text) == (400, True)
    assert owner.post(path, do="join", account="bob").status == 303
    owner.post("/acme/app/-/members", do="give", who="team:devs", role="write")
    page = member.get(path).text
    assert "/acme/app" in page
    assert "Delete team" not in page
    assert member.post(path, page=MEMBERS, do="leave", account="bob").status == 403
    wrong = owner.post(path, do="join", account="nobody")
    assert (wrong.status, "not a member" in wrong.text) == (400, True)
    assert owner.post(path, do="leave", account="bob").status == 303
    gone = owner.post(path, do="delete")
    assert (gone.status, gone.headers["location"]) == (303, TEAMS)
    assert owner.get(path).status == 404


def test_nobody_is_asked_to_sign_in(visitor):
    for path in (MEMBERS, TEAMS, f"{TEAMS}/devs"):
        assert visitor.get(path).headers["location"] == f"/signin?next={path}"
