"""An organisation's pages: made, seen, set and deleted by those who may."""

import pytest
from tests.hub.clients import Client
from tests.hub.repositories import hide
from tests.hub.site.pages import Browser

from lamina.hub import Hub
from lamina.hub.access import Caller


@pytest.fixture
def stranger(hub: Hub) -> Browser:
    """Bob, signed in."""
    browser = Browser(hub.address)
    assert browser.sign_in("bob").status == 303
    return browser


@pytest.fixture(scope="module", autouse=True)
def acme(hub: Hub, alice: Client) -> None:
    """acme of alice's, with a public and a private repository."""
    hub.services.organisations.create(Caller("alice"), "acme")
    for name in ("acme/shown", "acme/hidden"):
        alice.image(name)
    hide(hub, "acme/hidden")


def test_an_organisation_is_made_on_a_page_and_leads_to_its_members(owner):
    answer = owner.post("/orgs/new", name="shop")
    assert (answer.status, answer.headers["location"]) == (303, "/shop/-/members")
    assert "alice" in owner.get("/shop/-/members").text
    assert "shop" in owner.get("/settings/organisations").text


@pytest.mark.parametrize(
    ("name", "words"), [("Shop", "lower-case"), ("bob", "is taken"), ("", "Choose a name")]
)
def test_what_is_wrong_with_a_name_is_said_beside_it(owner, name, words):
    answer = owner.post("/orgs/new", name=name)
    assert answer.status in (400, 409)
    assert words in answer.text


def test_its_page_shows_each_visitor_what_they_may_see(owner, stranger, visitor):
    for browser in (stranger, visitor):
        page = browser.get("/acme")
        assert (page.status, "/acme/shown" in page.text) == (200, True)
        assert "/acme/hidden" not in page.text
        assert "/acme/-/" not in page.text
    page = owner.get("/acme").text
    assert "/acme/hidden" in page
    assert "/acme/-/settings" in page


def test_ones_own_page_names_the_organisations_one_is_in_to_oneself_alone(owner, stranger):
    assert 'href="/acme"' in owner.get("/alice").text
    assert 'href="/acme"' not in stranger.get("/alice").text


def test_owners_set_what_it_says_and_what_members_may(owner, hub):
    path = "/acme/-/settings"
    saved = owner.post(path, summary="Anvils & <more>", members_role="none", new="private")
    assert saved.status == 303
    assert "Anvils &amp; &lt;more&gt;" in owner.get("/acme").text
    found = hub.services.organisations.view(Caller("alice"), "acme").organisation
    assert (found.members_role.word, found.new_private) == ("none", True)
    for wrong in ({"summary": "x" * 161, "members_role": "none"}, {"members_role": "boss"}):
        assert owner.post(path, **wrong).status == 400


def test_it_is_deleted_by_typing_its_name_and_only_without_repositories(owner):
    owner.post("/orgs/new", name="brief")
    settings = "/brief/-/settings"
    wrong = owner.post("/brief/-/delete", page=settings, confirm="brie")
    assert (wrong.status, "Type brief to delete it" in wrong.text) == (400, True)
    gone = owner.post("/brief/-/delete", page=settings, confirm="brief")
    assert (gone.status, gone.headers["location"]) == (303, "/settings/organisations")
    assert owner.get("/brief").status == 404
    held = owner.post("/acme/-/delete", page="/acme/-/settings", confirm="acme")
    assert (held.status, "still has repositories" in held.text) == (400, True)


def test_others_neither_see_nor_change_its_settings(stranger, visitor):
    path = "/acme/-/settings"
    assert stranger.get(path).status == 403
    assert visitor.get(path).headers["location"] == f"/signin?next={path}"
    token = stranger.token("/acme")
    answer = stranger.post(path, token=token, summary="mine", members_role="none")
    assert answer.status == 403
    answer = stranger.post("/acme/-/delete", token=token, confirm="acme")
    assert answer.status == 403
    assert visitor.get("/orgs/new").headers["location"] == "/signin?next=/orgs/new"
    assert visitor.get("/settings/organisations").status == 303


def test_ones_own_namespace_has_its_settings_elsewhere(owner):
    assert owner.get("/alice/-/settings").headers["location"] == "/settings"
    assert owner.get("/bob/-/settings").status == 404
    assert owner.get("/acme/-/nothing").status == 404


def test_admins_find_every_organisation_and_nobody_else_does(owner, stranger, hub):
    admin = Browser(hub.address)
    admin.sign_in("chief")
    assert 'href="/acme/-/members"' in admin.get("/admin/organisations").text
    assert "/acme" in admin.get("/admin/organisations?q=CM").text
    for words in ("%25", "a_m", "%00x", "zzz"):
        assert "is called like that" in admin.get(f"/admin/organisations?q={words}").text
    assert {each.get("/admin/organisations").status for each in (owner, stranger)} == {404}


def test_a_robots_name_leads_to_its_namespace_and_nowhere_else(visitor):
    assert visitor.get("/acme+ci").headers["location"] == "/acme"
    for path in ("/%5Cexample.com+x", "//example.com/+x", "/+x"):
        assert visitor.get(path).status == 404
