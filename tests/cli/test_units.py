"""Sizes and times in docker's words."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.cli.units import (
    TimeInvalid,
    ago,
    calendar,
    human_duration,
    human_size,
    parse_time,
    short_id,
    shorten,
    since_epoch,
)

MINUTE, HOUR, DAY = 60, 3600, 86400


@pytest.mark.parametrize(
    ("size", "four", "three"),
    [
        (0, "0B", "0B"),
        (999, "999B", "999B"),
        (1000, "1kB", "1kB"),
        (36445, "36.45kB", "36.4kB"),
        (1504283, "1.504MB", "1.5MB"),
        (4190000, "4.19MB", "4.19MB"),
        (187_000_000, "187MB", "187MB"),
        (1_040_000_000, "1.04GB", "1.04GB"),
        (999_950, "1MB", "1MB"),
        (10**15, "1PB", "1PB"),
    ],
)
def test_sizes_have_four_digits_in_progress_and_three_in_listings(size: int, four: str, three: str):
    assert human_size(size) == four
    assert human_size(size, precision=3) == three


def test_binary_sizes_have_binary_units():
    assert human_size(3 << 29, binary=True) == "1.5GiB"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "Less than a second"),
        (1, "1 second"),
        (59, "59 seconds"),
        (60, "About a minute"),
        (119, "About a minute"),
        (8 * MINUTE, "8 minutes"),
        (60 * MINUTE, "About an hour"),
        (2 * HOUR, "2 hours"),
        (47 * HOUR, "47 hours"),
        (2 * DAY, "2 days"),
        (13 * DAY, "13 days"),
        (14 * DAY, "2 weeks"),
        (3 * 7 * DAY, "3 weeks"),
        (60 * DAY, "2 months"),
        (2 * 365 * DAY, "2 years"),
        (3 * 365 * DAY + DAY, "3 years"),
    ],
)
def test_lengths_of_time_are_worded_as_docker_does(seconds: float, words: str):
    assert human_duration(seconds) == words


def test_the_zero_time_is_not_available():
    assert ago(since_epoch("0001-01-01T00:00:00Z"), 10.0) == "N/A"
    assert ago(since_epoch(""), 10.0) == "N/A"
    assert ago(10.0, 18.0) == "8 seconds ago"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "2024-13-01T00:00:00Z",
        "2024-01-01",
        "2024-01-01T00:00:00",
        "2024-01-01T00:00:00+1",
        "2024-01-01T0a:00:00Z",
    ],
)
def test_what_is_no_time_is_refused(text: str):
    with pytest.raises(TimeInvalid):
        parse_time(text)


def test_nanoseconds_and_zones_are_read():
    assert parse_time("1970-01-01T00:00:01.5Z") == (1, 500_000_000)
    assert parse_time("1970-01-01T02:00:00.123456789+02:00") == (0, 123_456_789)
    assert parse_time("1969-12-31T19:00:00-05:00") == (0, 0)


@given(st.datetimes(min_value=dt.datetime(1, 1, 2), max_value=dt.datetime(9999, 1, 1)))  # noqa: DTZ001
def test_any_time_is_read_as_the_standard_library_reads_it(moment: dt.datetime):
    moment = moment.replace(tzinfo=dt.UTC)
    seconds, nanos = parse_time(moment.isoformat())
    assert (moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) == dt.timedelta(
        seconds=seconds, microseconds=nanos // 1000
    )


def test_times_print_as_go_prints_them(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TZ", "UTC")
    assert calendar(1_700_000_000) == "2023-11-14 22:13:20 +0000 UTC"


def test_ids_and_texts_are_cut_short():
    assert short_id("sha256:" + "ab" * 32) == "abababababab"
    assert short_id("ab" * 32) == "abababababab"
    assert shorten("abcdef", 4) == "abc…"
    assert shorten("abcd", 4) == "abcd"
