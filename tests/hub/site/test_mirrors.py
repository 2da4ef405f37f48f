"""The admin's page of other registries."""

import re

import pytest
from tests.containers import eventually
from tests.hub.hostile import Hostile
from tests.hub.site.pages import Browser

PAGE = "/admin/mirrors"


@pytest.fixture
def admin(hub) -> Browser:
    browser = Browser(hub.address)
    assert browser.sign_in("chief").status == 303
    return browser


def post(browser, verb, **fields):
    return browser.post(f"{PAGE}/{verb}", page=PAGE, **fields)


def test_a_namespace_stands_for_a_registry_and_stops_to(admin, hub):
    with Hostile() as hostile:
        fields = {"namespace": "paged", "upstream": hostile.address, "username": "me",
                  "password": "secret words", "fresh_s": "60", "keep_days": "7",
                  "is_default": "yes"}  # fmt: skip
        assert post(admin, "create-cache", **fields).status == 303
        page = admin.get(PAGE).text
        assert "secret words" not in page
        for words in (hostile.address, "as me", "believed for 60 s", "kept for 7 days", "default"):
            assert words in page
        hostile.headers = (("RateLimit-Limit", "100"), ("RateLimit-Remaining", "41"))
        assert Browser(hub.address)._client.get("/v2/paged/team/app/manifests/v1").status == 200
        assert "41 of 100 left" in admin.get(PAGE).text
    assert post(admin, "remove-cache", namespace="paged").status == 303
    assert hostile.address not in admin.get(PAGE).text


def test_a_rule_is_made_run_now_and_its_log_is_read(admin, hub):
    with Hostile() as hostile:
        source = f"{hostile.address}/team/app"
        fields = {"source": source, "target": "chief/copied", "tags": "v*, w*", "every_hours": "6",
                  "deletes": "yes"}  # fmt: skip
        assert post(admin, "create", **fields).status == 303
        hub.services.mirroring.begin_due()  # unless the hub itself was quicker
        eventually(lambda: 'class="wide">done ' in admin.get(PAGE).text)
        page = admin.get(PAGE).text
        for words in (source, "v*, w*", "every 6 hours", "removes what is gone", "done"):
            assert words in page
        assert "v1: copied sha256:" in page
        named = re.search(r'name="id" value="(\w+)"', page)
        assert named
        assert post(admin, "run", id=named[1]).status == 303
        assert post(admin, "remove", id=named[1]).status == 303
    assert source not in admin.get(PAGE).text
    assert post(admin, "remove", id=named[1]).status == 404


def test_what_is_wrong_is_said_beside_the_field_and_what_was_typed_stays(admin):
    answer = post(admin, "create-cache", namespace="chief2", upstream="http://registry.example",
                  fresh_s="many", keep_days="7", password="secret words", username="me")  # fmt: skip
    assert answer.status == 400
    assert "without http://" in answer.text
    assert "is believed for 0 to" in answer.text
    assert 'value="http://registry.example"' in answer.text
    assert "secret words" not in answer.text
    answer = post(admin, "create", source="debian:12", target="chief/x", every_hours="1")
    assert (answer.status, "without a tag" in answer.text) == (400, True)
    assert 'value="debian:12"' in answer.text


def test_a_name_that_stands_for_one_already_is_said_beside_its_field(admin):
    fields = {
        "namespace": "twice",
        "upstream": "registry.example",
        "fresh_s": "1",
        "keep_days": "1",
    }
    assert post(admin, "create-cache", **fields).status == 303
    answer = post(admin, "create-cache", **fields)
    assert (answer.status, "stands for a registry already" in answer.text) == (400, True)
    post(admin, "remove-cache", namespace="twice")


def test_only_admins_find_the_page_and_no_other_site_changes_anything(admin, owner, visitor):
    assert visitor.get(PAGE).headers["location"].startswith("/signin")
    assert owner.get(PAGE).status == 404
    assert owner.post(f"{PAGE}/create", page="/settings/tokens", source="x").status == 404
    assert admin.post(f"{PAGE}/create", token="", source="debian").status == 403
    assert post(admin, "frobnicate").status == 404
