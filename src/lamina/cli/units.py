"""Sizes and times as Docker words them."""

from __future__ import annotations

__all__ = [
    "TimeInvalid",
    "ago",
    "calendar",
    "human_duration",
    "human_size",
    "parse_time",
    "short_id",
    "shorten",
    "since_epoch",
]

_SIZES = ("B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB")
_BINARY_SIZES = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB")
_MINUTE = 60
_HOUR_MINUTES = 60
_TWO_DAYS = 48
_DAY = 24
_WEEK = 24 * 7
_MONTH = 24 * 30
_YEAR = 24 * 365


class TimeInvalid(ValueError):
    """The text is not an RFC 3339 time."""


def human_size(size: float, *, precision: int = 4, binary: bool = False) -> str:
    """Word bytes with `precision` digits: 36.45kB. Listings use 3 (`4.19MB`); 1.5GiB if `binary`."""
    names, step = (_BINARY_SIZES, 1024.0) if binary else (_SIZES, 1000.0)
    value = float(size)
    power = 0
    while abs(value) >= step and power < len(names) - 1:
        value /= step
        power += 1
    text = f"{value:.{precision}g}"
    if float(text) >= step and power < len(names) - 1:
        text, power = "1", power + 1  # Docker prints 1000kB and 1e+03MB here; people read 1MB
    return text + names[power]


def human_duration(seconds: float) -> str:
    """Word a length of time: `About a minute`, `8 minutes`, `3 weeks`."""
    whole = int(seconds)
    hours = int(seconds / 3600 + 0.5)
    if whole < 1:
        return "Less than a second"
    if whole < _MINUTE:
        return "1 second" if whole == 1 else f"{whole} seconds"
    if whole // _MINUTE < _HOUR_MINUTES:
        return "About a minute" if whole < 2 * _MINUTE else f"{whole // _MINUTE} minutes"
    if hours == 1:
        return "About an hour"
    for limit, step, name in (
        (_TWO_DAYS, 1, "hours"),
        (_WEEK * 2, _DAY, "days"),
        (_MONTH * 2, _WEEK, "weeks"),
        (_YEAR * 2, _MONTH, "months"),
    ):
        if hours < limit:
            return f"{hours // step} {name}"
    return f"{int(seconds / 3600) // _YEAR} years"


def ago(then: float, now: float) -> str:
    """Word a moment (epoch seconds) as `8 minutes ago`; `N/A` for the zero time and earlier."""
    return "N/A" if then <= 0 else human_duration(now - then) + " ago"


def parse_time(text: str) -> tuple[int, int]:
    """Read RFC 3339 as (epoch seconds, nanoseconds).

    Raises: TimeInvalid.
    """
    zone = text[19:]
    try:  # by place, not by splitting: listings read thousands
        year, month, day = int(text[:4]), int(text[5:7]), int(text[8:10])
        hour, minute, second = int(text[11:13]), int(text[14:16]), int(text[17:19])
        signs = text[4] + text[7] + text[13] + text[16]
    except (ValueError, IndexError):
        raise TimeInvalid(f"{text!r} is not an RFC 3339 time") from None
    nanos = 0
    if zone.startswith("."):
        digits = zone[1 : len(zone) - len(zone[1:].lstrip("0123456789"))]
        nanos = int((digits + "0" * 9)[:9])
        zone = zone[1 + len(digits) :]
    offset = _offset(zone, text)
    if signs != "--::" or text[10] not in "Tt " or not (1 <= month <= 12 and 1 <= day <= 31):  # noqa: PLR2004
        raise TimeInvalid(f"{text!r} is not an RFC 3339 time")
    return _days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset, nanos


def since_epoch(text: str) -> float:
    """Read RFC 3339 as epoch seconds; 0.0 for an empty or unreadable one, which prints as `N/A`."""
    try:
        seconds, nanos = parse_time(text)
    except TimeInvalid:
        return 0.0
    return seconds + nanos / 1e9


def calendar(epoch: float) -> str:
    """Write a moment in the local zone as Go prints times: `2024-01-02 15:04:05 +0000 UTC`."""
    import time

    return time.strftime("%Y-%m-%d %H:%M:%S %z %Z", time.localtime(epoch))


def short_id(text: str) -> str:
    """Give the 12 characters people know an id by, without `sha256:`."""
    return text.rpartition(":")[2][:12]


def shorten(text: str, width: int) -> str:
    """Cut `text` to `width` characters, the last an ellipsis."""
    return text if len(text) <= width else text[: width - 1] + "…"


def _offset(zone: str, text: str) -> int:
    if zone in ("Z", "z"):
        return 0
    sign, hours, minutes = zone[:1], zone[1:3], zone[4:6]
    if sign not in ("+", "-") or not (hours + minutes).isdigit() or len(zone) != len("+00:00"):
        raise TimeInvalid(f"{text!r} is not an RFC 3339 time")
    seconds = int(hours) * 3600 + int(minutes) * 60
    return -seconds if sign == "-" else seconds


def _days(year: int, month: int, day: int) -> int:
    """Count the days from 1970-01-01; counts years from March, so that a leap day comes last."""
    years = year - (month <= 2)  # noqa: PLR2004 - January and February belong to the year before
    months = (month + 9) % 12
    return (
        years * 365 + years // 4 - years // 100 + years // 400 + (153 * months + 2) // 5 + day
    ) - 719469
