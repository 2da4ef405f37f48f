from collections.abc import Iterator

import pytest
from tests.commands import Lamina
from tests.containers import world


@pytest.fixture(scope="module")
def lamina(tmp_path_factory) -> Iterator[Lamina]:
    with world(tmp_path_factory.mktemp("attach")) as lamina:
        yield lamina


def test_what_comes_after_attaching_is_seen_and_the_code_passed_on(lamina: Lamina):
    lamina("run", "-di", "--name", "talk", "tiny", "sh", "-c", "read x; echo $x; exit 5")
    outcome = lamina.attempt("attach", "talk", stdin="hello\n")
    assert (outcome.code, outcome.out) == (5, "hello\n")
    assert "is not running" in lamina.attempt("attach", "talk").err
    lamina("rm", "talk")
