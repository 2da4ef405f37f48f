"""Sizes, ages and instructions as people read them, in Docker's words. Pure."""

import re
import time

__all__ = ["age", "count", "instruction", "moment", "size", "visible"]

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_KILO = 1000
_MINUTE, _HOUR, _DAY, _WEEK, _MONTH = 60, 3600, 86400, 604800, 2592000
_YEAR = 31536000
_NOP = re.compile(r"^/bin/(?:ba)?sh -c #\(nop\)\s+")
_SHELL = re.compile(r"^(?:RUN )?(?:\|\d+ .*? )?/bin/(?:ba)?sh -(?:e?u?c|o pipefail -c) (?!#)")
# What moves a terminal's cursor, breaks lines, turns the direction of what follows, or is half a letter.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u2028-\u202e\u2066-\u2069\ufff9-\ufffb\ud800-\udfff]"
)
_VERBS = frozenset(
    [
        "ADD",
        "ARG",
        "CMD",
        "COPY",
        "ENTRYPOINT",
        "ENV",
        "EXPOSE",
        "FROM",
        "HEALTHCHECK",
        "LABEL",
        "MAINTAINER",
        "ONBUILD",
        "RUN",
        "SHELL",
        "STOPSIGNAL",
        "USER",
        "VOLUME",
        "WORKDIR",
    ]
)


def size(value: int) -> str:
    """Give bytes in decimal units and three digits: `4.19MB`."""
    amount, unit = float(value), 0
    while amount >= _KILO and unit < len(_UNITS) - 1:
        amount, unit = amount / _KILO, unit + 1
    return f"{amount:.3g}{_UNITS[unit]}"


def count(value: int) -> str:
    """Give a number with a short unit from ten thousand on: `12.3K`."""
    for limit, unit in ((10**9, "B"), (10**6, "M"), (10**4, "K")):
        if value >= limit:
            return f"{value / (limit if unit != 'K' else 1000):.3g}{unit}"
    return str(value)


def age(since_s: float) -> str:
    """Give how long ago something was: `8 minutes ago`."""
    return f"{_duration(max(0.0, since_s))} ago"


def _duration(seconds: float) -> str:
    if seconds < _MINUTE:
        whole = int(seconds)
        words = {0: "less than a second", 1: "1 second"}
        return words.get(whole, f"{whole} seconds")
    if seconds < _HOUR:
        minutes = int(seconds / _MINUTE)
        return "about a minute" if minutes == 1 else f"{minutes} minutes"
    hours = int(seconds / _HOUR + 0.5)
    if hours <= 1:
        return "about an hour"
    steps = ((2 * _DAY, _HOUR, "hours"), (2 * _WEEK, _DAY, "days"), (2 * _MONTH, _WEEK, "weeks"))
    for limit, unit, word in steps:
        if seconds < limit:
            return f"{hours if unit == _HOUR else int(seconds / unit)} {word}"
    if seconds < 2 * _YEAR:
        return f"{int(seconds / _MONTH)} months"
    return f"{int(seconds / _YEAR)} years"


def moment(epoch_s: float) -> str:
    """Give a time as RFC 3339, UTC, whole seconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch_s))


def instruction(created_by: str) -> tuple[str, str]:
    """Split a history row into Dockerfile verb and the rest; a bare command becomes RUN."""
    text = created_by.strip().removesuffix("# buildkit").strip()
    text = _NOP.sub("", text)
    if _SHELL.match(text):
        return "RUN", _SHELL.sub("", text)
    verb, _, rest = text.partition(" ")
    if verb.upper() in _VERBS:
        return verb.upper(), rest.strip()
    return "", text


def visible(text: str) -> str:
    r"""Give text with what would hide or turn it written out, as `\u202e`; tabs and line ends stay.

    Whoever pushes writes these texts: `gpj.exe` may not look like `exe.jpg`.
    """
    return _HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
