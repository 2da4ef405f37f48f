"""The page of a repository's members."""

import pytest
from tests.hub.clients import Client
from tests.hub.repositories import hide
from tests.hub.site.pages import Browser

from lamina.hub import Hub
from lamina.hub.access import Caller

ALICE = Caller("alice")
MEMBERS = "/acme/app/-/members"


@pytest.fixture(scope="module", autouse=True)
def acme(hub: Hub, alice: Client) -> None:
    hub.services.organisations.create(ALICE, "acme")
    hub.services.organisations.create_team(ALICE, "acme", "devs")
    alice.image("acme/app")
    hide(hub, "acme/app")


@pytest.fixture
def other(hub: Hub) -> Browser:
    """Bob, signed in."""
    browser = Browser(hub.address)
    assert browser.sign_in("bob").status == 303
    return browser


def held(hub: Hub) -> dict[str, str]:
    return {each.name: each.role.word for each in hub.services.roles.of(ALICE, "acme/app")}


def test_roles_are_given_to_accounts_and_teams_shown_and_taken(owner, hub):
    for who, role in (("bob", "read"), ("team:devs", "write"), ("Bob", "write")):
        assert owner.post(MEMBERS, do="give", who=who, role=role).status == 303
    assert held(hub) == {"devs": "write", "bob": "write"}
    page = owner.get(MEMBERS).text
    assert "/acme/-/teams/devs" in page
    assert "Take the role from bob" in page
    for who in ("bob", "team:devs"):
        assert owner.post(MEMBERS, do="take", who=who).status == 303
    assert held(hub) == {}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"who": "nobody", "role": "read"}, "No account is named"),
        ({"who": "team:none", "role": "read"}, "has no team"),
        ({"who": "bob", "role": "boss"}, "A role is one of"),
        ({"who": "bob"}, "A role is one of"),
    ],
)
def test_mistakes_are_said_beside_the_field(owner, fields, words):
    wrong = owner.post(MEMBERS, do="give", **fields)
    assert (wrong.status, words in wrong.text) == (400, True)
    assert 'aria-invalid="true"' in wrong.text


def test_a_role_opens_the_pages_it_is_for_and_the_admin_role_those_of_settings(owner, other, hub):
    assert other.get("/acme/app").status == 404
    assert other.get(MEMBERS).status == 404
    pages = ["/acme/app/-/settings", "/acme/app/-/edit", MEMBERS]
    for role, status in (("read", 403), ("write", 403), ("admin", 200)):
        owner.post(MEMBERS, do="give", who="bob", role=role)
        assert other.get("/acme/app").status == 200
        assert [other.get(path).status for path in pages] == [status] * 3
        assert ("Settings" in other.get("/acme/app").text) == (role == "admin")
    answer = other.post("/acme/app/-/edit", summary="by bob")
    assert answer.status == 303
    other.post(MEMBERS, do="take", who="bob")
    assert other.get("/acme/app").status == 404


def test_nobody_is_asked_to_sign_in_and_learns_nothing(visitor):
    for path in (MEMBERS, "/acme/none/-/members"):
        assert visitor.get(path).headers["location"] == f"/signin?next={path}"
    assert visitor.post(MEMBERS, page="/signin", do="give", who="bob", role="admin").status == 404
