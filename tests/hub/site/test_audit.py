"""The admin's page of the audit log."""

import json

import pytest
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
