"""Calls worked off by a few threads, in order, each telling how it ended."""

import threading
from functools import partial

import pytest

from lamina.image.jobs import Jobs, gather


class Stopped(Exception):
    pass


def test_calls_begin_in_order_and_all_are_told_of():
    jobs = Jobs(1, name="t")
    begun: list[int] = []
    made = [jobs.submit(partial(begun.append, number)) for number in range(20)]
    ended = [jobs.ended.get() for _ in made]
    jobs.close(Stopped())
    assert begun == list(range(20))
    assert ended == made
    assert [job.error for job in made] == [None] * 20


def test_as_many_run_at_once_as_there_are_workers():
    jobs = Jobs(3, name="t")
    meeting = threading.Barrier(3)
    for _ in range(3):
        jobs.submit(lambda: meeting.wait(100))
    assert [jobs.ended.get().error for _ in range(3)] == [None] * 3
    jobs.close(Stopped())


def test_what_a_call_raises_comes_out_where_its_end_is_waited_for():
    jobs = Jobs(2, name="t")
    bad = jobs.submit(lambda: 1 / 0)
    waiting = jobs.submit(bad.result)
    with pytest.raises(ZeroDivisionError):
        waiting.result()
    jobs.close(Stopped())


def test_what_has_not_begun_when_all_is_closed_is_never_made():
    jobs = Jobs(1, name="t")
    begun, go_on = threading.Event(), threading.Event()
    made: list[str] = []

    def first():
        begun.set()
        assert go_on.wait(100)
        made.append("first")

    jobs.submit(first)
    late = jobs.submit(lambda: made.append("late"))
    assert begun.wait(100)
    closing = threading.Thread(target=jobs.close, args=(Stopped(),))
    closing.start()
    with pytest.raises(Stopped):
        late.result()
    go_on.set()
    closing.join(100)
    assert made == ["first"]


def test_what_calls_give_is_gathered_in_their_order():
    quick, slow = Jobs(2, name="t"), Jobs(1, name="t")
    let_go = threading.Event()

    def late() -> str:
        assert let_go.wait(100)
        return "late"

    def last() -> str:
        let_go.set()
        return "last"

    assert gather([(slow, late), (quick, lambda: "quick"), (quick, last)]) == [
        "late",
        "quick",
        "last",
    ]
    for jobs in (quick, slow):
        jobs.close(Stopped())


def test_the_first_failure_is_told_while_others_still_run():
    jobs = Jobs(2, name="t")
    let_go = threading.Event()

    def fails() -> str:
        raise Stopped("no")

    with pytest.raises(Stopped, match="no"):
        gather([(jobs, lambda: let_go.wait(100)), (jobs, fails)])
    let_go.set()
    jobs.close(Stopped())
