"""Names and passwords, and the words for what is wrong with them."""

import pytest

from lamina.hub.errors import FormInvalid, RepositoryNameInvalid, TagInvalid
from lamina.hub.names import (
    RESERVED,
    check_account,
    check_repository,
    check_tag,
    is_repository,
    name_trouble,
    namespace_of,
    password_trouble,
)


@pytest.mark.parametrize(
    "name", ["al", "alice", "a.b", "a_b", "a__b", "a-b", "a--b", "0x", "a" * 39]
)
def test_good_names_have_no_trouble(name):
    assert name_trouble(name) == ""


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "Choose a name"),
        ("Alice", "lower-case"),
        ("a", "2 to 39"),
        ("a" * 40, "this one has 40"),
        ("-ab", "both ends"),
        ("ab-", "both ends"),
        ("a..b", "single"),
        ("a___b", "single"),
        ("a b", "letters a-z"),
        ("a/b", "letters a-z"),
        ("älice", "letters a-z"),
        ("v2", "reserved"),
        ("favicon.ico", "reserved"),
    ],
)
def test_bad_names_are_told_what_is_wrong(name, words):
    assert words in name_trouble(name)


def test_no_account_can_be_named_as_a_path_of_the_site():
    assert {"register", "signin", "signout", "static", "token", "api", "v2", "healthz"} <= RESERVED


@pytest.mark.parametrize(
    ("password", "words"),
    [
        ("short", "at least 8"),
        ("x" * 257, "at most 256"),
        ("Password1", "common"),
        ("abababab", "repeats"),
        ("carolina", "must not be the name"),
        ("lamina_pat_something", "access tokens do"),
    ],
)
def test_weak_passwords_are_told_why(password, words):
    assert words in password_trouble(password, name="carolina")


def test_long_words_and_other_scripts_make_good_passwords():
    assert password_trouble("correct horse battery") == ""
    assert password_trouble("ünïcödé-pässwörd") == ""


def test_both_fields_are_told_at_once():
    with pytest.raises(FormInvalid) as caught:
        check_account("X", "y")
    assert set(caught.value.fields) == {"name", "password"}


def test_repositories_have_an_account_and_a_name():
    assert check_repository("alice/app") == "alice/app"
    assert is_repository("alice/team/app-1.0_x")
    assert namespace_of("alice/team/app") == "alice"
    for name in ("alice", "alice/", "/app", "alice/App", "a" * 250 + "/abcdef", "alice/a\n"):
        with pytest.raises(RepositoryNameInvalid):
            check_repository(name)


def test_tags_are_checked():
    assert check_tag("v1.0_x-Y") == "v1.0_x-Y"
    for tag in ("", ".v1", "-v1", "a/b", "x" * 129, "v1\n"):
        with pytest.raises(TagInvalid):
            check_tag(tag)
