from collections.abc import Iterator

import pytest
from tests.commands import Lamina
from tests.containers import world


@pytest.fixture(scope="module")
def lamina(tmp_path_factory) -> Iterator[Lamina]:
    with world(tmp_path_factory.mktemp("unpause")) as lamina:
        yield lamina


def test_only_what_is_paused_goes_on(lamina: Lamina):
    lamina("run", "-d", "--name", "moves", "tiny", "sleep", "1000")
    assert "is not paused" in lamina.attempt("unpause", "moves").err
    lamina("pause", "moves")
    assert lamina("unpause", "moves") == "moves\n"
    assert "(Paused)" not in lamina("ps")
    lamina("rm", "-f", "moves")
