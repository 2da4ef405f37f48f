"""What a hub does by itself while it runs: a small list, each entry with its time.

A chore runs in every process; one that a single process is to do for all takes its turn inside, by a
row of the database. It blocks a thread, never the loop. A failure is logged and tried again.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from aiohttp import web

from lamina.hub.collect import Collected
from lamina.hub.couriers import deliver
from lamina.hub.retention import Retired
from lamina.hub.scrub import Scrubbed
from lamina.hub.services import Services
from lamina.hub.signing_keys import RELOAD_S
from lamina.hub.web import SERVICES

__all__ = ["CHORES", "Chore", "run_chores"]

_FLUSH_EVERY_S = 2.0
_RENEW_EVERY_S = 20.0
_SCRUB_EVERY_S = 60.0
_RECOUNT_EVERY_S = 86400.0
_NOTE_EVERY_S = 60.0
_SETTLE_EVERY_S = 3.0
_EVICT_EVERY_S = 3600.0
_MIRROR_EVERY_S = 2.0
_EXPLORE_EVERY_S = 2.0


@dataclass(frozen=True, slots=True)
class Chore:
    """Work to repeat. `after` gets its result on the loop's thread, `failed` is told of an error.

    One with `writes` rests while the hub is read-only; a `quiet` one fails without a word.
    """

    name: str
    every_s: Callable[[Services], float]
    work: Callable[[Services], object]
    after: Callable[[Services, object], None] = lambda _, __: None
    failed: Callable[[Services], None] = lambda _: None
    writes: bool = True
    quiet: bool = False


def _sweep(services: Services) -> object:
    settings = services.settings
    return services.collector.sweep_in_turn(
        every_s=settings.sweep_every_s,
        grace_s=settings.grace_s,
        upload_grace_s=settings.upload_grace_s,
    )


def _count_sweep(services: Services, found: object) -> None:
    assert isinstance(found, Collected)  # noqa: S101 - what `_sweep` gives
    services.metrics.count_sweep(found)


def _count_retired(services: Services, found: object) -> None:
    assert isinstance(found, Retired)  # noqa: S101 - what the chore gives
    services.metrics.count_retired(found)


def _scrub(services: Services) -> Scrubbed | None:
    rate = services.settings.scrub_rate
    if not rate:
        return None
    return services.scrubber.run_in_turn(rate=rate, every_s=_SCRUB_EVERY_S)


def _count_scrubbed(services: Services, found: object) -> None:
    if isinstance(found, Scrubbed):
        services.metrics.count_scrubbed(found)


def _count_failure(services: Services) -> None:
    services.metrics.sweep_failures += 1


def _renew(services: Services) -> None:
    services.uploads.renew(services.uploads.closing().union(services.transfers.active()))


def _settle(services: Services) -> None:
    if services.intake is not None:
        services.intake.settle()


CHORES = (
    Chore(
        "counting pulls",
        lambda _: _FLUSH_EVERY_S,
        lambda services: services.registry.flush_pulls(),
        writes=False,
        quiet=True,  # a database that is away is told by every request; counts are kept
    ),
    Chore(
        "telling of pulls",
        lambda _: _FLUSH_EVERY_S,
        lambda services: services.webhooks.flush_pulls(),
        writes=False,
        quiet=True,
    ),
    Chore(
        "looking for caches",
        lambda _: _FLUSH_EVERY_S,
        lambda services: services.caches.look(),
        writes=False,
        quiet=True,
    ),
    Chore(
        "noting what caches are used for",
        lambda _: _NOTE_EVERY_S,
        lambda services: services.passing.flush_uses(),
    ),
    Chore(
        "dropping what nobody pulls from caches",
        lambda _: _EVICT_EVERY_S,
        lambda services: services.passing.evict_in_turn(),
    ),
    Chore(
        "mirroring",
        lambda _: _MIRROR_EVERY_S,
        lambda services: services.mirroring.begin_due(),
        quiet=True,  # runs have a log of their own
    ),
    Chore(
        "looking into images",
        lambda _: _EXPLORE_EVERY_S,
        lambda services: services.explorer.begin_due(),
        quiet=True,  # its thread says what went wrong; a database that is away is told by every request
    ),
    Chore("noting uploads under way", lambda _: _RENEW_EVERY_S, _renew),
    Chore(
        "noting uploads that were begun",
        lambda _: _FLUSH_EVERY_S,
        lambda services: services.uploads.note_rested(for_s=_FLUSH_EVERY_S),
    ),
    Chore("giving small blobs their files", lambda _: _SETTLE_EVERY_S, _settle),
    Chore(
        "looking for signing keys",
        lambda _: RELOAD_S,
        lambda services: services.look_for_keys(),
        writes=False,
        quiet=True,
    ),
    Chore(
        "a sweep",
        lambda services: services.settings.sweep_every_s,
        _sweep,
        after=_count_sweep,
        failed=_count_failure,
    ),
    Chore(
        "retention",
        lambda services: services.settings.retention_every_s,
        lambda services: services.retention.run_in_turn(
            every_s=services.settings.retention_every_s
        ),
        after=_count_retired,
    ),
    Chore(
        "counting what quotas have",
        lambda _: _RECOUNT_EVERY_S,
        lambda services: services.quotas.recount_in_turn(every_s=_RECOUNT_EVERY_S),
    ),
    Chore(
        "reading blobs again",
        lambda _: _SCRUB_EVERY_S,
        _scrub,
        after=_count_scrubbed,
    ),
)


async def run_chores(app: web.Application) -> AsyncIterator[None]:
    """Do the chores while the application runs."""
    services = app[SERVICES]
    tasks = [
        asyncio.create_task(_repeat(services, chore))
        for chore in CHORES
        if not (chore.writes and services.settings.read_only)
    ]
    tasks.append(asyncio.create_task(deliver(services)))
    yield
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def _repeat(services: Services, chore: Chore) -> None:
    while True:
        await asyncio.sleep(chore.every_s(services))
        try:
            chore.after(services, await services.threads.call(chore.work, services))
        except Exception:
            with contextlib.suppress(Exception):
                chore.failed(services)
            if not chore.quiet:
                logging.getLogger("lamina.hub").exception("%s failed; tried again", chore.name)
