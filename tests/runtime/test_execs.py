from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.commands import Lamina
from tests.containers import RUNTIMES, eventually, world


@pytest.fixture(scope="module", params=RUNTIMES)
def lamina(request, tmp_path_factory) -> Iterator[Lamina]:
    with world(tmp_path_factory.mktemp("execs"), runtime=request.param) as lamina:
        lamina("run", "-d", "--name", "host", "tiny", "sleep", "1000")
        yield lamina


def test_many_execs_at_once_keep_their_streams_apart(lamina: Lamina):
    commands = [lamina.start("exec", "host", "sh", "-c", f"echo {n}; exit {n}") for n in range(8)]
    outs = [command.communicate(timeout=100)[0] for command in commands]
    assert outs == [f"{n}\n".encode() for n in range(8)]
    assert [command.returncode for command in commands] == list(range(8))


def test_an_exec_leaves_nothing_however_it_ends(lamina: Lamina):
    # A container that lives for long has millions: each left a folder with how it had ended.
    assert lamina.attempt("exec", "host", "sh", "-c", "exit 6").code == 6
    assert lamina.attempt("exec", "host", "no-such-program").code == 127
    lamina("exec", "-d", "host", "true")
    folders = Path(lamina.settings.run_root)
    assert eventually(lambda: not list(folders.glob("c/*/exec/*")))


def test_a_background_child_does_not_hold_the_command(lamina: Lamina):
    assert lamina("exec", "host", "sh", "-c", "sleep 500 & echo back") == "back\n"


def test_an_exec_ends_with_its_container_and_says_so(lamina: Lamina):
    lamina("run", "-d", "--name", "ends", "tiny", "sleep", "1000")
    command = lamina.start("exec", "ends", "sleep", "1000")
    eventually(lambda: lamina("top", "ends").count("sleep 1000") == 2)
    lamina("rm", "-f", "ends")
    command.communicate(timeout=60)
    assert command.returncode == 137
