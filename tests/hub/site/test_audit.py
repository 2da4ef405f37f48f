"""Pages of the audit log: the admin's, and those of owners."""

import json

import pytest
from tests.hub.clients import Client
from tests.hub.site.pages import Browser

PAGE = "/admin/audit"


@pytest.fixture
def admin(hub) -> Browser:
    browser = Browser(hub.address)
    assert browser.sign_in("chief").status == 303
    return browser


def test_only_admins_see_the_log(visitor, owner):
    assert visitor.get(PAGE).headers["location"] == f"/signin?next={PAGE}"
    assert visitor.get(f"{PAGE}.jsonl").status == 404
    for path in (PAGE, f"{PAGE}.jsonl"):
        assert owner.get(path).status == 404


def test_deeds_are_shown_by_account_and_action_and_do_no_harm(hub, admin, alice, visitor):
    alice.image("alice/audited", "v1")
    visitor.post("/signin", name="<script>alert(1)</script>", password="x")
    page = admin.get(PAGE).text
    assert "alice/audited:v1" in page
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page
    page = admin.get(f"{PAGE}?account=alice&action=push").text
    assert "alice/audited:v1" in page
    assert "login refused <code>" not in page
    assert "Nothing was noted that fits" in admin.get(f"{PAGE}?account=no%00body").text


def test_pages_go_back_to_the_oldest_and_lines_hold_all(admin, alice):
    for number in range(60):
        alice.put_manifest("alice/many", f"v{number}", alice.manifest("alice/many"))
    page = admin.get(f"{PAGE}?account=alice").text
    older = page.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
    assert older.startswith(f"{PAGE}?account=alice&before=")
    assert "alice/many:v3<" in admin.get(older).text
    answer = admin.get(f"{PAGE}.jsonl?account=alice&action=push")
    assert answer.headers["content-type"] == "application/jsonl"
    lines = [json.loads(line) for line in answer.text.splitlines()]
    pushed = [line["subject"] for line in lines if line["subject"].startswith("alice/many")]
    assert pushed == [f"alice/many:v{number}" for number in reversed(range(60))]
    assert {"id", "at", "account", "action", "address", "token", "request"} < set(lines[0])
    assert admin.get(f"{PAGE}.jsonl?account=nobody-here").body == b""


@pytest.mark.parametrize("before", ["x", "-1", "9" * 30, "1"])
def test_strange_places_to_begin_do_no_harm(admin, before):
    assert admin.get(f"{PAGE}?before={before}").status == 200


@pytest.fixture(scope="module")
def acme(alice: Client, bob: Client) -> None:
    """acme of alice's, where things were done, and others whose names are nearly the same."""
    for name in ("acme", "acme2"):
        body = f'{{"name": "{name}"}}'.encode()
        assert (
            alice.request("POST", "/api/v1/orgs", body, Content_Type="application/json").status
            == 201
        )
    for name in ("acme/app", "acme/app2", "acme/app/deeper", "acme2/app", "alice/acme"):
        alice.image(name, "Tag")
    for path in ("members/bob", "members/chief"):
        assert alice.request("PUT", f"/api/v1/orgs/acme/{path}").status == 204
    body = b'{"name": "acme/app:forged", "actions": ["pull"]}'
    assert (
        bob.request("POST", "/api/v1/tokens", body, Content_Type="application/json").status == 201
    )


@pytest.mark.usefixtures("acme")
def test_an_owner_sees_what_was_done_to_a_repository_and_to_no_other(owner):
    page = owner.get("/acme/app/-/audit").text
    assert ("acme/app:Tag" in page, "Audit log of acme/app" in page) == (True, True)
    for other in ("acme/app2", "acme/app/deeper", "acme2", "forged", "bob"):
        assert f"<code>{other}" not in page.replace("acme/app:Tag", "")
    assert "forged" not in page


@pytest.mark.usefixtures("acme")
def test_an_organisation_s_log_has_its_repositories_and_members(owner):
    page = owner.get("/acme/-/audit").text
    for subject in ("acme", "acme/app:Tag", "acme/app/deeper:Tag", "bob of acme"):
        assert f"<code>{subject}</code>" in page
    for other in ("acme2", "acme2/app:Tag", "alice/acme:Tag", "acme/app:forged"):
        assert f"<code>{other}</code>" not in page
    page = owner.get("/acme/-/audit?action=make+member").text
    assert ("bob of acme" in page, "acme/app:Tag" in page) == (True, False)
    assert "Nothing was noted that fits" in owner.get("/acme/-/audit?account=nobody-here").text


@pytest.mark.usefixtures("acme")
def test_who_does_not_own_it_sees_no_log_of_it(hub, visitor, admin):
    member = Browser(hub.address)
    assert member.sign_in("bob").status == 303
    for path in ("/acme/-/audit", "/acme/app/-/audit"):
        assert member.get(path).status == 403
        assert visitor.get(path).headers["location"].startswith("/signin")
        assert admin.get(path).status == 200
    assert admin.get("/hub/-/audit").headers["location"] == PAGE


@pytest.mark.usefixtures("acme")
def test_one_s_own_log_has_what_one_did_and_wrong_passwords_for_one_s_name(hub, visitor):
    visitor.post("/signin", name="bob", password="x")
    bob = Browser(hub.address)
    assert bob.sign_in("bob").status == 303
    page = bob.get("/settings/audit").text
    for deed in (
        "sign in <code>bob",
        "login refused <code>bob",
        "create token <code>acme/app:forged",
    ):
        assert deed in page
    assert "acme/app:Tag" not in page
    assert Browser(hub.address).get("/settings/audit").headers["location"].startswith("/signin")


def test_a_log_looks_back_so_far_at_a_time_and_leads_on(owner, alice, monkeypatch):
    monkeypatch.setattr("lamina.hub.tables.audit._LOOKED", 10)
    alice.image("alice/old", "v1")
    for number in range(25):
        alice.put_manifest("alice/new", f"v{number}", alice.manifest("alice/new"))
    path, seen = "/alice/old/-/audit", 0
    while "alice/old:v1" not in (page := owner.get(path).text):
        assert "as far as this page looks back" in page
        seen += 1
        path = page.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
    assert seen == 2


def test_a_log_goes_back_page_by_page(owner, alice):
    for number in range(60):
        alice.put_manifest("alice/paged", f"v{number}", alice.manifest("alice/paged"))
    page = owner.get("/alice/paged/-/audit").text
    assert ("alice/paged:v59<" in page, "alice/paged:v3<" in page) == (True, False)
    older = page.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
    page = owner.get(older).text
    assert ("alice/paged:v3<" in page, "Newest" in page, 'rel="next"' in page) == (
        True,
        True,
        False,
    )
