"""Pulls by day as bars."""

from lamina.hub.site.chart import DAYS, chart

TODAY = 20_000
NOW = TODAY * 86400 + 3600.0


def test_the_last_day_stands_right_and_the_busiest_is_highest():
    drawn = chart({TODAY: 5, TODAY - 1: 10, TODAY - 30: 1}, now=NOW)
    assert drawn is not None
    assert [bar.height for bar in drawn.bars] == [4.8, 48.0, 24.0]
    assert drawn.bars[-1].x + drawn.bars[-1].width == drawn.width
    assert all(bar.y + bar.height == drawn.height for bar in drawn.bars)
    assert drawn.bars[-1].title == "2024-10-04: 5 pulls"
    assert drawn.words == f"16 pulls in {DAYS} days, most on 2024-10-03: 10"
    assert drawn.last_week == 15


def test_one_pull_beside_a_million_is_still_seen():
    drawn = chart({TODAY: 1_000_000, TODAY - 2: 1}, now=NOW)
    assert drawn is not None
    assert min(bar.height for bar in drawn.bars) >= 1
    assert "1 pull" in drawn.bars[0].title


def test_nothing_is_drawn_of_no_pulls_or_of_old_ones():
    assert chart({}, now=NOW) is None
    assert chart({TODAY - DAYS: 9}, now=NOW) is None
