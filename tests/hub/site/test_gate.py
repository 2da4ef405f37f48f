"""Who gets which page, and the password once more for what is final."""

import pytest
from tests.hub.site.pages import Browser

from lamina.hub.site.navigation import items

OWN = [each.path for each in items("account")]
FORMS = [
    "/settings/profile", "/settings/password", "/settings/sessions/end",
    "/settings/sessions/end-others", "/settings/delete",
]  # fmt: skip


@pytest.mark.parametrize("path", OWN)
def test_a_visitor_signs_in_first_and_comes_back(visitor, path):
    answer = visitor.get(f"{path}?a=b")
    assert answer.status == 303
    assert answer.headers["location"].startswith(f"/signin?next={path}")


@pytest.mark.parametrize("path", FORMS)
def test_a_form_of_another_site_and_of_nobody_does_nothing(visitor, owner, path):
    assert visitor.post(path, page="/signin").headers["location"] == f"/signin?next={path}"
    assert owner.post(path, token="").status == 403
    body = f"form_token={owner.token('/settings')}".encode()
    assert owner.send(path, body, Origin="https://evil.example").status == 403
    assert owner.get("/settings").status == 200


def test_a_form_of_another_browser_of_the_same_person_does_nothing(hub, owner):
    other = Browser(hub.address)
    other.sign_in("alice")
    token = other.token("/settings")
    assert owner.post("/settings/profile", token=token, about="x").status == 403


def test_wrong_passwords_on_these_pages_are_counted_like_others(tmp_path):
    from tests.hub.clients import PASSWORD

    from lamina.hub import Hub

    with Hub(root=str(tmp_path / "hub")) as hub:
        hub.register("alice", PASSWORD)
        browser = Browser(hub.address)
        browser.sign_in("alice")
        texts = [
            browser.post("/settings/delete", password="wrong wrong", name="alice").text
            for _ in range(9)
        ]
        assert "This is not your password" in texts[7]
        assert "Too many wrong passwords" in texts[8]
        assert hub.services.accounts.find("alice") is not None
