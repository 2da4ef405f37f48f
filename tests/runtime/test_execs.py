import json
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


def states(lamina: Lamina) -> list[dict[str, object]]:
    return [
        json.loads(p.read_text())
        for p in Path(lamina.settings.run_root).glob("c/*/exec/*/state.json")
    ]


def test_many_execs_at_once_keep_their_streams_apart(lamina: Lamina):
    commands = [lamina.start("exec", "host", "sh", "-c", f"echo {n}; exit {n}") for n in range(8)]
    outs = [command.communicate(timeout=100)[0] for command in commands]
    assert outs == [f"{n}\n".encode() for n in range(8)]
    assert [command.returncode for command in commands] == list(range(8))


def test_an_exec_leaves_its_state_and_nothing_else(lamina: Lamina):
    assert lamina.attempt("exec", "host", "sh", "-c", "exit 6").code == 6
    eventually(lambda: 6 in [row["exit_code"] for row in states(lamina)])
    for folder in Path(lamina.settings.run_root).glob("c/*/exec/*"):
        assert [one.name for one in folder.iterdir()] == ["state.json"]


def test_a_background_child_does_not_hold_the_command(lamina: Lamina):
    assert lamina("exec", "host", "sh", "-c", "sleep 500 & echo back") == "back\n"


def test_an_exec_ends_with_its_container_and_says_so(lamina: Lamina):
    lamina("run", "-d", "--name", "ends", "tiny", "sleep", "1000")
    command = lamina.start("exec", "ends", "sleep", "1000")
    eventually(lambda: lamina("top", "ends").count("sleep 1000") == 2)
    lamina("rm", "-f", "ends")
    command.communicate(timeout=60)
    assert command.returncode == 137
