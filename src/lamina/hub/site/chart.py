"""Pulls by day as bars, as SVG has them. Pure."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["DAYS", "Bar", "Chart", "chart"]

DAYS = 56
"""How many days a chart shows, today the last."""
_DAY_S = 86400
_WEEK = 7
_STEP, _BAR, _HEIGHT = 4, 3, 48


@dataclass(frozen=True, slots=True)
class Bar:
    """One day with pulls: its place, and what a pointer resting on it says."""

    x: int
    y: float
    width: int
    height: float
    title: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars from left to right, and the words for those who do not see them."""

    bars: tuple[Bar, ...]
    width: int
    height: int
    words: str
    last_week: int


def chart(counts: Mapping[int, int], *, now: float) -> Chart | None:
    """Draw pulls by day (days since 1970, UTC); None if there were none in the time shown."""
    today = int(now // _DAY_S)
    shown = {day: counts.get(day, 0) for day in range(today - DAYS + 1, today + 1)}
    most, total = max(shown.values()), sum(shown.values())
    if most <= 0:
        return None
    bars = []
    for at, (day, count) in enumerate(shown.items()):
        if count > 0:
            height = max(1.0, round(_HEIGHT * count / most, 1))
            title = f"{_date(day)}: {count} {'pull' if count == 1 else 'pulls'}"
            bars.append(Bar(at * _STEP, round(_HEIGHT - height, 1), _BAR, height, title))
    busiest = max(shown, key=lambda day: shown[day])
    words = f"{total} pulls in {DAYS} days, most on {_date(busiest)}: {most}"
    week = sum(count for day, count in shown.items() if day > today - _WEEK)
    return Chart(tuple(bars), DAYS * _STEP - 1, _HEIGHT, words, week)


def _date(day: int) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(day * _DAY_S))
