from collections.abc import Iterator

import pytest
from tests.commands import Lamina
from tests.containers import eventually, world


@pytest.fixture(scope="module")
def lamina(tmp_path_factory) -> Iterator[Lamina]:
    with world(tmp_path_factory.mktemp("stop")) as lamina:
        yield lamina


def test_a_container_is_asked_first_and_killed_after(lamina: Lamina):
    trap = "trap 'exit 7' TERM; echo up; while :; do sleep 0.1; done"
    lamina("run", "-d", "--name", "polite", "tiny", "sh", "-c", trap)
    assert eventually(lambda: lamina("logs", "polite") == "up\n")
    assert lamina("stop", "polite") == "polite\n"
    assert "Exited (7)" in lamina("ps", "-a")
    lamina("run", "-d", "--name", "deaf", "tiny", "sleep", "1000")
    lamina("stop", "--timeout", "0", "deaf")
    assert "Exited (137)" in lamina("ps", "-a")
    assert lamina("stop", "deaf") == "deaf\n"
    lamina("rm", "deaf", "polite")
