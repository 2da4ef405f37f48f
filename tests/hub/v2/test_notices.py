"""What is told beside an answer that is fine."""

import math

import pytest
from aiohttp import web

from lamina.hub.access import Caller
from lamina.hub.tables.quotas import Quota
from lamina.hub.v2.notices import add_notices, of_push

NOW = 1_800_000_000.0
DAY_S = 86400


@pytest.mark.parametrize(
    ("used", "size", "is_told"),
    [(899, 1000, False), (900, 1000, True), (1200, 1000, True), (0, 0, True)],
)
def test_a_quota_is_told_of_from_nine_tenths_on(used, size, is_told):
    assert bool(of_push(Caller("sam"), [Quota("sam", size, used)], now=NOW)) == is_told


def test_a_quota_is_told_with_what_is_there_and_may_be():
    found = of_push(Caller("sam"), [Quota("sam/app", 1_000_000, 950_000)], now=NOW)
    assert found == ("sam/app has 950kB of the 1MB that it may have",)


@pytest.mark.parametrize(
    ("left_s", "is_told"), [(7 * DAY_S, True), (7 * DAY_S + 1, False), (1, True), (math.inf, False)]
)
def test_a_login_is_told_of_a_week_before_it_ends(left_s, is_told):
    caller = Caller("sam", token_id="t", until=NOW + left_s)
    assert bool(of_push(caller, [], now=NOW)) == is_told


def test_the_day_it_ends_is_told_and_what_it_is():
    assert of_push(Caller("sam", token_id="t", until=NOW), [], now=NOW) == (
        "this access token ends on 2027-01-15: make another in time",
    )
    robot = Caller("sam+ci", token_id="r-t", robot_of="sam", until=NOW)
    assert of_push(robot, [], now=NOW)[0].startswith("this robot's token ends on ")


def test_each_has_a_header_of_its_own():
    response = web.Response()
    add_notices(response, ("one", "two"))
    assert response.headers.getall("Warning") == ['299 - "one"', '299 - "two"']
