"""The pages of webhooks."""

import re

import pytest
from tests.containers import eventually
from tests.hub.site.pages import Browser

OWN, PAGE = "/settings/webhooks", "/alice/-/webhooks"


def made(browser, page=PAGE, **fields):
    answer = browser.post(page, url="https://hooks.example/<x>".replace("<x>", "x"), **fields)
    assert answer.status == 201, answer.text
    found = re.search(rf'href="({page}/[0-9a-f]+)"', answer.text)
    assert found
    return found[1], answer


def test_a_visitor_signs_in_first_and_a_stranger_finds_nothing(hub, visitor, owner):
    assert visitor.get(OWN).headers["location"] == f"/signin?next={OWN}"
    path, _ = made(owner, push="yes")
    stranger = Browser(hub.address)
    stranger.sign_in("bob")
    for where in (PAGE, path, path.replace("alice", "bob")):
        assert stranger.get(where).status == 404
    assert stranger.post(path, page=OWN, do="delete").status == 404
    assert owner.get(path).status == 200
    owner.post(path, do="delete")


def test_the_secret_is_shown_once_and_the_webhook_is_listed(owner):
    path, answer = made(owner, push="yes", move="yes")
    secret = re.search(r"<code>(whsec_[\w+/=]+)</code>", answer.text)
    assert secret
    for where in (OWN, PAGE, path):
        page = owner.get(where).text
        assert secret[1] not in page
        assert "push, move" in page
    assert owner.post(path, do="delete").headers["location"] == OWN
    assert "hooks.example" not in owner.get(OWN).text


def test_what_is_wrong_is_said_beside_the_field_and_what_was_typed_stays(owner):
    answer = owner.post(PAGE, url="http://127.0.0.1/hook", delete="yes")
    assert answer.status == 400
    assert "private network" in answer.text
    assert 'value="http://127.0.0.1/hook"' in answer.text
    assert 'name="delete" value="yes" checked' in answer.text
    assert 'name="push" value="yes" >' in answer.text


def test_a_test_is_logged_and_sent_again_and_one_rests_and_wakes(owner):
    path, _ = made(owner, push="yes")
    assert owner.post(path, do="test").headers["location"] == path
    page = owner.get(path).text
    delivery = re.search(r'name="delivery" value="([\w-]+)"', page)
    assert delivery
    assert "test <code>alice</code>" in page
    assert owner.post(path, do="redeliver", delivery=delivery[1]).status == 303
    assert owner.get(path).text.count("test <code>alice</code>") == 2
    assert owner.post(path, do="rest").status == 303
    assert "Wake it" in owner.get(path).text
    assert owner.post(path, do="wake").status == 303
    assert "Let it rest" in owner.get(path).text
    assert owner.post(path, do="nothing").status == 404
    owner.post(path, do="delete")


def test_why_nothing_came_back_stands_beside_the_outcome(owner):
    answer = owner.post(PAGE, url="https://localhost/x", push="yes")  # refused as it is looked up
    path = re.findall(rf'href="({PAGE}/[0-9a-f]+)">https://localhost/x<', answer.text)[0]
    owner.post(path, do="test")
    outcome = re.compile(r'<td class="wide">\w+: not sent: [^<]+')
    eventually(lambda: outcome.search(owner.get(path).text))
    owner.post(path, do="delete")


def test_a_repositorys_own_webhooks_stand_in_its_settings(owner, alice):
    alice.image("alice/hooked", "v1")
    page = "/alice/hooked/-/webhooks"
    path, _ = made(owner, page, delete="yes")
    assert 'aria-current="page">Webhooks' in owner.get(page).text
    assert owner.get(path).status == 200
    assert "hooks.example" not in owner.get(PAGE).text
    assert owner.post(path, do="delete").headers["location"] == page


@pytest.mark.parametrize(
    "path", ["/nobody/-/webhooks", "/alice/absent/-/webhooks", f"{PAGE}/absent"]
)
def test_what_is_not_there_is_not_found(owner, path):
    assert owner.get(path).status == 404


def test_no_other_site_makes_a_webhook(owner):
    assert owner.post(PAGE, token="", url="https://hooks.example/", push="yes").status == 403
