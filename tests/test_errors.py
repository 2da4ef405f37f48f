import inspect

import pytest

from lamina import errors
from lamina.errors import LaminaError

KINDS = [
    kind
    for kind in vars(errors).values()
    if inspect.isclass(kind) and issubclass(kind, LaminaError) and kind is not LaminaError
]


def test_there_are_nine_kinds_each_directly_below_the_root():
    assert len(KINDS) == 9
    assert all(kind.__bases__ == (LaminaError,) for kind in KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_says_what_happened_and_what_to_do(kind: type[LaminaError]):
    error = kind("no such image: x", hint="pull it first")
    assert (str(error), error.message) == ("no such image: x", "no such image: x")
    assert error.hint == "pull it first"
    assert kind("alone").hint == ""


def test_the_tree_in_the_modules_text_is_the_tree_in_its_code():
    assert errors.__doc__ is not None
    for kind in KINDS:
        assert f"── {kind.__name__} " in errors.__doc__
