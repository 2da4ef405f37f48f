from collections.abc import Iterator

import pytest
from tests.commands import Lamina
from tests.containers import world


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
