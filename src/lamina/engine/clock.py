"""The one clock of the engine: time as documents write it. SOURCE_DATE_EPOCH stops it."""

import os
import time

__all__ = ["fixed_ns", "now_ns", "now_text", "rfc3339"]

_NS = 1_000_000_000


def fixed_ns() -> int | None:
    """Give the time that SOURCE_DATE_EPOCH sets, in nanoseconds since 1970; None where it is not set.

    Spec: reproducible-builds.org, "SOURCE_DATE_EPOCH": seconds, in decimal.
    """
    fixed = os.environ.get("SOURCE_DATE_EPOCH", "")
    return int(fixed) * _NS if fixed.isascii() and fixed.isdigit() else None


def now_ns() -> int:
    """Give nanoseconds since 1970, or SOURCE_DATE_EPOCH where it is set."""
    fixed = fixed_ns()
    return time.time_ns() if fixed is None else fixed


def rfc3339(ns: int) -> str:
    """Write a time as Go's RFC3339Nano in UTC: `2026-11-23T10:00:00.123456789Z`."""
    seconds, fraction = divmod(ns, _NS)
    text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    tail = f".{fraction:09d}".rstrip("0") if fraction else ""
    return f"{text}{tail}Z"


def now_text() -> str:
    """Give the present as RFC 3339."""
    return rfc3339(now_ns())
