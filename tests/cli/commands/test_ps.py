from collections.abc import Iterator

import pytest
from tests.commands import Lamina
from tests.containers import world


@pytest.fixture(scope="module")
def lamina(tmp_path_factory) -> Iterator[Lamina]:
    with world(tmp_path_factory.mktemp("ps")) as lamina:
        yield lamina


def test_the_table_is_dockers(lamina: Lamina):
    lamina("run", "-d", "--name", "up", "tiny", "sh", "-c", "i=0; while true; do sleep 1; done")
    lamina.attempt("run", "--name", "down", "tiny", "sh", "-c", "exit 3")
    header, down, up = lamina("ps", "-a").splitlines()
    assert header.split("   ")[0] == "CONTAINER ID"
    assert "Exited (3)" in down
    assert "Up " in up
    assert '"sh -c \'i=0; while t…"' in up
    assert lamina("ps", "--format", "{{.Names}} {{.State}} {{.Image}}") == "up running tiny\n"
    assert len(lamina("ps", "-q", "--no-trunc").strip()) == 64
    assert lamina("ps", "-l", "--format", "{{.Names}}") == "down\n"
    assert lamina("ps", "-n", "2", "--format", "{{.Names}}") == "down\nup\n"
    assert lamina("ps", "-aqf", "status=exited", "-f", "exited=3").strip()
    assert "SIZE" in lamina("ps", "-s")
    assert '"Name": "up"' in lamina("ps", "--json")
    assert "invalid filter 'odd'" in lamina.attempt("ps", "-f", "odd=1").err
    lamina("rm", "-f", "up", "down")
