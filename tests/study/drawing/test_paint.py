"""Shading and cut texts."""

import re

from lamina.study.drawing.paint import COLOURS, colour, cut, hatch


def test_strokes_stay_within_what_they_shade():
    drawn = hatch(10, 20, 60, 30)
    numbers = [float(one) for one in re.findall(r"[\d.]+", re.findall(r'd="([^"]*)"', drawn)[0])]
    assert len(numbers) == 4 * 12
    assert all(10 <= x <= 70 for x in numbers[::2])
    assert all(20 <= y <= 50 for y in numbers[1::2])
    assert hatch(0, 0, 60, 0.5) == ""


def test_a_text_is_cut_to_its_room_and_left_out_where_nothing_is_told():
    assert cut("short", 100, 10) == "short"
    assert cut("quite a long text", 60, 10) == "quite a l…"
    assert cut("漢字漢字漢字", 50, 10) == "漢字漢字…"
    assert cut("abcdef", 12, 10) == ""
    assert cut("", 0, 10) == ""


def test_colours_come_again_after_the_last():
    assert colour(1) == COLOURS[0] == colour(len(COLOURS) + 1)
