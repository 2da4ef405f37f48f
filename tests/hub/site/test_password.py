"""Changing one's password, and choosing one by a link."""

from urllib.parse import urlencode

import pytest
from tests.hub.clients import PASSWORD, Client
from tests.hub.site.pages import Browser

from lamina.hub import Hub
from lamina.hub.tables import audit

PAGE = "/settings/password"
NEW = "a new long password"


@pytest.fixture
def own(tmp_path):
    """A hub of the test's own, and the browser of alice."""
    with Hub(root=str(tmp_path / "hub")) as hub:
        hub.register("alice", PASSWORD)
        browser = Browser(hub.address)
        browser.sign_in("alice")
        yield hub, browser


def test_a_changed_password_signs_out_everywhere_else_and_tokens_stay(own):
    hub, alice = own
    other = Browser(hub.address)
    other.sign_in("alice")
    text, _ = hub.services.access_tokens.create("alice", "ci", actions=["pull"])
    old = alice.cookies["lamina_session"]
    answer = alice.post(PAGE, old=PASSWORD, new=NEW)
    assert answer.headers["location"] == f"{PAGE}?saved"
    assert "was changed" in alice.get(answer.headers["location"]).text
    assert alice.cookies["lamina_session"] != old
    assert hub.services.sessions.find(old) is None
    assert "Sign in" in other.get("/").text
    assert Client(hub.address, "alice").get("/v2/").status == 401
    assert Client(hub.address, "alice", NEW).get("/v2/").status == 200
    assert Client(hub.address, "alice", text).get("/v2/").status == 200
    alice.post(PAGE, old=NEW, new=PASSWORD, ends_tokens="yes")
    assert Client(hub.address, "alice", text).get("/v2/").status == 401
    deeds = hub.services.database.read(
        lambda connection: audit.rows(
            connection, account="alice", action="change password", before=0, limit=9
        )
    )
    assert len(deeds) == 2


def test_a_wrong_or_weak_password_is_said_beside_its_field(own):
    _, alice = own
    answer = alice.post(PAGE, old="not it at all", new=NEW)
    assert (answer.status, 'id="old-wrong"' in answer.text) == (400, True)
    for new in ("short", "alice", PASSWORD):
        answer = alice.post(PAGE, old=PASSWORD, new=new)
        assert (answer.status, 'id="new-wrong"' in answer.text) == (400, True)
    for _ in range(9):
        answer = alice.post(PAGE, old="not it at all", new=NEW)
    assert (answer.status, "Too many wrong passwords" in answer.text) == (429, True)
    assert "Sign out" in alice.get("/").text


def test_a_link_of_the_admins_lets_choose_a_password_and_signs_in(own):
    hub, alice = own
    token = hub.services.links.make_reset("alice", by="chief")
    visitor = Browser(hub.address)
    path = f"/signin/reset?token={token}"
    body = urlencode({"form_token": visitor.token(path), "token": token, "password": NEW})
    assert visitor.send("/signin/reset", body.encode()).headers["location"] == "/alice"
    assert "Sign out" in visitor.get("/").text
    assert "Sign in" in alice.get("/").text
    assert visitor.get(path).status == 404
    again = visitor.send("/signin/reset", body.encode())
    assert again.status == 403  # the page was for who was not signed in
    body = urlencode({"form_token": visitor.token(PAGE), "token": token, "password": PASSWORD})
    assert visitor.send("/signin/reset", body.encode()).status == 404
    assert hub.services.accounts.login("alice", NEW, "here").name == "alice"


def test_a_link_that_never_was_opens_nothing(visitor):
    for query in ("", "?token=", "?token=x", "?token=" + "x" * 5000, "?token=%00%ff"):
        answer = visitor.get(f"/signin/reset{query}")
        assert (answer.status, "does not work" in answer.text) == (404, True)
