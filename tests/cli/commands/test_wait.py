import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress

import pytest
from tests.commands import Lamina
from tests.containers import eventually, world


@pytest.fixture(scope="module")
def lamina(tmp_path_factory) -> Iterator[Lamina]:
    with world(tmp_path_factory.mktemp("wait")) as lamina:
        yield lamina


def test_waiting_prints_each_exit_code(lamina: Lamina):
    for code in (3, 4):
        lamina("run", "-d", "--name", f"w{code}", "tiny", "sh", "-c", f"sleep 0.3; exit {code}")
    assert lamina("wait", "w3", "w4") == "3\n4\n"
    assert lamina("wait", "w3") == "3\n"
    lamina("rm", "w3", "w4")


def test_each_is_waited_for_and_what_is_not_there_is_told(lamina: Lamina):
    lamina("create", "--name", "never", "tiny", "true")
    outcome = lamina.attempt("wait", "never", "nosuch", "never")
    assert (outcome.code, outcome.out) == (1, "0\n0\n")
    assert "No such container: nosuch" in outcome.err
    lamina("rm", "never")


def is_connected(pid: int) -> bool:
    links = [f"/proc/{pid}/fd/{name}" for name in os.listdir(f"/proc/{pid}/fd")]
    for link in links:
        with suppress(OSError):  # it was closed meanwhile
            if "socket:" in os.readlink(link):
                return True
    return False


def test_the_code_of_one_that_removes_itself_is_told(lamina: Lamina):
    script = "trap 'exit 9' TERM; echo up; while :; do sleep 0.05; done"
    lamina("run", "-d", "--rm", "--name", "brief", "tiny", "sh", "-c", script)
    assert eventually(lambda: lamina("logs", "brief") == "up\n")
    line = lamina.argv("wait", "--condition", "removed", "brief")
    waiting = subprocess.Popen(line, env=lamina.environ, stdout=subprocess.PIPE)
    assert eventually(lambda: is_connected(waiting.pid))
    lamina("kill", "-s", "TERM", "brief")
    assert waiting.communicate()[0] == b"9\n"
    assert lamina("ps", "-aqf", "name=brief") == ""


def test_a_condition_nobody_knows_is_refused(lamina: Lamina):
    lamina("create", "--name", "odd", "tiny", "true")
    wrong = lamina.attempt("wait", "--condition", "odd", "odd")
    assert wrong.code == 1
    assert 'invalid condition: "odd"' in wrong.err
    lamina("rm", "odd")
