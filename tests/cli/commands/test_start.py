from collections.abc import Iterator

import pytest
from tests.commands import Lamina
from tests.containers import world


@pytest.fixture(scope="module")
def lamina(tmp_path_factory) -> Iterator[Lamina]:
    with world(tmp_path_factory.mktemp("start")) as lamina:
        yield lamina


def test_starting_what_runs_is_no_failure(lamina: Lamina):
    lamina("run", "-d", "--name", "up", "tiny", "sleep", "1000")
    assert lamina("start", "up") == "up\n"
    lamina("rm", "-f", "up")


def test_attached_it_ends_with_the_exit_code(lamina: Lamina):
    lamina("create", "-i", "--name", "in", "tiny", "sh", "-c", "cat; exit 4")
    outcome = lamina.attempt("start", "-ai", "in", stdin="typed")
    assert (outcome.code, outcome.out) == (4, "typed")
    assert lamina.attempt("start", "-a", "in", "in").code == 1
    lamina("rm", "in")


def test_input_waits_for_somebody_to_attach(lamina: Lamina):
    lamina("create", "-i", "--name", "waits", "tiny", "cat")
    lamina("start", "waits")
    assert "Up " in lamina("ps")
    assert lamina("attach", "waits", stdin="hello") == "hello"
    lamina("rm", "waits")


def test_each_failure_is_told_and_the_others_start(lamina: Lamina):
    lamina("create", "--name", "good", "tiny", "sleep", "1000")
    outcome = lamina.attempt("start", "nosuch", "good")
    assert (outcome.code, outcome.out) == (1, "good\n")
    assert "No such container: nosuch" in outcome.err
    lamina("rm", "-f", "good")
