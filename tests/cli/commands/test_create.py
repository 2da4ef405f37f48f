from collections.abc import Iterator

import pytest
from tests.commands import Lamina
from tests.containers import world


@pytest.fixture(scope="module")
def lamina(tmp_path_factory) -> Iterator[Lamina]:
    with world(tmp_path_factory.mktemp("create")) as lamina:
        yield lamina


def test_a_created_container_has_not_run_and_starts_later(lamina: Lamina):
    container = lamina("create", "--name", "later", "tiny", "echo", "ran").strip()
    assert len(container) == 64
    assert "Created" in lamina("ps", "-a")
    assert lamina("logs", "later") == ""
    assert lamina("start", "-a", "later") == "ran\n"
    lamina("rm", "later")


def test_a_missing_image_is_an_error_and_leaves_nothing(lamina: Lamina):
    outcome = lamina.attempt("create", "--pull", "never", "nosuch")
    assert (outcome.code, lamina("ps", "-aq")) == (1, "")
    assert "No such image: nosuch:latest" in outcome.err
