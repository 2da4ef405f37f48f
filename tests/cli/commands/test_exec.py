from collections.abc import Iterator

import pytest
from tests.commands import Lamina
from tests.containers import world


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
