from collections.abc import Iterator

import pytest
from tests.commands import Lamina
from tests.containers import world


@pytest.fixture(scope="module")
def lamina(tmp_path_factory) -> Iterator[Lamina]:
    with world(tmp_path_factory.mktemp("diff")) as lamina:
        yield lamina


def test_changes_are_listed_as_docker_lists_them(lamina: Lamina):
    lamina("run", "--name", "dd", "tiny", "sh", "-c", "echo x > /etc/new; rm -r /home")
    assert lamina("diff", "dd") == "C /etc\nA /etc/new\nD /home\n"
    lamina("run", "--name", "same", "tiny", "true")
    assert lamina("diff", "same") == ""
    lamina("rm", "dd", "same")


def test_one_image_alone_is_no_container_and_is_told_how_it_is_compared(lamina: Lamina):
    said = lamina.attempt("diff", "tiny")
    assert said.code == 1
    assert said.err == (
        "lamina: No such container: tiny\nhint: it is an image: `lamina diff tiny OTHER` compares two\n"
    )
    assert "`lamina ps -a`" in lamina.attempt("diff", "neither").err
