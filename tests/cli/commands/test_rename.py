from collections.abc import Iterator

import pytest
from tests.commands import Lamina
from tests.containers import world


@pytest.fixture(scope="module")
def lamina(tmp_path_factory) -> Iterator[Lamina]:
    with world(tmp_path_factory.mktemp("rename")) as lamina:
        yield lamina


def test_a_container_answers_to_its_new_name_alone(lamina: Lamina):
    lamina("create", "--name", "old", "tiny")
    assert lamina("rename", "old", "new") == ""
    assert "new" in lamina("ps", "-a")
    assert lamina.attempt("rename", "old", "x").code == 1
    assert "Invalid container name" in lamina.attempt("rename", "new", "a b").err
    lamina("rm", "new")


def test_an_empty_name_is_refused_in_dockers_words(lamina: Lamina):
    assert "Neither old nor new names may be empty" in lamina.attempt("rename", "x", "").err
