"""`lamina image inspect` prints docker's document, or a template's line."""

import json

from tests.consoles import Console


def test_images_are_printed_as_one_array_with_four_blanks(shelf: Console):
    text = shelf("image", "inspect", "mysql", "example.com/app:v1")
    assert text.startswith('[\n    {\n        "Id": "sha256:')
    documents = json.loads(text)
    assert [document["RepoTags"] for document in documents] == [
        ["mysql:latest"],
        ["example.com/app:v1"],
    ]
    assert documents[0]["Config"]["Labels"] == {"tier": "db"}
    assert documents[0]["Author"] == "Some One"


def test_a_template_gives_a_line_for_each(shelf: Console):
    assert shelf("image", "inspect", "-f", "{{len .RootFS.Layers}}", "mysql", "mysql") == "2\n2\n"
    env = shelf("image", "inspect", "--format", "{{json .Config.Env}}", "mysql")
    assert env == '["PATH=/bin"]\n'


def test_what_is_not_there_is_told_and_the_rest_printed(shelf: Console):
    said = shelf.run("image", "inspect", "nosuch", "mysql")
    assert said.code == 1
    assert len(json.loads(said.out)) == 1
    assert said.err.startswith("lamina: No such image: nosuch:latest")


def test_nothing_found_is_an_empty_array(shelf: Console):
    assert shelf.run("image", "inspect", "nosuch").out == "[]\n"


def test_a_broken_template_ends_with_64(shelf: Console):
    said = shelf.run("image", "inspect", "-f", "{{.Id", "mysql")
    assert (said.code, said.out) == (64, "")
    assert said.err == "lamina: template parsing error: template: :1: unclosed action\n"
