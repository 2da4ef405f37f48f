"""What a hub does by itself: each chore again and again, whatever becomes of the one before."""

import asyncio
import logging
import threading

import pytest
from aiohttp import web

from lamina.hub import HubSettings, chores
from lamina.hub.chores import Chore, run_chores
from lamina.hub.collect import Collected
from lamina.hub.metrics import Metrics
from lamina.hub.services import Services
from lamina.hub.web import SERVICES

PATIENCE_S = 100


def run(services: Services, done: threading.Event) -> None:
    app = web.Application()
    app[SERVICES] = services

    async def main() -> None:
        running = run_chores(app)
        await anext(running)
        await asyncio.to_thread(done.wait, PATIENCE_S)
        await anext(running, None)

    asyncio.run(main())


@pytest.fixture
def services(tmp_path):
    opened = Services.open(HubSettings(root=str(tmp_path)))
    yield opened
    opened.close()


def test_a_chore_that_fails_is_told_counted_and_tried_again(services, monkeypatch, caplog):
    done = threading.Event()
    turns: list[int] = []
    failures: list[int] = []

    def work(_: Services) -> int:
        turns.append(len(turns))
        if len(turns) < 3:
            raise OSError("on purpose")
        done.set()
        return len(turns)

    chore = Chore("a test", lambda _: 0.001, work, failed=lambda _: failures.append(1))
    monkeypatch.setattr(chores, "CHORES", (chore,))
    with caplog.at_level(logging.ERROR, "lamina.hub"):
        run(services, done)
    assert len(failures) == 2
    assert caplog.messages == ["a test failed; tried again"] * 2


def test_what_a_chore_gives_is_handed_on_on_the_loops_thread(services, monkeypatch):
    done = threading.Event()
    found: list[tuple[object, threading.Thread]] = []

    def after(_: Services, result: object) -> None:
        found.append((result, threading.current_thread()))
        done.set()

    chore = Chore("a test", lambda _: 0.001, lambda _: threading.current_thread(), after=after)
    monkeypatch.setattr(chores, "CHORES", (chore,))
    run(services, done)
    worker, told_on = found[0]
    assert told_on is threading.current_thread()
    assert worker is not told_on


def test_a_read_only_hub_does_only_what_writes_nothing_of_its_images(tmp_path, monkeypatch):
    done = threading.Event()
    turns: list[str] = []

    def work(name: str):
        def note(_: Services) -> None:
            turns.append(name)
            if turns.count("pulls") > 3:
                done.set()

        return note

    pair = (
        Chore("a sweep", lambda _: 0.001, work("sweep")),
        Chore("pulls", lambda _: 0.001, work("pulls"), writes=False),
    )
    monkeypatch.setattr(chores, "CHORES", pair)
    services = Services.open(HubSettings(root=str(tmp_path), read_only="moving"))
    try:
        run(services, done)
    finally:
        services.close()
    assert set(turns) == {"pulls"}


def test_a_hub_sweeps_by_itself_and_counts_it(tmp_path, monkeypatch):
    settings = HubSettings(root=str(tmp_path), sweep_every_s=0.01)
    services = Services.open(settings)
    done = threading.Event()
    found: list[Collected] = []

    def count(_: Metrics, collected: Collected) -> None:
        found.append(collected)
        done.set()

    monkeypatch.setattr(Metrics, "count_sweep", count)
    try:
        run(services, done)
    finally:
        services.close()
    assert found[0] == Collected()
    assert services.metrics.sweep_failures == 0
