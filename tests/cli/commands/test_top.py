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
    assert "sleep" in lamina("top", "tt", "-o", "pid,comm", "-e")
    lamina("rm", "-f", "tt")
