from collections.abc import Iterator

import pytest
from tests.commands import Lamina
from tests.containers import world


@pytest.fixture(scope="module")
def lamina(tmp_path_factory) -> Iterator[Lamina]:
    with world(tmp_path_factory.mktemp("rm")) as lamina:
        yield lamina


def test_a_running_container_is_removed_only_by_force(lamina: Lamina):
    lamina("run", "-d", "--name", "busy", "tiny", "sleep", "1000")
    outcome = lamina.attempt("rm", "busy")
    assert outcome.code == 1
    assert "Stop the container before attempting removal or force remove" in outcome.err
    assert lamina("rm", "-f", "busy") == "busy\n"
    assert lamina("ps", "-aq") == ""


def test_names_that_are_not_there_are_told_and_the_rest_removed(lamina: Lamina):
    lamina("create", "--name", "here", "tiny")
    outcome = lamina.attempt("rm", "nosuch", "here")
    assert (outcome.code, outcome.out) == (1, "here\n")
    assert "No such container: nosuch" in outcome.err


def test_by_force_a_name_that_is_not_there_is_told_and_no_failure(lamina: Lamina):
    outcome = lamina.attempt("rm", "-f", "nosuch")
    assert (outcome.code, outcome.out) == (0, "")
    assert "No such container: nosuch" in outcome.err


def test_a_container_that_hides_its_files_is_removed_all_the_same(lamina: Lamina):
    lamina("run", "--name", "deep", "tiny", "sh", "-c", "mkdir -p /a/b/c; chmod 0 /a/b /a")
    lamina("rm", "deep")
