"""Values of flags are read, and refused, in docker's words."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.cli.kinds import (
    BOOL,
    BYTES,
    DECIMAL,
    DURATION,
    FILTER,
    INT,
    LIST,
    MAP,
    UINT,
    Kind,
    parse_bool,
    parse_bytes,
    parse_duration,
    parse_int,
)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (BOOL, "T", True), (BOOL, "0", False),
        (INT, "-12", -12), (INT, "0x1F", 31), (INT, "017", 15), (INT, "0b11", 3), (INT, "1_000", 1000),
        (BYTES, "512", 512), (BYTES, "512m", 512 << 20), (BYTES, "1.5g", 3 << 29),
        (BYTES, "64MiB", 64 << 20), (BYTES, "1 kb", 1024), (BYTES, ".5k", 512), (BYTES, "9b", 9),
        (DURATION, "1h30m", 5_400_000_000_000), (DURATION, "1.5s", 1_500_000_000),
        (DURATION, "300ms", 300_000_000), (DURATION, "-2us", -2000), (DURATION, "0", 0),
        (DECIMAL, "1.5", 1_500_000_000), (DECIMAL, "1/2", 500_000_000),
        (LIST, "a,b", ("a,b",)), (MAP, "a=b=c", {"a": "b=c"}), (MAP, "a", {"a": ""}),
        (FILTER, " Label = x=y", {"label": ("x=y",)}), (FILTER, "", {}),
    ],
)  # fmt: skip
def test_a_value_is_read_as_docker_reads_it(kind: Kind, text: str, value: object):
    assert kind.parse(text) == value


@pytest.mark.parametrize(
    ("kind", "text", "words"),
    [
        (BOOL, "maybe", 'strconv.ParseBool: parsing "maybe": invalid syntax'),
        (INT, "x", 'strconv.ParseInt: parsing "x": invalid syntax'),
        (INT, "08", 'strconv.ParseInt: parsing "08": invalid syntax'),
        (INT, "+-5", 'strconv.ParseInt: parsing "+-5": invalid syntax'),
        (INT, "", 'strconv.ParseInt: parsing "": invalid syntax'),
        (INT, "٣", 'strconv.ParseInt: parsing "٣": invalid syntax'),
        (INT, "9" * 20, f'strconv.ParseInt: parsing "{"9" * 20}": value out of range'),
        (UINT, "-1", 'strconv.ParseUint: parsing "-1": invalid syntax'),
        (BYTES, "abc", "invalid size: 'abc'"),
        (BYTES, "3zb", "invalid suffix: 'zb'"),
        (BYTES, "1bb", "invalid suffix: 'bb'"),
        (BYTES, "1ib", "invalid suffix: 'ib'"),
        (DURATION, "x", 'time: invalid duration "x"'),
        (DURATION, "5", 'time: missing unit in duration "5"'),
        (DURATION, "-1.5h3x", 'time: unknown unit "x" in duration "-1.5h3x"'),
        (DECIMAL, "x", "failed to parse x as a rational number"),
        (DECIMAL, "0.0000000001", "value is too precise"),
        (FILTER, "foo", "bad format of filter (expected name=value)"),
    ],
)
def test_a_wrong_value_is_refused_in_dockers_words(kind: Kind, text: str, words: str):
    with pytest.raises(ValueError, match=r".*") as caught:
        kind.parse(text)
    assert str(caught.value) == words


@given(st.integers(-(1 << 63), (1 << 63) - 1))
def test_every_64_bit_integer_is_read_back(value: int):
    assert parse_int(str(value)) == value
    assert parse_int(hex(value)) == value


@given(st.integers(0, 10**6), st.sampled_from("bkmgt"))
def test_a_size_grows_with_its_unit_by_1024(count: int, unit: str):
    assert parse_bytes(f"{count}{unit}") == count * 1024 ** "bkmgt".index(unit)


@given(st.text(max_size=12))
def test_any_text_is_a_value_or_a_value_error(text: str):
    for parse in (parse_int, parse_bytes, parse_duration, parse_bool):
        with suppress(ValueError):
            parse(text)
