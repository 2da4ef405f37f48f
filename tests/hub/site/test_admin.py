"""The admin's pages: figures, accounts, invitations."""

import re
from pathlib import Path

import pytest
from tests.hub.clients import PASSWORD, Client
from tests.hub.site.pages import Browser

from lamina.hub import Hub, HubSettings
from lamina.hub.tables.profiles import Profile

PAGE = "/admin/accounts"
NEW = "a new long password"


@pytest.fixture
def own(tmp_path):
    """A hub where one registers by invitation, and the browser of its admin."""
    settings = HubSettings(
        root=str(tmp_path / "hub"), port=0, shutdown_s=2.0, registration="invitation"
    )
    with Hub(settings=settings) as hub:
        for name in ("chief", "alice", "bob"):
            hub.register(name, PASSWORD)
        browser = Browser(hub.address)
        browser.sign_in("chief")
        yield hub, browser


def link(hub: Hub, text: str) -> str:
    found = re.search(rf"<code>{re.escape(hub.url)}(/[^<]+)</code>", text)
    assert found, text
    return found[1]


@pytest.mark.parametrize("path", ["/admin", PAGE, "/admin/audit"])
def test_for_all_others_there_is_no_such_page(visitor, owner, path):
    assert visitor.get(path).headers["location"].startswith("/signin?next=/admin")
    assert owner.get(path).status == 404


@pytest.mark.parametrize("path", [f"{PAGE}/disable", f"{PAGE}/make-admin", f"{PAGE}/reset", "/admin/invite"])  # fmt: skip
def test_nobody_else_does_what_an_admin_may(hub, owner, path):
    assert owner.post(path, page="/settings", name="bob").status == 404
    admin = Browser(hub.address)
    admin.sign_in("chief")
    assert admin.post(path, token="", name="bob").status == 403
    account = hub.services.accounts.find("bob")
    assert not account.is_disabled
    assert not account.is_admin
    assert hub.services.accounts.login("bob", PASSWORD, "here").name == "bob"


def test_what_is_not_well_is_listed(own):
    hub, chief = own
    named = Client(hub.address, "alice").push_blob("alice/app", b"will be missing")
    assert "Not well" not in chief.get("/admin").text
    hub.services.storage.settle()
    next(Path(hub.root, "blobs").rglob(f"{named[7:]}*")).unlink()
    hub.services.scrubber.run(rate=0)
    page = chief.get("/admin").text
    assert "1 blob is damaged or missing" in page
    assert named[:19] in page
    assert '<a href="/alice/app">alice/app</a>' in page


def test_the_figures_are_of_what_is_there(own):
    hub, chief = own
    alice = Client(hub.address, "alice")
    alice.image("alice/app")
    alice.begin("alice/app")
    hub.services.uploads.note_rested(for_s=0)
    page = chief.get("/admin").text
    assert "1, with 1 tags of 1 manifests" in page
    assert "in 3 blobs" in page
    assert "1 begun and not finished" in page
    assert "By invitation" in page


def test_accounts_are_found_by_name_and_e_mail_page_by_page(own):
    hub, chief = own
    hub.services.profiles.change("bob", Profile("Robert_%", "r@example.com"))
    page = chief.get(f"{PAGE}?q=r%40EXAMPLE").text
    assert 'href="/bob"' in page
    assert 'href="/alice"' not in page
    assert 'href="/bob"' in chief.get(f"{PAGE}?q=_%25").text
    assert "No account fits" in chief.get(f"{PAGE}?q=%5F%5F").text
    assert "No account fits" in chief.get(f"{PAGE}?page=2").text
    for query in (
        "?page=x",
        "?page=-1",
        "?q=%00",
        "?q=" + "x" * 5000,
        "?page=99999999999999999999",
    ):
        assert chief.get(PAGE + query).status == 200


