import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import reference_texts

from lamina.spec.digest import Digest
from lamina.spec.reference import Reference, ReferenceInvalid

DIGEST = Digest.of(b"manifest")

# What a person writes → the complete name. Grammar: distribution/reference.
COMPLETE = [
    ("mysql", "docker.io/library/mysql:latest"),
    ("mysql:8", "docker.io/library/mysql:8"),
    ("bitnami/redis", "docker.io/bitnami/redis:latest"),
    ("docker.io/mysql", "docker.io/library/mysql:latest"),
    ("index.docker.io/mysql", "docker.io/library/mysql:latest"),
    ("docker.io/library/mysql", "docker.io/library/mysql:latest"),
    ("docker.io", "docker.io/library/docker.io:latest"),
    ("localhost/x", "localhost/x:latest"),
    ("localhost:5000/x", "localhost:5000/x:latest"),
    ("localhost:5000", "docker.io/library/localhost:5000"),
    ("127.0.0.1:5000/me/app:v1", "127.0.0.1:5000/me/app:v1"),
    ("[::1]:5000/x", "[::1]:5000/x:latest"),
    ("[2001:db8::1]/x", "[2001:db8::1]/x:latest"),
    ("Registry/x", "Registry/x:latest"),
    ("xn--n3h.com/myimage:tag", "xn--n3h.com/myimage:tag"),
    ("registry.example.org/a/b/c/d:t", "registry.example.org/a/b/c/d:t"),
    ("a__b/c--d/e.f", "docker.io/a__b/c--d/e.f:latest"),
    ("x:UPPER_tag.1-2", "docker.io/library/x:UPPER_tag.1-2"),
    (f"x@{DIGEST}", f"docker.io/library/x@{DIGEST}"),
    (f"x:t@{DIGEST}", f"docker.io/library/x:t@{DIGEST}"),
    ("x:" + "t" * 128, "docker.io/library/x:" + "t" * 128),
]

REFUSED = [
    "",
    ":tag",
    "@" + DIGEST,
    "a" * 64,
    "Upper",
    "docker.io/Upper/x",
    "x:",
    "x:-tag",
    "x:.tag",
    "x: t",
    "x:t:u",
    "x:" + "t" * 129,
    "-x",
    "x-",
    "_x",
    ".x",
    "x..y",
    "x___y",
    "x/",
    "/x",
    "x//y",
    "http://registry.example.org/x",
    "registry.example.org:port/x",
    "registry.example.org:/x",
    "registry..org/x",
    "-registry.org/x",
    "[::1/x",
    "x@sha256:short",
    "x@md5:" + "a" * 32,
    f"x@{DIGEST}@{DIGEST}",
    "x\n",
    "x y",
    "../x",
    "registry.example.org/../x",
    "a/" * 127 + "toolong",
    "é",
]


@pytest.mark.parametrize(("text", "complete"), COMPLETE)
def test_what_a_person_writes_is_completed(text: str, complete: str):
    assert str(Reference.parse(text)) == complete


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_name_is_refused(text: str):
    with pytest.raises(ReferenceInvalid):
        Reference.parse(text)


@given(reference_texts())
def test_parsing_the_canonical_text_gives_the_same_reference(text: str):
    reference = Reference.parse(text)
    assert Reference.parse(str(reference)) == reference


@given(reference_texts())
def test_parsing_what_people_read_gives_the_same_reference(text: str):
    reference = Reference.parse(text)
    assert Reference.parse(reference.familiar) == reference


@given(st.text(max_size=80))
def test_any_text_is_a_name_or_is_refused(text: str):
    try:
        reference = Reference.parse(text)
    except ReferenceInvalid:
        return
    assert Reference.parse(str(reference)) == reference


def test_familiar_names_hide_the_default_registry_only():
    assert Reference.parse("mysql").familiar == "mysql:latest"
    assert Reference.parse("docker.io/bitnami/redis:7").familiar == "bitnami/redis:7"
    assert Reference.parse("localhost/library/x").familiar_name == "localhost/library/x"


@pytest.mark.parametrize("text", ["docker.io/0.0/0", "docker.io/localhost/x", "library/x/y"])
def test_a_name_that_would_be_read_otherwise_is_not_shortened(text: str):
    reference = Reference.parse(text)
    assert Reference.parse(reference.familiar) == reference


def test_a_digest_alone_gets_no_tag_and_a_default_tag_can_be_none():
    assert Reference.parse(f"x@{DIGEST}").tag == ""
    assert Reference.parse("x", default_tag="").tag == ""


def test_a_reference_moves_to_a_tag_or_a_digest_of_its_repository():
    reference = Reference.parse(f"x:one@{DIGEST}")
    assert str(reference.with_tag("two")) == "docker.io/library/x:two"
    assert str(reference.with_digest(DIGEST)) == f"docker.io/library/x@{DIGEST}"
    with pytest.raises(ReferenceInvalid, match="invalid tag"):
        reference.with_tag("no spaces")


def test_an_upper_case_repository_says_what_docker_says():
    with pytest.raises(ReferenceInvalid, match=r"repository name \(Ubuntu\) must be lowercase"):
        Reference.parse("Ubuntu")


def test_sixty_four_hex_characters_are_an_id_and_no_name():
    with pytest.raises(ReferenceInvalid, match="64-byte hexadecimal"):
        Reference.parse("a" * 64)


_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_GRAMMAR = re.compile(
    rf"(?:(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]{{1,5}})?/)"
    rf"{_COMPONENT}(?:/{_COMPONENT})*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?"
)


@given(st.text(alphabet="a9Z._-:[]é\n", max_size=20), st.booleans())
def test_the_grammar_is_the_distribution_projects(part: str, is_host: bool):
    text = f"a.{part}/b" if is_host else f"localhost:1/{part}"
    try:
        Reference.parse(text)
    except ReferenceInvalid:
        assert not _GRAMMAR.fullmatch(text)
    else:
        assert _GRAMMAR.fullmatch(text)


@pytest.mark.parametrize("text", ["docker://127.0.0.1:5000/a", "https://reg/x", "docker://debian"])
def test_a_name_with_a_scheme_says_what_to_leave_out(text: str):
    with pytest.raises(ReferenceInvalid) as caught:
        Reference.parse(text)
    assert caught.value.hint.startswith(f"leave out {text.partition('//')[0]}//: write ")
