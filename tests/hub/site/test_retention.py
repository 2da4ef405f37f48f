"""The page of a retention rule."""

import pytest
from tests.hub.clients import Client
from tests.hub.site.pages import Browser


@pytest.fixture
def images(hub) -> Client:
    alice = Client(hub.address, "alice")
    for tag in ("first", "second"):
        alice.image("alice/page", tag, seed=tag)
    return alice


def test_an_owner_tries_saves_and_drops_a_rule(hub, owner, images):
    page = "/alice/page/-/retention"
    assert "A rule of its own" in owner.get(page).text
    tried = owner.post(page, verb="try", keep_newest="1", keep="v*")
    assert tried.status == 200
    assert "What would go" in tried.text
    assert "alice/page:first" in tried.text
    assert 'name="keep_newest" value="1"' in tried.text
    assert hub.services.retention.rules() == ()
    assert owner.post(page, verb="save", keep_newest="1", keep="v*").headers["location"] == page
    shown = owner.get(page).text
    assert "What goes next" in shown
    assert 'name="keep" value="v*"' in shown
    assert owner.post(page, verb="drop").status == 303
    assert hub.services.retention.rules() == ()


def test_a_namespaces_rule_is_shown_where_it_holds(hub, owner, images):
    assert owner.post("/alice/-/retention", verb="save", untagged_days="30").status == 303
    assert "The rule of alice holds here: drop untagged after 30 days" in (
        owner.get("/alice/page/-/retention").text
    )
    owner.post("/alice/-/retention", verb="drop")


def test_what_is_wrong_is_said_and_what_was_typed_stays(owner, images):
    for fields, said in (
        ({"keep_newest": "many"}, "is no whole number"),
        ({"keep": "<b>"}, "the rule lets nothing go"),
    ):
        answer = owner.post("/alice/page/-/retention", verb="save", **fields)
        assert answer.status == 400
        assert said in answer.text
        assert "<b>" not in answer.text.partition("<main")[2]


def test_strangers_and_visitors_see_no_rule(hub, visitor, images):
    answer = visitor.get("/alice/page/-/retention")
    assert (answer.status, answer.headers["location"][:8]) == (303, "/signin?")
    bob = Browser(hub.address)
    bob.sign_in("bob")
    for page in ("/alice/page/-/retention", "/alice/-/retention", "/hub/-/retention"):
        assert bob.get(page).status == 403
        assert bob.post(page, page="/", keep_newest="1").status == 403
    chief = Browser(hub.address)
    chief.sign_in("chief")
    assert chief.get("/hub/-/retention").status == 200