def test_an_account_is_disabled_and_enabled(own):
    hub, chief = own
    alice = Client(hub.address, "alice")
    assert alice.get("/v2/").status == 200
    assert chief.post(f"{PAGE}/disable", page=PAGE, name="alice").status == 303
    assert alice.get("/v2/").status == 401
    assert "disabled" in chief.get(f"{PAGE}?q=alice").text
    assert chief.post(f"{PAGE}/enable", page=PAGE, name="alice").status == 303
    assert alice.get("/v2/").status == 200
    assert chief.post(f"{PAGE}/disable", page=PAGE, name="chief").status == 403
    assert chief.post(f"{PAGE}/disable", page=PAGE, name="nobody").status == 404
    assert chief.post(f"{PAGE}/delete", page=PAGE, name="alice").status == 404
    assert "disable account <code>alice" in chief.get("/admin/audit").text


def test_one_is_made_an_admin_and_loses_it(own):
    hub, chief = own
    bob = Browser(hub.address)
    bob.sign_in("bob")
    chief.post(f"{PAGE}/make-admin", page=PAGE, name="bob")
    assert bob.get("/admin").status == 200
    chief.post(f"{PAGE}/unmake-admin", page=PAGE, name="bob")
    assert bob.get("/admin").status == 404


def test_a_reset_link_is_shown_once_and_works(own):
    hub, chief = own
    made = chief.post(f"{PAGE}/reset", page=PAGE, name="alice")
    assert (made.status, made.headers["cache-control"]) == (201, "no-store")
    path = link(hub, made.text)
    assert path not in chief.get(PAGE).text
    assert "<strong>alice</strong>" in Browser(hub.address).get(path).text
    assert chief.post(f"{PAGE}/reset", page=PAGE, name="nobody").status == 404


def test_links_that_were_given_out_are_listed_and_withdrawn(own):
    hub, chief = own
    paths = [link(hub, chief.post("/admin/invite", page=PAGE).text)]
    paths.append(link(hub, chief.post(f"{PAGE}/reset", page=PAGE, name="alice").text))
    page = chief.get(PAGE).text
    assert "the password of alice" in page
    assert "registering" in page
    assert not any(path.partition("=")[2] in page for path in paths)
    for link_id in re.findall(r'name="id" value="(\w+)"', page):
        assert chief.post("/admin/withdraw", page=PAGE, id=link_id).status == 303
    assert chief.post("/admin/withdraw", page=PAGE, id="none").status == 404
    assert "given out" not in chief.get(PAGE).text
    assert [Browser(hub.address).get(path).status for path in paths] == [404, 404]


def test_one_registers_by_invitation_alone_and_once(own):
    hub, chief = own
    guest = Browser(hub.address)
    assert "by invitation" in guest.get("/register").text
    assert guest.post("/register", page="/signin", name="carol", password=PASSWORD).status == 403
    api = Client(hub.address)
    body = b'{"name": "carol", "password": "correct horse battery"}'
    answer = api.request("POST", "/api/v1/register", body, Content_Type="application/json")
    assert answer.status == 403
    path = link(hub, chief.post("/admin/invite", page=PAGE).text)
    token = path.partition("invitation=")[2]
    fields = {"name": "carol", "password": PASSWORD, "invitation": token}
    assert guest.post("/register", page=path, **{**fields, "password": "short"}).status == 400
    assert guest.post("/register", page=path, **fields).headers["location"] == "/carol"
    late = Browser(hub.address)
    assert late.get(path).status == 404
    answer = late.post("/register", page="/signin", **{**fields, "name": "dave"})
    assert answer.status == 404
    assert hub.services.accounts.find("dave") is None


def test_a_closed_hub_takes_nobody_not_even_with_an_invitation(tmp_path):
    settings = HubSettings(root=str(tmp_path / "hub"), port=0, registration="closed")
    with Hub(settings=settings) as hub:
        hub.register("chief", PASSWORD)
        token = hub.services.links.make_invitation()
        guest = Browser(hub.address)
        assert "Registration is closed" in guest.get("/register").text
        answer = guest.post(
            "/register", page="/signin", name="carol", password=PASSWORD, invitation=token
        )
        assert answer.status == 403
        assert hub.services.accounts.find("carol") is None
