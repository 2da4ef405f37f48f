from collections.abc import Iterator

import pytest
from tests.commands import Lamina
from tests.containers import eventually, world


@pytest.fixture(scope="module")
def lamina(tmp_path_factory) -> Iterator[Lamina]:
    with world(tmp_path_factory.mktemp("kill")) as lamina:
        yield lamina


def test_a_signal_is_sent_by_name_or_number(lamina: Lamina):
    trap = "trap 'echo got >> /got' USR1; echo up; while :; do sleep 0.1; done"
    lamina("run", "-d", "--name", "target", "tiny", "sh", "-c", trap)
    assert eventually(lambda: lamina("logs", "target") == "up\n")
    for name in ("USR1", "10"):
        assert lamina("kill", "-s", name, "target") == "target\n"
    assert eventually(lambda: "got" in lamina.attempt("exec", "target", "cat", "/got").out)
    assert "Invalid signal: odd" in lamina.attempt("kill", "-s", "odd", "target").err
    lamina("kill", "target")
    assert lamina("wait", "target") == "137\n"
    assert "is not running" in lamina.attempt("kill", "target").err
    lamina("rm", "target")
