"""Numbers, times, records and sparse maps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.layer.pax import TarInvalid, number, pax_time, read_records, record_number, sparse_map
from lamina.layer.writer import _decimal, _record


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (b"0000644\0", 0o644),
        (b"   644 \0", 0o644),
        (b"00000000644 ", 0o644),
        (b"777777777777", 0o777777777777),
        (b"\0" * 8, 0),
        (b"        ", 0),
        (b"\x80\0\0\0\0\0\1\0", 256),
        (b"\xff" * 12, -1),
    ],
)
def test_numbers_of_headers(field: bytes, value: int):
    assert number(field) == value


@pytest.mark.parametrize("field", [b"12x45\0\0\0", b"0000089\0", b"-000001\0", b"1_0\0\0\0\0\0"])
def test_what_is_no_number_is_invalid(field: bytes):
    with pytest.raises(TarInvalid, match="number"):
        number(field)


@given(st.integers(-(2**80), 2**60))
def test_a_time_is_read_as_it_was_written(nanoseconds: int):
    if abs(nanoseconds) < 2**64 * 10**9:
        assert pax_time(_decimal(nanoseconds)) == nanoseconds


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        (b"1", 10**9),
        (b"1.", 10**9),
        (b".5", 5 * 10**8),
        (b"1.0000000019", 1_000_000_001),
        (b"-1.5", -1_500_000_000),
        (b"-0.0000000001", -1),
    ],
)
def test_times_with_fractions(text: bytes, nanoseconds: int):
    assert pax_time(text) == nanoseconds


@pytest.mark.parametrize("text", [b"", b".", b"1.5.2", b"1e3", b"--1", b"9" * 40, b"+1", b"1_0"])
def test_what_is_no_time_is_invalid(text: bytes):
    with pytest.raises(TarInvalid):
        pax_time(text)


@given(st.lists(st.tuples(st.binary(min_size=1).filter(lambda key: b"=" not in key), st.binary())))
def test_records_are_read_as_they_were_written(records: list[tuple[bytes, bytes]]):
    assert read_records(b"".join(_record(*pair) for pair in records)) == records


@given(st.binary(max_size=80))
def test_records_of_noise_are_invalid_or_records(noise: bytes):
    try:
        assert isinstance(read_records(noise), list)
    except TarInvalid:
        return


@pytest.mark.parametrize("text", [b"", b"-", b"1.5", b"0x10", b"9" * 21])
def test_record_numbers_are_decimal(text: bytes):
    with pytest.raises(TarInvalid):
        record_number(text, "size")


def test_neighbouring_pieces_become_one_and_a_whole_file_none():
    assert sparse_map([0, 5, 5, 5, 20, 1], 512, 11, 30) == ((0, 512, 10), (20, 522, 1))
    assert sparse_map([0, 5, 5, 5, 10, 0], 512, 10, 10) == ()
    assert sparse_map([100, 0], 512, 0, 100) == ((100, 512, 0),)
