from collections.abc import Iterator

import pytest
from tests.commands import Lamina
from tests.containers import eventually, world


@pytest.fixture(scope="module")
def lamina(tmp_path_factory) -> Iterator[Lamina]:
    with world(tmp_path_factory.mktemp("exec")) as lamina:
        yield lamina


def test_flags_after_the_container_belong_to_the_command(lamina: Lamina):
    lamina("run", "-d", "--name", "ee", "tiny", "sleep", "1000")
    assert lamina("exec", "ee", "echo", "-e", "x") == "x\n"
    assert lamina("exec", "-e", "A", "ee", "sh", "-c", "echo [$A]") == "[]\n"
    assert lamina.attempt("exec", "ee").code != 0
    assert "not a TTY" in lamina.attempt("exec", "-it", "ee", "sh").err
    lamina("stop", "-t", "0", "ee")
    outcome = lamina.attempt("exec", "ee", "true")
    assert (outcome.code, "is not running" in outcome.err) == (1, True)
    lamina("rm", "ee")


def test_an_exec_that_cannot_be_started_ends_with_126(lamina: Lamina):
    lamina("run", "-d", "--name", "never", "tiny", "sleep", "1000")
    for flags, words in (
        (["-u", "nosuch"], "unable to find user nosuch"),
        (["-u", "5:nosuch"], "unable to find group nosuch"),
        (["-w", "/bin/busybox"], "ot a directory"),
    ):
        outcome = lamina.attempt("exec", *flags, "never", "true")
        assert (outcome.code, words in outcome.err) == (126, True), outcome
    copied = "cp /bin/busybox /b; exec 3>>/b; touch /held; sleep 1000"
    lamina("exec", "-d", "never", "sh", "-c", copied)
    eventually(lambda: lamina.attempt("exec", "never", "test", "-e", "/held").code == 0)
    outcome = lamina.attempt("exec", "never", "/b", "true")
    assert (outcome.code, 'exec: "/b": text file busy' in outcome.err) == (126, True), outcome
    lamina("rm", "-f", "never")
