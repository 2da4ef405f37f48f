"""`lamina rmi` takes names away, then images."""

from tests.commands import Lamina
from tests.consoles import Console


def test_the_last_name_takes_the_image_along(shelf: Console, lamina: Lamina):
    lamina("tag", "mysql", "other:1")
    assert lamina("rmi", "other:1") == "Untagged: other:1\n"
    lines = lamina("rmi", "mysql").splitlines()
    assert lines[0] == "Untagged: mysql:latest"
    assert all(line.startswith("Deleted: sha256:") for line in lines[1:])
    assert "mysql" not in shelf("images")


def test_one_that_is_not_there_does_not_keep_the_others(shelf: Console, lamina: Lamina):
    outcome = lamina.attempt("rmi", "nosuch", "mysql")
    assert outcome.code == 1
    assert outcome.out.startswith("Untagged: mysql:latest")
    assert outcome.err.startswith("lamina: No such image: nosuch:latest")
    assert lamina.attempt("rmi", "-f", "nosuch").code == 0
