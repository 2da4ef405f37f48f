import os

import pytest

from lamina.runtime.health import Health
from lamina.spec.wire import encode

S = 1_000_000_000


class Checks:
    """Checks that end as the test says, at times that it sets."""

    def __init__(self, **config: int) -> None:
        self.now = 0.0
        self.told: list[tuple[str, bool]] = []
        self.held = False
        self._write = -1
        self.health = Health(
            {"Test": ["CMD", "x"], "Interval": 10 * S, **config},
            self._begin,
            lambda document, changed: self.told.append((document["Status"], changed)),
            lambda: self.held,
            lambda: self.now,
        )

    def _begin(self) -> int:
        read, self._write = os.pipe()
        os.set_blocking(read, False)
        return read

    def check(self, code: int, output: str = "") -> str:
        """Let the time of the next check come, and the check end with `code`."""
        self.now += self.health.wait_s() or 0
        self.health.turn(())
        (fd,) = self.health.fds
        assert self.health.wait_s() is None
        self.health.turn({fd})  # nothing said yet
        os.write(self._write, encode({"exit_code": code, "output": output}))
        os.close(self._write)
        self.health.turn({fd})
        return str(self.health.document["Status"])


def test_a_good_check_makes_healthy_and_three_bad_ones_in_a_row_unhealthy():
    checks = Checks()
    assert checks.health.document["Status"] == "starting"
    codes = (0, 1, 1, 0, 1, 1, 1, 0)
    assert [checks.check(code)[:4] for code in codes] == ["heal"] * 6 + ["unhe", "heal"]
    assert [changed for _, changed in checks.told] == [True] + [False] * 5 + [True, True]
    assert checks.now == 80


def test_the_log_keeps_the_last_five_with_what_they_said():
    checks = Checks(Retries=9)
    for number in range(7):
        checks.check(1, f"bad {number}")
    document = checks.health.document
    assert document["FailingStreak"] == 7
    assert [row["Output"] for row in document["Log"]] == [f"bad {n}" for n in range(2, 7)]
    assert {row["ExitCode"] for row in document["Log"]} == {1}


def test_failures_while_it_starts_do_not_count_and_come_quicker():
    checks = Checks(StartPeriod=20 * S, StartInterval=2 * S, Retries=1)
    assert [checks.check(1) for _ in range(9)] == ["starting"] * 9
    assert checks.now == 18
    checks.now = 20
    assert checks.check(1) == "unhealthy"


def test_a_start_period_is_over_with_the_first_good_check():
    checks = Checks(StartPeriod=100 * S, StartInterval=1 * S, Retries=1)
    assert checks.check(0) == "healthy"
    assert checks.health.wait_s() == 10
    assert checks.check(1) == "unhealthy"


def test_what_is_paused_is_not_checked():
    checks = Checks()
    checks.held = True
    checks.now = 11
    checks.health.turn(())
    assert checks.health.fds == ()
    assert checks.health.wait_s() == 10


@pytest.mark.parametrize("during", [False, True])
def test_what_has_ended_is_not_healthy(during):
    checks = Checks()
    checks.check(0)
    if during:
        checks.now += 10
        checks.health.turn(())
    assert checks.health.end()["Status"] == "unhealthy"
    assert checks.health.fds == ()
    if during:
        os.close(checks._write)


def test_a_check_that_was_killed_itself_is_a_bad_one():
    checks = Checks(Retries=1)
    checks.now = 10
    checks.health.turn(())
    (fd,) = checks.health.fds
    os.close(checks._write)
    checks.health.turn({fd})
    assert checks.health.document["Log"][0]["ExitCode"] == -1
