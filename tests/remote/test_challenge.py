"""Challenges as registries write them, and scopes."""

import pytest

from lamina.remote.challenge import (
    Challenge,
    actions,
    choose,
    covers,
    merge_scopes,
    parse_challenges,
    repository_scope,
)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ('Basic realm="Registry"', [("basic", {"realm": "Registry"})]),
        (
            'Bearer realm="https://auth.example/token",service="reg",scope="repository:a/b:pull,push"',
            [("bearer", {"realm": "https://auth.example/token", "service": "reg",
                         "scope": "repository:a/b:pull,push"})],
        ),
        (
            'bEaReR  Realm = "https://a/t" , SERVICE="s" ,, scope="x:y:z"  , Basic realm="two, words"',
            [("bearer", {"realm": "https://a/t", "service": "s", "scope": "x:y:z"}),
             ("basic", {"realm": "two, words"})],
        ),
        (r'Bearer realm="https://a/t\"q\\",service=plain',
         [("bearer", {"realm": 'https://a/t"q\\', "service": "plain"})]),
        ("Negotiate YII=, Basic realm=x", [("negotiate", {}), ("basic", {"realm": "x"})]),
        ("Negotiate, Basic", [("negotiate", {}), ("basic", {})]),
        ('Bearer realm="https://a/t?x=1,2', [("bearer", {"realm": "https://a/t?x=1,2"})]),
        ("", []),
        ('  ,, ="', []),
    ],
)  # fmt: skip
def test_challenges_are_read_however_loosely_they_are_written(
    header: str, expected: list[tuple[str, dict[str, str]]]
) -> None:
    assert parse_challenges(header) == tuple(Challenge(*each) for each in expected)


def test_bearer_is_answered_before_basic_unless_it_has_no_realm() -> None:
    basic, bearer = Challenge("basic", {}), Challenge("bearer", {"realm": "https://a"})
    assert choose([basic, bearer]) is bearer
    assert choose([Challenge("bearer", {}), basic]) is basic
    assert choose([Challenge("negotiate", {})]) is None


def test_the_scope_we_need_comes_first_and_narrower_ones_are_left_out() -> None:
    needed = (repository_scope("a/b", "pull", "push"),)
    assert merge_scopes(needed, ["repository:a/b:pull"]) == needed
    assert merge_scopes(needed, ["repository:a/b:delete", "aws"]) == (
        *needed,
        "repository:a/b:delete",
        "aws",
    )
    assert merge_scopes((), ["registry:catalog:*", "registry:catalog:*"]) == ("registry:catalog:*",)


def test_a_token_for_more_is_one_for_less() -> None:
    wide = ("repository:a/b:pull,push", "repository:c/d:pull")
    assert covers(wide, ["repository:a/b:pull"])
    assert covers(wide, ["repository:c/d:pull", "repository:a/b:push,pull"])
    assert not covers(wide, ["repository:c/d:pull,push"])
    assert not covers(wide, ["repository:e/f:pull"])
    assert actions(wide) == "pull,push"
    assert actions(()) == ""
