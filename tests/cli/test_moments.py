import time

import pytest

from lamina.cli.moments import parse_moment

NOW = 1_700_000_000.0
NS = 10**9


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch):
    """Be three and a half hours behind, as Newfoundland is in winter."""
    monkeypatch.setenv("TZ", "NST3:30")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("0s", NOW),
        ("10m", NOW - 600),
        ("1h30m", NOW - 5400),
        ("-5m", NOW + 300),
        ("1.5s", NOW - 1.5),
        ("42", 42),
        ("1.5", 1.5),
        ("1970-01-02T00:00:00Z", 86400),
        ("1970-01-02T00:00:00.5+01:00", 82800.5),
        ("1970-01-02T01Z", 90000),
        ("1970-01-02T01:02-01:00", 93720),
        ("1970-01-02Z", 86400),
        ("1970-01-02", 86400 + 12600),
        ("1970-01-02T01", 90000 + 12600),
        ("1970-01-02T01:02", 90120 + 12600),
        ("1970-01-02T01:02:03", 90123 + 12600),
        ("1970-01-02 01:02:03.25", 90123.25 + 12600),
    ],
)
def test_times_are_read_as_docker_reads_them(zone, text: str, seconds: float):
    assert parse_moment(text, NOW) == int(seconds * NS)


def test_nanoseconds_are_kept_exactly():
    assert parse_moment("1136073600.000000001", NOW) == 1136073600 * NS + 1
    assert parse_moment("2006-01-01T00:00:00.000000001Z", NOW) == 1136073600 * NS + 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x", 'failed to parse value as time or duration: "x"'),
        ("", 'failed to parse value as time or duration: ""'),
        ("1h1", 'failed to parse value as time or duration: "1h1"'),
        ("2013-13-02", 'parsing time "2013-13-02": no such time'),
        ("2013-01-02T25", 'parsing time "2013-01-02T25": no such time'),
        ("2013-01-02T10:61", 'parsing time "2013-01-02T10:61": no such time'),
        ("2013-01-02X10", 'parsing time "2013-01-02X10": no such time'),
        ("2013-1-2", 'parsing time "2013-1-2": no such time'),
        ("2013-01-02T1", 'parsing time "2013-01-02T1": no such time'),
    ],
)
def test_what_is_no_time_is_refused_in_dockers_words(text: str, words: str):
    with pytest.raises(ValueError, match="time") as caught:
        parse_moment(text, NOW)
    assert str(caught.value) == words
