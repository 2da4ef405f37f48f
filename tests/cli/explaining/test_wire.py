"""Requests and answers as lines."""

import io

from tests.consoles import Console

from lamina.cli.explaining.page import Page
from lamina.cli.explaining.wire import Conversation, answer_of, request_of, target_of
from lamina.events import Admitted, Exchanged

UPLOAD = "http://r.example/v2/a/b/blobs/uploads/0123456789"
BLOB = "http://r.example/v2/a/b/blobs/sha256:12"


def exchanged(method: str = "GET", url: str = BLOB, status: int = 200, **facts) -> Exchanged:
    return Exchanged(method, url, status, **{"query": {}, "headers": {}, **facts})


def test_what_is_asked_about_is_a_tag_a_digest_or_an_upload():
    assert target_of(exchanged()) == "sha256:12"
    assert target_of(exchanged(url="http://r.example/v2/a/manifests/v1")) == "v1"
    assert target_of(exchanged(url=UPLOAD)) == "uploads"
    assert target_of(exchanged(url="http://r.example/token")) == ""


def test_a_request_says_what_goes_along_and_not_the_whole_address_of_an_upload():
    sent = exchanged("PUT", UPLOAD, query={"digest": "sha256:1"}, scheme="Bearer", sent=5)
    assert request_of(sent) == (
        "PUT http://r.example/v2/a/b/blobs/uploads/01234567…?digest=sha256:1  (with the token and 5 bytes)"
    )
    assert request_of(exchanged(scheme="basic")).endswith("(with name and password)")


def test_an_answer_says_what_matters_for_it():
    manifest = "http://r.example/v2/a/manifests/v1"
    headers = {"content-type": "a/b", "content-length": "9", "docker-content-digest": "sha256:1"}
    assert answer_of(exchanged(url=manifest, headers=headers)) == "200 OK, a/b, 9 bytes, sha256:1"
    moved = {"location": "http://s.example/x"}
    assert answer_of(exchanged(status=307, headers=moved)) == (
        "307 Temporary Redirect, Location: http://s.example/x"
    )
    asked = {"www-authenticate": 'Bearer realm="x"'}
    assert answer_of(exchanged(status=401, headers=asked)) == (
        '401 Unauthorized, WWW-Authenticate: Bearer realm="x"'
    )
    assert answer_of(exchanged("POST", UPLOAD, 299)) == "299"


def told(*deeds: Exchanged | Admitted) -> str:
    out = io.StringIO()
    talk = Conversation(Page(Console().context(), out, width=100))
    for deed in deeds:
        talk.hear(deed)
    talk.tell()
    assert not talk.asked
    return out.getvalue()


def test_a_token_that_nobody_was_seen_to_ask_for_is_an_earlier_commands():
    assert (
        told(exchanged(scheme="Bearer"), exchanged(scheme="Bearer")).count("earlier command") == 1
    )
    new = Admitted("r.example", "http://t.example", "s", ("repository:a:pull",), "", 60.0)
    text = told(
        exchanged(status=401, headers={"www-authenticate": 'Bearer realm="x"'}),
        new,
        exchanged(scheme="Bearer"),
    )
    assert "earlier command" not in text
    assert "for anybody, without an account, good for 60 seconds" in text


def test_a_registry_that_wants_a_password_and_one_that_wants_more_are_told_apart():
    assert "a name and a password" in told(
        exchanged(status=401, headers={"www-authenticate": 'Basic realm="x"'})
    )
    more = told(
        exchanged(status=401, scheme="Bearer", headers={"www-authenticate": 'Bearer realm="x"'})
    )
    assert "not enough" in more
