"""Values print as Go prints them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.cli.template_values import format_float, format_value, printf, quote, type_name


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "<nil>"),
        ([], "[]"),
        ({}, "map[]"),
        ({"b": [1, None], "a": {"x": True}}, "map[a:map[x:true] b:[1 <nil>]]"),
        (("a", "b c"), "[a b c]"),
        (1e6, "1e+06"),
        (-0.00001, "-1e-05"),
        (float("inf"), "+Inf"),
        (float("-inf"), "-Inf"),
        (float("nan"), "NaN"),
    ],
)
def test_a_value_prints_as_gos_percent_v(value: object, text: str):
    assert format_value(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_reads_back_as_itself(value: float):
    assert float(format_float(value)) == value


@given(
    st.text(max_size=20), st.lists(st.none() | st.integers(0, 9) | st.text(max_size=3), max_size=3)
)
def test_printf_never_fails_whatever_the_form(form: str, values: list[object]):
    assert isinstance(printf(form, values), str)


def test_a_width_that_is_no_number_or_no_end_is_harmless():
    assert printf("%*d|", ["x", 3]) == "3|"
    assert printf("%*d|", [4, 3]) == "   3|"
    assert len(printf("%99999999999d", [3])) == 1_000_000


def test_quotes_escape_what_cannot_be_printed():
    assert quote('a"\\\n\x01é\u200b') == '"a\\"\\\\\\n\\x01é\\u200b"'


def test_types_have_gos_names():
    values: tuple[object, ...] = (None, True, 1, 1.0, "x", [], {})
    assert [type_name(value) for value in values] == [
        "<nil>",
        "bool",
        "int",
        "float64",
        "string",
        "[]interface {}",
        "map[string]interface {}",
    ]
