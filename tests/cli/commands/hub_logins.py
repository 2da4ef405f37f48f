"""A hub, and the command line logged into it as one of its people."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.hub.clients import PASSWORD

from lamina.cli.context import Context
from lamina.cli.main import main
from lamina.hub import Hub

__all__ = ["Run", "hub", "login"]

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def hub(tmp_path_factory) -> Iterator[Hub]:
    """A hub with chief (admin), alice and bob."""
    with Hub(root=str(tmp_path_factory.mktemp("hub"))) as hub:
        for name in ("chief", "alice", "bob"):
            hub.register(name, PASSWORD)
        yield hub


@pytest.fixture
def login(tmp_path: Path, hub: Hub) -> Callable[..., Run]:
    """Log in; give `lamina hub COMMAND --hub …` as that account: code, stdout and stderr."""

    def log_in(name: str, command: str) -> Run:
        home = tmp_path / name
        environ = {
            "LAMINA_ROOT": str(home),
            "HOME": str(home),
            "DOCKER_CONFIG": str(home / "docker"),
        }

        def run(*words: str, stdin: str = "") -> tuple[int, str, str]:
            out, err = io.StringIO(), io.StringIO()
            context = Context(out=out, err=err, stdin=io.StringIO(stdin), environ=environ)
            return main([*words], context), out.getvalue(), err.getvalue()

        assert run("login", "-u", name, "--password-stdin", hub.address, stdin=PASSWORD)[0] == 0
        return lambda *words: run("hub", command, "--hub", hub.address, *words)

    return log_in
