"""`lamina hub webhook`, with the login that `lamina login` keeps."""

import json

import pytest
from tests.hub.clients import PASSWORD

from lamina.hub import Hub


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    with Hub(root=str(tmp_path_factory.mktemp("hub"))) as hub:
        hub.register("alice", PASSWORD)
        yield hub


@pytest.fixture
def webhook(run, hub):
    words = ("login", "-u", "alice", "--password-stdin", hub.address)
    assert run(*words, stdin=PASSWORD)[0] == 0
    return lambda *words, stdin="": run("hub", "webhook", "--hub", hub.address, *words, stdin=stdin)


def test_a_webhook_is_made_with_its_secret_on_stdout_tested_told_again_and_deleted(webhook):
    code, out, err = webhook("create", "alice", "https://hooks.example/x", "--events", "push,move")
    assert (code, out.startswith("whsec_"), out.count("\n")) == (0, True, 1)
    assert "not shown again" in err
    named = webhook("ls", "alice", "-q")[1].strip()
    assert named in err
    header, row = webhook("ls", "alice")[1].splitlines()
    assert header.split()[:2] == ["WEBHOOK", "ID"]
    assert row.split()[1:4] == ["https://hooks.example/x", "push,move", "told"]
    assert webhook("test", named)[:2] == (0, f"{named}\n")
    (logged,) = json.loads(webhook("log", named, "--json")[1])
    assert (logged["event"], logged["subject"]) == ("test", "alice")
    assert webhook("redeliver", named, logged["id"])[0] == 0
    assert len(webhook("log", named, "-q")[1].splitlines()) == 2
    assert webhook("rest", named)[0] == 0
    assert "rests" in webhook("ls", "alice")[1]
    assert webhook("wake", named)[0] == 0
    assert webhook("rm", named) == (0, f"{named}\n", "")
    assert webhook("ls", "alice", "-q")[1] == ""


def test_a_secret_of_the_receivers_own_comes_by_stdin(webhook):
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    words = ("create", "--secret-stdin", "alice", "https://hooks.example/y")
    assert webhook(*words, stdin=f"{secret}\n")[1] == f"{secret}\n"
    webhook("rm", webhook("ls", "alice", "-q")[1].strip())


def test_what_is_wrong_is_said_and_what_is_not_known_has_a_hint(webhook):
    code, out, err = webhook("create", "alice", "http://localhost.")
    assert code == 0, err
    webhook("rm", webhook("ls", "alice", "-q")[1].strip())
    code, out, err = webhook("create", "alice", "http://10.0.0.1/")
    assert (code, out, "private network" in err) == (1, "", True)
    assert "no namespace or repository 'bob'" in webhook("ls", "bob")[2]
    assert "hub webhook --help" in webhook("frobnicate", "alice")[2]
