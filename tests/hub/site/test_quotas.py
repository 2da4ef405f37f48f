"""The page of what a namespace has and may have."""

from tests.hub.clients import Client
from tests.hub.site.pages import Browser


def test_an_admin_sets_what_an_owner_sees(hub, owner):
    Client(hub.address, "alice").push_blob("alice/stored", b"x" * 1500)
    page = "/alice/-/quota"
    assert "any number" in owner.get(page).text
    assert 'name="size"' not in owner.get(page).text
    assert owner.post(page, page="/settings/tokens", size="1GB").status == 403
    chief = Browser(hub.address)
    chief.sign_in("chief")
    assert chief.post(page, size="1.5 GB", verb="save").status == 303
    assert "<dd>1.5GB</dd>" in owner.get(page).text
    assert "/alice/-/quota" in chief.get("/hub/-/quota").text
    answer = chief.post(page, size="much", verb="save")
    assert (answer.status, "is no size" in answer.text) == (400, True)
    assert chief.post(page, verb="drop").status == 303
    assert "any number" in owner.get(page).text
    assert "1.5kB" in owner.get(page).text


def test_strangers_do_not_see_what_others_have(hub, visitor):
    bob = Browser(hub.address)
    bob.sign_in("bob")
    Client(hub.address, "alice").push_blob("alice/stored", b"x" * 1500)
    for page in ("/alice/-/quota", "/alice/stored/-/quota", "/hub/-/quota"):
        assert bob.get(page).status == 403
        assert visitor.get(page).status == 303
