"""`lamina hub token`, with the login that `lamina login` keeps."""

import json

import pytest
from tests.hub.clients import PASSWORD, Client

from lamina.hub import Hub


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    with Hub(root=str(tmp_path_factory.mktemp("hub"))) as hub:
        hub.register("alice", PASSWORD)
        yield hub


@pytest.fixture
def token(run, hub):
    words = ("login", "-u", "alice", "--password-stdin", hub.address)
    assert run(*words, stdin=PASSWORD)[0] == 0
    return lambda *words: run("hub", "token", "--hub", hub.address, *words)


def test_a_token_is_made_on_stdout_listed_and_revoked_by_name(token, hub):
    code, out, err = token("create", "ci", "--allow", "pull", "--only", "alice/app")
    assert (code, out.startswith("lamina_pat_"), out.count("\n")) == (0, True, 1)
    assert "not shown again" in err
    holder = Client(hub.address, "alice", out.strip())
    assert holder.get("/v2/").status == 200
    header, row = token("ls")[1].splitlines()
    assert header.split()[:2] == ["TOKEN", "ID"]
    assert row.split()[1:4] == ["ci", "pull", "alice/app"]
    listed = json.loads(token("ls", "--format", "json")[1])
    assert (listed["Name"], listed["ID"]) == ("ci", token("ls", "-q")[1].strip())
    assert json.loads(token("ls", "--json")[1])[0]["actions"] == ["pull"]
    assert token("rm", "ci") == (0, "ci\n", "")
    assert holder.get("/v2/").status == 401
    assert token("ls", "-q")[1] == ""


def test_a_login_with_a_token_pulls_and_makes_no_tokens(token, run, hub):
    secret = token("create", "narrow", "--expires", "0")[1].strip()
    words = ("login", "-u", "alice", "--password-stdin", hub.address)
    assert run(*words, stdin=secret)[0] == 0
    code, _, err = token("ls")
    assert (code, "an access token is for images and repositories alone" in err) == (1, True)


def test_what_is_wrong_is_said_and_what_to_do(token, run, hub):
    code, _, err = token("create", "x", "--allow", "fly")
    assert (code, "pull, push, delete" in err) == (1, True)
    assert "no access token is named 'gone'" in token("rm", "gone")[2]
    assert "'create NAME'" in token("make")[2]
    code, _, err = run("hub", "token", "--hub", "other.example:1", "ls")
    assert (code, "lamina login other.example:1" in err) == (1, True)
