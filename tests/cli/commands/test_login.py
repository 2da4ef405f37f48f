"""`lamina login` asks without echo, warns as docker does, and keeps what docker reads."""

import json
from pathlib import Path

import pexpect
import pytest
from tests.commands import Lamina, ended
from tests.consoles import Console
from tests.servers import HubServer

from lamina.cli.commands.login import registry_of

PASSWORD = "correct horse battery"
REFUSED = "another wrong one"


@pytest.fixture
def account(hub: HubServer, request: pytest.FixtureRequest) -> str:
    name = "user" + str(abs(hash(request.node.name)))[:8]
    hub.register(name, PASSWORD)
    return name


def kept(lamina: Lamina) -> dict[str, object]:
    path = Path(lamina.settings.docker_config) / "config.json"
    auths: dict[str, object] = json.loads(path.read_text())["auths"] if path.exists() else {}
    return auths


def test_a_password_from_stdin_logs_in_and_is_kept_for_docker(
    lamina: Lamina, hub: HubServer, account: str
):
    outcome = lamina.attempt(
        "login", "-u", account, "--password-stdin", hub.address, stdin=PASSWORD + "\n"
    )
    assert (outcome.code, outcome.out) == (0, "Login Succeeded\n")
    path = Path(lamina.settings.docker_config) / "config.json"
    assert outcome.err == (
        f"\nWARNING! Your credentials are stored unencrypted in '{path}'.\n"
        "Configure a credential helper to remove this warning. See\n"
        "https://docs.docker.com/go/credential-store/\n\n"
    )
    assert hub.address in kept(lamina)
    assert lamina("login", hub.address) == (
        "Authenticating with existing credentials...\nLogin Succeeded\n"
    )


def test_a_person_is_asked_and_the_password_is_not_echoed(
    lamina: Lamina, hub: HubServer, account: str
):
    words = lamina.argv("login", hub.address)
    child = pexpect.spawn(words[0], words[1:], env=lamina.environ, encoding="utf-8", timeout=60)
    child.expect_exact("Username: ")
    child.sendline(account)
    child.expect_exact("Password: ")
    child.sendline(PASSWORD)
    rest = child.read()
    assert ended(child) == 0, rest
    assert "Login Succeeded" in rest
    assert PASSWORD not in rest


def test_a_wrong_password_is_refused_and_nothing_is_kept(
    lamina: Lamina, hub: HubServer, account: str
):
    outcome = lamina.attempt("login", "-u", account, "-p", REFUSED, hub.address)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith(
        "WARNING! Using --password via the CLI is insecure. Use --password-stdin.\nlamina: "
    )
    assert "unauthorized" in outcome.err
    assert kept(lamina) == {}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--password-stdin",), "Must provide --username with --password-stdin"),
        (
            ("-u", "a", "-p", "b", "--password-stdin"),
            "--password and --password-stdin are mutually exclusive",
        ),
        (("-u", "a"), "Cannot perform an interactive login from a non TTY device"),
        (("-u", "a", "--password-stdin"), "--password-stdin: nothing came on standard input"),
    ],
)
def test_flags_that_cannot_work_are_refused_in_dockers_words(
    words: tuple[str, ...], message: str, tmp_path: Path
):
    environ = {"HOME": str(tmp_path), "DOCKER_CONFIG": str(tmp_path)}
    said = Console(environ).run("login", *words, "127.0.0.1:1")
    assert said.code == 1
    assert f"lamina: {message}" in said.err


@pytest.mark.parametrize(
    ("words", "registry"),
    [
        ((), "docker.io"),
        (("https://index.docker.io/v1/",), "docker.io"),
        (("registry-1.docker.io",), "docker.io"),
        (("https://example.com/v2/",), "example.com"),
        (("127.0.0.1:5000",), "127.0.0.1:5000"),
    ],
)
def test_a_server_may_be_written_in_many_ways(words: tuple[str, ...], registry: str):
    assert registry_of(words) == registry
