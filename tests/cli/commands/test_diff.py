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
