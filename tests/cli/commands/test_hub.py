"""`lamina hub serve|register|user`."""

import io

import pytest
from tests.hub.clients import PASSWORD, Client

from lamina.cli.context import Context
from lamina.cli.main import main
from lamina.hub import Hub


@pytest.fixture
def hub(tmp_path):
    with Hub(root=str(tmp_path / "hub")) as hub:
        yield hub


def run(tmp_path, *words: str, stdin: str = "") -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    environ = {"LAMINA_ROOT": str(tmp_path), "HOME": str(tmp_path)}
    context = Context(out=out, err=err, stdin=io.StringIO(stdin), environ=environ)
    code = main(["hub", *words], context)
    return code, out.getvalue(), err.getvalue()


def test_register_makes_an_account_and_says_how_to_log_in(hub, tmp_path):
    words = ("register", "--hub", hub.address, "--password-stdin", "alice")
    code, out, err = run(tmp_path, *words, stdin=PASSWORD + "\n")
    assert (code, err) == (0, "")
    assert out == (
        f"Registered alice at {hub.url}\nLog in with: lamina login -u alice {hub.address}\n"
    )
    assert Client(hub.address, "alice").get("/v2/").status == 200


def test_register_says_what_is_wrong(hub, tmp_path):
    words = ("register", "--hub", hub.url, "--password-stdin")
    code, out, err = run(tmp_path, *words, "Alice", stdin="short")
    assert (code, out) == (1, "")
    assert "lower-case" in err
    assert "at least 8 characters" in err
    hub.register("bob", PASSWORD)
    assert "the name 'bob' is taken" in run(tmp_path, *words, "bob", stdin=PASSWORD)[2]


def test_register_at_nothing_says_how_to_start_a_hub(tmp_path):
    words = ("register", "--hub", "127.0.0.1:9", "--password-stdin", "alice")
    code, _, err = run(tmp_path, *words, stdin=PASSWORD)
    assert code == 1
    assert "cannot reach http://127.0.0.1:9" in err
    assert "lamina hub serve" in err


def test_a_password_is_not_asked_where_nobody_answers(tmp_path):
    code, _, err = run(tmp_path, "register", "alice")
    assert (code, "--password-stdin" in err) == (1, True)


def test_users_are_listed_and_get_new_passwords_while_the_hub_runs(hub, tmp_path):
    hub.register("alice", PASSWORD)
    hub.register("bob", PASSWORD)
    code, out, _ = run(tmp_path, "user", "ls")
    assert code == 0
    lines = [line.split() for line in out.splitlines()]
    assert lines[0] == ["NAME", "ROLE", "REGISTERED"]
    assert [line[0] for line in lines[1:]] == ["alice", "bob"]
    assert lines[1][1] == "admin"
    code, out, _ = run(
        tmp_path, "user", "--password-stdin", "passwd", "bob", stdin="a new long password"
    )
    assert (code, out.startswith("Password of bob changed")) == (0, True)
    assert Client(hub.address, "bob").get("/v2/").status == 401
    assert Client(hub.address, "bob", "a new long password").get("/v2/").status == 200


def test_user_says_what_it_does_not_know(hub, tmp_path):
    assert (
        "no account is named 'x1'"
        in run(tmp_path, "user", "--password-stdin", "passwd", "x1", stdin=PASSWORD)[2]
    )
    assert "hub user --help" in run(tmp_path, "user", "passwd")[2]
    assert "is not known" in run(tmp_path, "user", "rename", "alice")[2]
    assert "no hub was ever served" in run(tmp_path, "user", "--root", str(tmp_path / "x"), "ls")[2]


def test_serve_refuses_an_address_that_is_none(tmp_path):
    code, _, err = run(tmp_path, "serve", "--address", "nowhere")
    assert (code, "HOST:PORT" in err) == (1, True)


def test_serve_says_that_a_port_is_taken(hub, tmp_path):
    code, _, err = run(tmp_path, "serve", "--address", hub.address, "--root", str(tmp_path / "two"))
    assert code == 1
    assert f"cannot listen on {hub.address}" in err
    assert "--address" in err
