"""Points in time as people write them: `--since`, `--until`, the filter `until`."""

from __future__ import annotations

from lamina.cli.kinds import parse_duration
from lamina.cli.units import TimeInvalid, parse_time

__all__ = ["parse_moment"]

_NS = 1_000_000_000
_DATE = len("2026-01-31")


def parse_moment(text: str, now: float) -> int:
    """Read an age (`1h30m`, before `now`), epoch seconds (`1700000000.5`), a date or a time.

    Times are RFC 3339, and may end after the hour, the minute or the date. As with Docker, one without
    `Z` or an offset is in the local zone. Give nanoseconds since 1970. Raises: ValueError.
    """
    if text != "0":  # the epoch, though it would pass for a duration
        try:
            return int(now * _NS) - parse_duration(text)
        except ValueError:
            pass
    whole, _, part = text.partition(".")
    if whole.isascii() and whole.isdigit() and (not part or (part.isascii() and part.isdigit())):
        return int(whole) * _NS + int((part + "0" * 9)[:9])
    if "-" not in text:
        raise ValueError(f'failed to parse value as time or duration: "{text}"')
    try:
        return _calendar(text)
    except (TimeInvalid, OverflowError):
        raise ValueError(f'parsing time "{text}": no such time') from None


def _calendar(text: str) -> int:
    date, rest = text[:_DATE], text[_DATE:]
    clock, zone = _split_zone(rest)
    if clock[:1] not in ("", "T", "t", " "):
        raise TimeInvalid(text)
    clock, _, part = clock[1:].partition(".")
    clock += "00:00:00"[len(clock) :] if len(clock) in (0, 2, 5, 8) else ""
    limits = zip(clock.split(":"), (24, 60, 61), strict=False)
    if not all(number.isdigit() and int(number) < limit for number, limit in limits):
        raise TimeInvalid(text)
    seconds, nanos = parse_time(f"{date}T{clock}{'.' if part else ''}{part}{zone or 'Z'}")
    if not zone:
        import time

        seconds = int(time.mktime((*time.gmtime(seconds)[:8], -1)))
    return seconds * _NS + nanos


def _split_zone(rest: str) -> tuple[str, str]:
    """Tell `T10:20` and `+02:00` apart in what follows a date."""
    if rest[-1:] in ("Z", "z"):
        return rest[:-1], "Z"
    at = max(rest.rfind("+"), rest.rfind("-"))
    return (rest, "") if at < 0 else (rest[:at], rest[at:])
