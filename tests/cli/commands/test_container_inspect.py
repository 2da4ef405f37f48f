"""`lamina container inspect` looks among containers only."""

from tests.consoles import Console


def test_an_image_is_no_container(shelf: Console):
    said = shelf.run("container", "inspect", "mysql")
    assert (said.code, said.out) == (1, "[]\n")
    assert said.err.startswith("lamina: No such container: mysql")
