"""`lamina tag` gives names and says nothing."""

from tests.consoles import Console


def test_a_tag_is_given_without_a_word(shelf: Console):
    assert shelf("tag", "mysql", "127.0.0.1:5000/me/db:v2") == ""
    assert shelf("images", "-q", "127.0.0.1:5000/me/db") == shelf("images", "-q", "mysql")


def test_a_name_that_is_none_is_refused_with_what_a_name_looks_like(shelf: Console):
    said = shelf.run("tag", "mysql", "Not A Name")
    assert said.code == 1
    assert said.err.startswith("lamina: invalid reference format")
    assert shelf.run("tag", "nosuch", "x").err.startswith("lamina: No such image: nosuch:latest")
