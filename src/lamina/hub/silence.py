"""Connections that ask for nothing: whoever opens many and sends a byte a minute holds no place for long."""

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

__all__ = ["Silence"]

_Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Silence:
    """The connections whose first request has not come yet, each with the timer that ends it.

    aiohttp ends a connection that rests between two requests, and waits for ever for the first.
    """

    def __init__(self, *, patience_s: float) -> None:
        self._patience_s = patience_s
        self._timers: dict[asyncio.BaseProtocol, asyncio.TimerHandle] = {}

    def watch(self, make: Callable[[], asyncio.Protocol]) -> Callable[[], asyncio.Protocol]:
        """Give a factory of connections that are closed unless a request comes in time."""

        def make_watched() -> asyncio.Protocol:
            connection = make()
            loop = asyncio.get_running_loop()
            self._timers[connection] = loop.call_later(self._patience_s, self._end, connection)
            return connection

        return make_watched

    def end(self) -> None:
        """Forget all timers."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    @web.middleware
    async def heard(self, request: web.Request, handler: _Answer) -> web.StreamResponse:
        """Note that a connection has asked for something."""
        self.forget(request.protocol)
        return await handler(request)

    def forget(self, connection: asyncio.BaseProtocol) -> None:
        """Note that a connection has asked for something, whoever answers it."""
        timer = self._timers.pop(connection, None)
        if timer is not None:
            timer.cancel()

    def _end(self, connection: asyncio.BaseProtocol) -> None:
        self._timers.pop(connection, None)
        transport = getattr(connection, "transport", None)  # None once it is gone
        if transport is not None:
            transport.abort()
