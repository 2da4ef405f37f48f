"""One answer for all who ask the same at the same time."""

import asyncio
import threading

import pytest

from lamina.hub.together import Together


def test_who_asks_the_same_meanwhile_gets_the_same_answer_and_it_is_asked_once():
    async def run():
        together, gate, asked = Together(), threading.Event(), []

        def work():
            gate.wait(30)
            asked.append(1)
            return len(asked)

        def ask(key):
            return together.call(key, lambda: together.threads.submit(work))

        first, second = asyncio.ensure_future(ask("a")), asyncio.ensure_future(ask("a"))
        other = asyncio.ensure_future(ask("b"))
        await asyncio.sleep(0)
        gate.set()
        answers = await asyncio.gather(first, second, other)
        assert answers[0] == answers[1]
        assert len(asked) == 2
        assert await ask("a") == 3
        together.close()

    asyncio.run(run())


def test_who_leaves_early_ends_it_for_nobody_else():
    async def run():
        together, gate = Together(), threading.Event()

        def ask():
            return together.call("a", lambda: together.threads.submit(lambda: gate.wait(30)))

        leaving, staying = asyncio.ensure_future(ask()), asyncio.ensure_future(ask())
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.sleep(0)
        gate.set()
        assert await staying
        with pytest.raises(asyncio.CancelledError):
            await leaving
        together.close()

    asyncio.run(run())


def test_a_failure_is_everyones_and_the_next_asks_anew():
    async def run():
        together = Together()

        def fail():
            raise ValueError("no")

        for _ in range(2):
            with pytest.raises(ValueError, match="no"):
                await together.call("a", lambda: together.threads.submit(fail))
        together.close()

    asyncio.run(run())
