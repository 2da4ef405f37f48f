from collections.abc import Iterator

import pytest
from tests.commands import Lamina
from tests.containers import eventually, world


@pytest.fixture(scope="module")
def lamina(tmp_path_factory) -> Iterator[Lamina]:
    with world(tmp_path_factory.mktemp("top")) as lamina:
        yield lamina


def test_the_processes_inside_are_listed_with_this_machines_numbers(lamina: Lamina):
    lamina("run", "-d", "--name", "tt", "tiny", "sh", "-c", "sleep 1000 & wait")
    assert eventually(lambda: len(lamina("top", "tt").splitlines()) == 3)
    assert lamina("top", "tt").splitlines()[0].split()[:2] == ["UID", "PID"]
    assert eventually(lambda: "sleep" in lamina("top", "tt", "-o", "pid,comm", "-e"))
    lamina("rm", "-f", "tt")


def test_options_of_ps_choose_columns_and_need_not_choose_processes(lamina: Lamina):
    lamina("run", "-d", "--name", "oo", "tiny", "sleep", "1000")
    assert eventually(lambda: lamina("top", "oo", "-o", "pid,args").endswith(" sleep 1000\n"))
    header, row = lamina("top", "oo", "-o", "pid,args").splitlines()
    assert header.split() == ["PID", "COMMAND"]
    assert row.split()[1:] == ["sleep", "1000"]
    assert lamina("top", "oo", "aux").splitlines()[0].split()[:2] == ["USER", "PID"]
    assert "Couldn't find PID field in ps output" in lamina.attempt("top", "oo", "-o", "args").err
    wrong = lamina.attempt("top", "oo", "-o", "nosuch")
    assert wrong.code == 1
    assert wrong.err.startswith("lamina: ps: error: ")
    assert "Usage" not in wrong.err
    lamina("rm", "-f", "oo")
    assert "is not running" in lamina.attempt("top", lamina("create", "tiny").strip()).err
