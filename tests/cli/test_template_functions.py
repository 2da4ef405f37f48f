"""Functions whose behaviour docker has no word on: the trims, and JSON of odd values."""

import pytest

from lamina.cli.template_functions import FUNCTIONS, CallFailed, WrongArgument, to_json


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("trimPrefix", ("sha256:", "sha256:ab"), "ab"),
        ("trimSuffix", (":1", "a:1"), "a"),
        ("trimLeft", ("ab", "abc"), "c"),
        ("trimRight", ("bc", "abc"), "a"),
        ("trim", (" x ",), "x"),
        ("truncate", ("abc", 2), "ab"),
        ("join", (None, ","), ""),
        ("join", ((1, True), ","), "1,true"),
        ("index", (None, "label"), ""),
        ("index", ({"a": 1}, "b"), None),
    ],
)
def test_a_function_gives_what_it_says(name: str, arguments: tuple[object, ...], expected: object):
    assert FUNCTIONS[name][0](*arguments) == expected


def test_text_functions_refuse_what_is_no_text_and_say_which():
    with pytest.raises(WrongArgument, match="expected string; found 3") as caught:
        FUNCTIONS["trimPrefix"][0]("x", 3)
    assert caught.value.index == 1
    with pytest.raises(CallFailed):
        FUNCTIONS["slice"][0]("abc", 2, 1)


def test_json_leaves_methods_out_and_writes_whole_floats_as_go_does():
    assert to_json({"a": 1.0, "f": len, "t": (1, "é<")}) == '{"a":1,"t":[1,"é<"]}'
