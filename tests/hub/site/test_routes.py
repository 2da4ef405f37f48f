"""Paths of the site and the headers of every page."""

import pytest


@pytest.mark.parametrize(
    "path", ["/", "/register", "/signin", "/alice", "/nothing/here", "/static/style.css"]
)
def test_every_page_is_under_the_strict_policy(visitor, path):
    headers = visitor.get(path).headers
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/", "/register", "/alice", "/nothing"])
def test_no_page_has_anything_inline(visitor, path):
    text = visitor.get(path).text
    assert " style=" not in text
    assert "<style" not in text
    assert text.count("<script") == text.count('<script type="module" src="/static/copy.js">') == 1
    assert " on" not in "".join(part.partition(">")[0] for part in text.split("<"))


@pytest.mark.parametrize(
    "path",
    [
        "/nothing", "/No/Such", "/alice/app/-/nothing", "/alice/app/-/tag/a%00b", "/../etc/passwd",
        "/static/../routes.py", "/static/none.css", "/alice/-/-/tag/v1", "/%ff", "/alice/app/-/tag/%3Cb%3E",
    ],
)  # fmt: skip
def test_what_is_not_there_is_404(visitor, path):
    answer = visitor.get(path)
    assert answer.status == 404
    assert b"Traceback" not in answer.body


def test_static_files_are_small_and_known_by_their_etag(visitor):
    answer = visitor.get("/static/copy.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert len(answer.body) <= 10 * 1024
    again = visitor._client.get("/static/copy.js", If_None_Match=answer.headers["etag"])
    assert again.status == 304
    assert visitor.get("/favicon.ico").headers["content-type"].startswith("image/svg+xml")


def test_posting_where_nothing_takes_it_is_404(visitor):
    assert visitor.send("/alice", b"").status == 404
    assert visitor.send("/alice/app/-/nothing", b"").status == 404
