"""Run a function in real processes, so that locks and crashes are real."""

import multiprocessing
import time

_FORK = multiprocessing.get_context("fork")


def together(function, *rows):
    """Run `function(*row)` for every row at once; fail unless all end well."""
    start = _FORK.Barrier(len(rows))

    def run(row):
        start.wait()
        function(*row)

    children = [_FORK.Process(target=run, args=(row,)) for row in rows]
    for child in children:
        child.start()
    for child in children:
        child.join(200)
    assert [child.exitcode for child in children] == [0] * len(rows)


def killed_after(function, *row, sign):
    """Run `function(*row, told)` until it has called `told()`, then kill -9 its process."""
    ready = _FORK.Event()

    def run():
        function(*row, ready.set)
        time.sleep(200)

    child = _FORK.Process(target=run)
    child.start()
    assert ready.wait(200), sign
    child.kill()
    child.join()
