from collections.abc import Iterator

import pytest
from tests.commands import Lamina
from tests.containers import world


@pytest.fixture(scope="module")
def lamina(tmp_path_factory) -> Iterator[Lamina]:
    with world(tmp_path_factory.mktemp("pause")) as lamina:
        yield lamina


def test_pausing_twice_is_refused(lamina: Lamina):
    lamina("run", "-d", "--name", "still", "tiny", "sleep", "1000")
    assert lamina("pause", "still") == "still\n"
    outcome = lamina.attempt("pause", "still")
    assert (outcome.code, "already paused" in outcome.err) == (1, True)
    lamina("stop", "-t", "0", "still")
    assert "is not running" in lamina.attempt("pause", "still").err
    lamina("rm", "still")
