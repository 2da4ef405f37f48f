from collections.abc import Iterator

import pytest
from tests.commands import Lamina
from tests.containers import eventually, world


@pytest.fixture(scope="module")
def lamina(tmp_path_factory) -> Iterator[Lamina]:
    with world(tmp_path_factory.mktemp("restart")) as lamina:
        yield lamina


def test_a_restarted_container_is_another_process_with_the_same_files(lamina: Lamina):
    lamina("run", "-d", "--name", "again", "tiny", "sh", "-c", "echo x >> /turns; sleep 1000")
    assert eventually(lambda: lamina.attempt("exec", "again", "cat", "/turns").out == "x\n")
    before = lamina("inspect", "-f", "{{.State.Pid}}", "again")
    assert lamina("restart", "-t", "0", "again") == "again\n"
    assert lamina("inspect", "-f", "{{.State.Pid}}", "again") != before
    assert eventually(lambda: lamina.attempt("exec", "again", "cat", "/turns").out == "x\nx\n")
    lamina("rm", "-f", "again")
