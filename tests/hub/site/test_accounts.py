"""Registering, signing in and out on pages."""

import pytest
from tests.hub.clients import PASSWORD

from lamina.hub.site.accounts import safe_next


def test_registering_signs_in_and_leads_to_ones_own_page(visitor):
    answer = visitor.post("/register", name="newcomer", password=PASSWORD)
    assert (answer.status, answer.headers["location"]) == (303, "/newcomer")
    assert "You have not pushed anything yet" in visitor.get("/newcomer").text
    assert visitor.get("/register").headers["location"] == "/newcomer"


def test_what_is_wrong_stands_beside_its_field(visitor):
    answer = visitor.post("/register", name="Bad Name", password="short")
    assert answer.status == 400
    assert 'id="name-wrong"' in answer.text
    assert 'id="password-wrong"' in answer.text
    assert 'value="Bad Name"' in answer.text
    assert "short" not in answer.text
    answer = visitor.post("/register", name="alice", password=PASSWORD)
    assert (answer.status, "is taken" in answer.text) == (409, True)


def test_signing_in_and_out(visitor):
    answer = visitor.post("/signin", name="alice", password="not it at all")
    assert (answer.status, "do not match" in answer.text) == (401, True)
    assert visitor.post("/signin", name="nobody-here", password=PASSWORD).status == 401
    assert visitor.sign_in("alice").status == 303
    assert "Sign out" in visitor.get("/").text
    old = dict(visitor.cookies)
    assert visitor.post("/signout", page="/").status == 303
    visitor.cookies = old
    assert "Sign in" in visitor.get("/").text


def test_session_cookies_are_hidden_from_scripts_and_other_sites(visitor):
    header = visitor.sign_in("alice").headers["set-cookie"]
    assert "HttpOnly" in header
    assert "SameSite=Lax" in header


def test_names_with_markup_are_escaped(visitor):
    answer = visitor.post("/register", name='"><script>alert(1)</script>', password=PASSWORD)
    assert "<script>alert" not in answer.text


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/alice/app?x=1", "/alice/app?x=1"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("", "/"),
        ("/a\r\nSet-Cookie: x=y", "/"),
        ("javascript:alert(1)", "/"),
    ],
)
def test_one_goes_on_to_paths_of_ours_only(target, expected):
    assert safe_next(target) == expected


def test_signing_in_leads_back_to_where_one_was(visitor):
    answer = visitor.post("/signin", name="alice", password=PASSWORD, next="/alice/app")
    assert answer.headers["location"] == "/alice/app"
