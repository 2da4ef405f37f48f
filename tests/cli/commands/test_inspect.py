"""`lamina inspect` looks among containers, then images."""

import json

from tests.consoles import Console


def test_an_image_is_found_where_no_container_has_the_name(shelf: Console):
    assert json.loads(shelf("inspect", "mysql"))[0]["RepoTags"] == ["mysql:latest"]
    assert shelf("inspect", "--type", "image", "-f", "{{.Os}}", "mysql") == "linux\n"


def test_a_kind_that_was_asked_for_is_the_only_one_looked_at(shelf: Console):
    said = shelf.run("inspect", "--type=container", "mysql")
    assert said.code == 1
    assert said.err.startswith("lamina: No such container: mysql")


def test_what_is_nowhere_is_no_such_object(shelf: Console):
    said = shelf.run("inspect", "nosuch")
    assert (said.code, said.out) == (1, "[]\n")
    assert said.err.startswith("lamina: No such object: nosuch")


def test_an_unknown_kind_is_refused(shelf: Console):
    said = shelf.run("inspect", "--type=cat", "mysql")
    assert said.code == 1
    assert said.err.startswith('lamina: unknown type: "cat"')
