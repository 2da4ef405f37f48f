"""The page of one's sessions."""

import re

import pytest
from tests.hub.site.pages import Browser

from lamina.hub.site.signins import browser as words

PAGE = "/settings/sessions"


@pytest.mark.parametrize(
    ("agent", "expected"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1", "Safari on iPhone"),
        ("curl/8.14", "curl"),
        ("<script>", "<script>"),
        ("", "Something that does not say"),
    ],
)  # fmt: skip
def test_a_browser_is_told_in_a_few_words(agent, expected):
    assert words(agent) == expected


def test_the_page_lists_sessions_and_ends_one(hub, visitor):
    visitor.sign_in("bob")
    other = Browser(hub.address)
    other.sign_in("bob")
    page = visitor.get(PAGE).text
    assert page.count("this one") == 1
    assert "127.0.0.1" in page
    assert not any(cookie in page for cookie in other.cookies.values())
    own = hub.services.sessions.find(other.cookies["lamina_session"])[1].id
    assert own in re.findall(r'name="id" value="(\w+)"', page)
    assert visitor.post(f"{PAGE}/end", page=PAGE, id=own).status == 303
    assert "Sign in" in other.get("/").text
    assert visitor.post(f"{PAGE}/end", page=PAGE, id=own).status == 404


def test_all_others_end_at_once(hub, visitor):
    visitor.sign_in("bob")
    others = [Browser(hub.address) for _ in range(3)]
    for each in others:
        each.sign_in("bob")
    assert visitor.post(f"{PAGE}/end-others", page=PAGE).status == 303
    assert all("Sign in" in each.get("/").text for each in others)
    assert "Sign out" in visitor.get("/").text


def test_signing_in_makes_a_session_of_its_own_whatever_was_planted(hub, visitor):
    visitor.cookies["lamina_session"] = "planted"
    visitor.sign_in("bob")
    first = visitor.cookies["lamina_session"]
    assert first != "planted"
    again = Browser(hub.address)
    again.cookies = {**visitor.cookies, "lamina_session": first}
    again.cookies.pop("lamina_session")
    again.sign_in("bob")
    assert again.cookies["lamina_session"] != first
