"""When to try again."""

import pytest

from lamina.remote.retry import Patience, Tries, delay_s, retry_after_s

PATIENCE = Patience(tries=4, first_s=1, longest_s=3, total_s=10, progress=100)


def test_waits_double_up_to_the_longest_and_then_it_is_over() -> None:
    waits = [
        delay_s(PATIENCE, attempt, waited_s=0, asked_s=None, dice=0.999999)
        for attempt in (1, 2, 3, 4)
    ]
    assert waits[:3] == pytest.approx([1, 2, 3], rel=1e-3)
    assert waits[3] is None


def test_jitter_takes_at_most_half() -> None:
    assert delay_s(PATIENCE, 1, waited_s=0, asked_s=None, dice=0) == 0.5


def test_what_the_server_asks_for_counts_when_it_is_longer() -> None:
    assert delay_s(PATIENCE, 1, waited_s=0, asked_s=7, dice=0) == 7
    assert delay_s(PATIENCE, 3, waited_s=0, asked_s=0, dice=0) == 1.5


def test_waiting_never_exceeds_the_total() -> None:
    assert delay_s(PATIENCE, 1, waited_s=0, asked_s=11, dice=0) is None
    assert delay_s(PATIENCE, 1, waited_s=9.9, asked_s=None, dice=0) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7", 7), ("0", 0), ("1.5", 1.5), ("Thu, 01 Jan 1970 00:20:00 GMT", 200),
        ("Thu, 01 Jan 1970 00:00:01 GMT", 0), ("soon", None), ("", None),
        ("Thu, 99 Foo", None),
    ],
)  # fmt: skip
def test_retry_after_is_seconds_or_a_date(text: str, expected: float | None) -> None:
    assert retry_after_s({"Retry-After": text}, 1000) == expected


def test_progress_gives_all_tries_back() -> None:
    tries = Tries(PATIENCE, lambda: 0.0)
    assert all(tries.pause_s(offset) is not None for offset in range(0, 2000, 100))
    assert [tries.pause_s(2000) is None for _ in range(4)] == [False, False, False, True]


def test_a_drip_below_the_progress_counts_as_standing_still() -> None:
    tries = Tries(PATIENCE, lambda: 0.0)
    assert [tries.pause_s(offset) is None for offset in (1, 2, 3, 4)] == [False, False, False, True]
