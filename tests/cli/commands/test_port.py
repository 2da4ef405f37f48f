from collections.abc import Iterator

import pytest
from tests.commands import Lamina
from tests.containers import world


@pytest.fixture(scope="module")
def lamina(tmp_path_factory) -> Iterator[Lamina]:
    with world(tmp_path_factory.mktemp("port")) as lamina:
        yield lamina


def test_nothing_is_published_yet(lamina: Lamina):
    lamina("create", "--name", "pp", "tiny")
    assert lamina("port", "pp") == ""
    assert "no public port '80/tcp' published for pp" in lamina.attempt("port", "pp", "80").err
    lamina("rm", "pp")
