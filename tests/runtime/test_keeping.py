import pytest

from lamina.runtime.keeping import Keeper


@pytest.mark.parametrize(
    ("policy", "after"),
    [
        ({}, (False, False)),
        ({"Name": "no"}, (False, False)),
        ({"Name": "always"}, (True, True)),
        ({"Name": "unless-stopped"}, (True, True)),
        ({"Name": "on-failure"}, (False, True)),
    ],
)
def test_policies_decide_by_the_exit_code(policy, after):
    keeper = Keeper(policy)
    assert (keeper.again(0), keeper.again(3)) == after


def test_on_failure_counts():
    keeper = Keeper({"Name": "on-failure", "MaximumRetryCount": 2})
    lives = 0
    while keeper.again(1):
        keeper.delay_s(0)
        lives += 1
    assert (lives, keeper.count) == (2, 2)


def test_what_a_person_stopped_stays_down_whatever_the_policy():
    keeper = Keeper({"Name": "always"})
    keeper.stopped = True
    assert not keeper.again(1)


def test_delays_double_up_to_a_minute_and_a_good_life_starts_from_anew():
    keeper = Keeper({"Name": "always"})
    delays = [keeper.delay_s(1) for _ in range(12)]
    assert delays[:4] == [0.1, 0.2, 0.4, 0.8]
    assert delays[-1] == 60
    assert keeper.delay_s(10) == 0.1


def test_a_policy_can_change_while_it_runs():
    keeper = Keeper({"Name": "no"})
    keeper.follow({"Name": "always"})
    assert keeper.again(0)
