"""What is on its way to webhooks is sent: signed, with a time limit, to public addresses alone.

Spec: Standard Webhooks 1.0, "webhook-id", "webhook-timestamp", "webhook-signature". A delivery is
claimed for a minute in the database, so each is tried by one process of the hub at a time, and by
another where that one died: receivers may be told twice, under the same id.
"""

import asyncio
import base64
import hashlib
import hmac
import logging
import random
import time
from collections import Counter
from typing import TYPE_CHECKING, Self

import aiohttp

from lamina import __version__
from lamina.errors import LaminaError, Unavailable
from lamina.hub.guard import GuardedResolver, check_url
from lamina.hub.tables.webhooks import Attempt, Due
from lamina.hub.webhooks import SECRET_PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lamina.hub.services import Services

__all__ = ["Courier", "deliver", "signature"]

_LOOK_EVERY_S = 1.0
_TIMEOUT_S = 10.0
_AT_ONCE = 16
_BODY_KEPT = 4096
_HEAD_KEPT = 8192
_LOGGER = logging.getLogger("lamina.hub")


def signature(secret: str, event_id: str, timestamp: int, body: bytes) -> str:
    """Give the header that proves who sent `body` when: `v1,` and HMAC-SHA256 in base64. Pure."""
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    signed = b"%s.%d.%s" % (event_id.encode(), timestamp, body)
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


class Courier:
    """Sends deliveries, several at a time. A context manager of one event loop."""

    def __init__(self, networks: tuple[str, ...]) -> None:
        self._networks = networks

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=GuardedResolver(self._networks), use_dns_cache=False, force_close=True
            ),
            timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,  # a small answer must not become a large one
            max_line_size=_HEAD_KEPT,
            max_field_size=_HEAD_KEPT,
        )
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._session.close()

    async def send(self, due: Due, *, now: float) -> tuple[Attempt, float | None]:
        """Try a delivery once; give how it went and how long its receiver asks to wait."""
        timestamp = int(now)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"Lamina-Hub/{__version__}",
            "webhook-id": due.event_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(due.secret, due.event_id, timestamp, due.body),
            "X-Lamina-Event": due.event,
        }
        asked = _head(f"POST {due.url}", headers)
        began = time.perf_counter()
        try:
            check_url(due.url, self._networks)  # the operator may have closed a network since
            async with self._session.post(
                due.url, data=due.body, headers=headers, allow_redirects=False
            ) as response:
                body = await response.content.read(_BODY_KEPT)
                head = _head(f"{response.status} {response.reason or ''}", response.headers)
                answered = f"{head}\n{_text(body)}".rstrip()
                went = Attempt(response.status, asked, answered, time.perf_counter() - began)
                return went, _retry_after_s(response.headers)
        except (aiohttp.ClientError, LaminaError, OSError, TimeoutError, ValueError) as error:
            return Attempt(0, asked, _reason(error), time.perf_counter() - began), None


def _head(first: str, headers: "Mapping[str, str]") -> str:
    lines = [first.strip(), *(f"{name}: {value}" for name, value in headers.items())]
    return _text("\n".join(lines).encode(errors="replace")[:_HEAD_KEPT])


def _text(raw: bytes) -> str:
    return raw.decode(errors="replace").replace("\0", "?")


def _reason(error: BaseException) -> str:
    """Say why no answer came; a private address by what it is, so that nobody learns more."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, LaminaError):
            return f"not sent: {cause.message}" + (f" ({cause.hint})" if cause.hint else "")
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, TimeoutError):
        return f"no answer within {_TIMEOUT_S:.0f} seconds"
    return _text(f"no answer: {str(error) or type(error).__name__}".encode()[:_BODY_KEPT])


def _retry_after_s(headers: "Mapping[str, str]") -> float | None:
    text = headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 8 else None  # noqa: PLR2004 - days


async def deliver(services: "Services") -> None:
    """Deliver what is due, for as long as the hub runs: the chore of webhooks."""
    busy: Counter[str] = Counter()
    tasks: set[asyncio.Task[None]] = set()
    stirred, loop = asyncio.Event(), asyncio.get_running_loop()
    services.outbox.wake_by(lambda: loop.call_soon_threadsafe(stirred.set))
    async with Courier(services.settings.webhook_networks) as courier:

        async def one(due: Due) -> None:
            try:
                went, asked_s = await courier.send(due, now=services.clock())
                outcome = await services.threads.call(
                    lambda: services.webhooks.settle(
                        due,
                        went,
                        asked_s=asked_s,
                        dice=random.random(),  # noqa: S311 - no secret
                    )
                )
                services.metrics.deliveries[outcome] += 1
            except Exception:  # the claim ends by itself, and the delivery is tried again
                _LOGGER.exception("how a webhook's delivery went could not be written down")
            finally:
                busy[due.webhook_id] -= 1

        try:
            while True:
                try:
                    found = await _claim(services, busy, room=_AT_ONCE - len(tasks))
                except Unavailable:  # a database that is away is told by every request
                    found = ()
                except Exception:
                    _LOGGER.exception("webhooks were not looked after; tried again in a moment")
                    found = ()
                for due in found:
                    busy[due.webhook_id] += 1
                    task = asyncio.create_task(one(due))
                    tasks.add(task)
                    task.add_done_callback(tasks.discard)
                await _pause(tasks, stirred)
        finally:
            services.outbox.wake_by(None)
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)


async def _pause(tasks: "set[asyncio.Task[None]]", stirred: asyncio.Event) -> None:
    """Wait until something was told here, a delivery ended, or a second is over."""
    waiting = asyncio.ensure_future(stirred.wait())
    try:
        await asyncio.wait(
            {waiting, *tasks}, timeout=_LOOK_EVERY_S, return_when=asyncio.FIRST_COMPLETED
        )
    finally:
        waiting.cancel()
        stirred.clear()


async def _claim(services: "Services", busy: Counter[str], *, room: int) -> tuple[Due, ...]:
    if room < _AT_ONCE // 2:
        return ()
    taken = [hook for hook, count in busy.items() if count > 0]
    return await services.threads.call(lambda: services.webhooks.claim(busy=taken))
