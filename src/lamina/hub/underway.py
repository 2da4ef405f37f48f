"""The requests that are being answered now: whoever stops the hub lets them come to their end."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from aiohttp import web

__all__ = ["Underway"]

_Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Underway:
    """Counts the requests whose answer is not there yet.

    aiohttp waits for them when it stops too, but from then on throws away what their clients send:
    no upload would ever be whole.
    """

    def __init__(self) -> None:
        self._count = 0
        self.is_stopping = False
        self._is_quiet = asyncio.Event()
        self._is_quiet.set()

    @web.middleware
    async def counted(self, request: web.Request, handler: _Answer) -> web.StreamResponse:
        """Count a request; once a stop was asked for, its connection ends with its answer."""
        self.begin()
        try:
            response = await handler(request)
            if self.is_stopping and not response.prepared:
                response.force_close()
            return response
        finally:
            self.end()

    def begin(self) -> None:
        """Count a request that is answered elsewhere; `end` when it is."""
        self._count += 1
        self._is_quiet.clear()

    def end(self) -> None:
        """Count one less."""
        self._count -= 1
        if not self._count:
            self._is_quiet.set()

    async def finish(self, *, timeout_s: float) -> None:
        """Wait until nothing is under way, at most so long."""
        self.is_stopping = True
        with contextlib.suppress(TimeoutError, asyncio.TimeoutError):
            await asyncio.wait_for(self._is_quiet.wait(), timeout_s)
