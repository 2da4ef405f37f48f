"""The page of one's access tokens."""

import re

from tests.hub.clients import Client
from tests.hub.site.pages import Browser

PAGE = "/settings/tokens"


def found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    assert match, pattern
    return match[1]


def test_a_visitor_signs_in_first(visitor):
    for path in (PAGE, "/settings"):
        answer = visitor.get(path)
        assert answer.status == 303
    assert visitor.get(PAGE).headers["location"] == f"/signin?next={PAGE}"
    answer = visitor.post(PAGE, page="/signin", name="x")
    assert answer.headers["location"] == f"/signin?next={PAGE}"


def test_a_token_is_shown_once_listed_and_revoked(hub, visitor):
    visitor.sign_in("alice")
    made = visitor.post(PAGE, name="<b>laptop</b>", push="yes", targets="alice/a, bob", days="7")
    assert (made.status, made.headers["cache-control"]) == (201, "no-store")
    token = found(r"<code>(lamina_pat_[\w-]+)</code>", made.text)
    page = visitor.get(PAGE).text
    assert token not in page
    assert "&lt;b&gt;laptop&lt;/b&gt;" in page
    assert "pull, push" in page
    assert "in alice/a, bob" in page
    holder = Client(hub.address, "alice", token)
    assert holder.get("/v2/").status == 200
    assert "from 127.0.0.1" in visitor.get(PAGE).text
    token_id = found(r'name="id" value="(\w+)"', page)
    assert visitor.post(f"{PAGE}/revoke", page=PAGE, id=token_id).status == 303
    assert holder.get("/v2/").status == 401
    assert "laptop" not in visitor.get(PAGE).text


def test_what_is_wrong_is_said_beside_the_field_and_what_was_typed_stays(visitor):
    visitor.sign_in("bob")
    answer = visitor.post(PAGE, name="mine", targets="../x", push="yes")
    assert answer.status == 400
    assert "is neither a namespace" in answer.text
    assert 'value="mine"' in answer.text
    assert 'name="push" value="yes" checked' in answer.text


def test_no_other_site_and_no_other_account_makes_or_ends_tokens(hub, visitor):
    visitor.sign_in("alice")
    assert visitor.post(PAGE, token="", name="forged").status == 403
    visitor.post(PAGE, name="kept")
    token_id = found(r'name="id" value="(\w+)"', visitor.get(PAGE).text)
    other = Browser(hub.address)
    other.sign_in("bob")
    assert other.post(f"{PAGE}/revoke", page=PAGE, id=token_id).status == 404
    assert "kept" in visitor.get(PAGE).text
