"""What goes wrong becomes a page of ours, with a status, words and a way on."""

import errno

import pytest
from tests.hub.clients import PASSWORD, Client
from tests.hub.site.pages import Browser

from lamina.errors import Unavailable
from lamina.hub import Hub, HubSettings
from lamina.hub.tables import repositories


def test_what_is_not_there_offers_to_sign_in_and_come_back(visitor, owner):
    answer = visitor.get("/alice/nothing")
    assert answer.status == 404
    assert "<h1>Not found</h1>" in answer.text
    assert 'href="/signin?next=/alice/nothing"' in answer.text
    assert "Sign in</a>" not in owner.get("/alice/nothing").text


def test_what_is_anothers_is_forbidden(hub, alice):
    alice.image("alice/hers")
    other = Browser(hub.address)
    other.sign_in("bob")
    answer = other.get("/alice/hers/-/settings")
    assert answer.status == 403
    assert "<h1>You may not do that</h1>" in answer.text


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (Unavailable("the database is away"), 503, "The database is away"),
        (OSError(errno.ENOSPC, "full"), 503, "disk is full"),
        (RuntimeError("a fault of ours"), 500, "no fault of yours"),
    ],
)
def test_what_fails_here_is_said_without_its_insides(visitor, monkeypatch, error, status, words):
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(repositories, "search", fail)
    answer = visitor.get("/")
    assert answer.status == status
    assert words in answer.text
    assert "Traceback" not in answer.text
    assert "a fault of ours" not in answer.text
    assert f"<code>{answer.headers['x-request-id']}</code>" in answer.text
    assert ("retry-after" in answer.headers) == (status == 503)


def test_too_many_wrong_passwords_have_to_wait(tmp_path):
    settings = HubSettings(root=str(tmp_path), port=0, shutdown_s=1, account_failures=2)
    with Hub(settings=settings) as hub:
        hub.register("alice", PASSWORD)
        browser = Browser(hub.address)
        statuses = [browser.sign_in("alice", "wrong password").status for _ in range(3)]
        assert statuses == [401, 401, 429]


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("multipart/form-data; boundary=x", b"--x\r\ngarbage", 403),
        ("multipart/form-data", b"no boundary", 403),
        ("application/x-www-form-urlencoded; charset=nothing", b"a=b", 403),
        ("application/x-www-form-urlencoded", b"a=" + b"b" * (2 << 20), 413),
        ("text/plain", b"a=b", 403),
    ],
)  # fmt: skip
def test_forms_that_are_none_are_refused(owner, caplog, kind, body, status):
    answer = owner.send("/settings/profile", body, Content_Type=kind)
    assert answer.status == status
    assert "Traceback" not in answer.text
    assert not caplog.records


def test_immutable_tags_are_refused_with_the_rule(tmp_path):
    settings = HubSettings(root=str(tmp_path), port=0, shutdown_s=1, immutable=("*:v*",))
    with Hub(settings=settings) as hub:
        hub.register("alice", PASSWORD)
        Client(hub.address, "alice").image("alice/app", "v1")
        browser = Browser(hub.address)
        browser.sign_in("alice")
        answer = browser.post("/alice/app/-/delete-tags", page="/alice/app/-/tags", tag="v1")
        assert answer.status == 403
        assert "is immutable and cannot be deleted" in answer.text
