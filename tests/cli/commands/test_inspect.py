"""`lamina inspect` looks among containers, then images."""

import json

import pytest
from tests.commands import Lamina
from tests.consoles import Console
from tests.images import tiny


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
    assert 'must be one of "container", "image", "network", "volume"' in said.err


def test_a_volume_is_found_too(lamina: Lamina):
    lamina("volume", "create", "kept")
    assert lamina("inspect", "-f", "{{.Name}} {{.Driver}}", "kept") == "kept local\n"
    assert json.loads(lamina("inspect", "--type=volume", "kept"))[0]["Scope"] == "local"
    assert lamina.attempt("inspect", "--type=network", "kept").code == 1


@pytest.mark.root
def test_sizes_are_those_of_the_layer_and_the_image(lamina: Lamina):
    lamina("import", "-", "tiny", stdin=tiny())
    lamina("create", "--name", "sized", "tiny", "true")
    own, whole = lamina("inspect", "-s", "-f", "{{.SizeRw}} {{.SizeRootFs}}", "sized").split()
    assert own == "0"
    assert whole == lamina("image", "inspect", "-f", "{{.Size}}", "tiny").strip()
