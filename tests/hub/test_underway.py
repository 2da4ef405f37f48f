"""Requests that a stop lets come to their end."""

import asyncio

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from lamina.hub.underway import Underway

REQUEST = make_mocked_request("GET", "/")


def test_a_stop_waits_for_what_is_under_way_and_its_connection_ends_then():
    async def run() -> None:
        underway, may_answer = Underway(), asyncio.Event()

        async def answer(_request: web.Request) -> web.StreamResponse:
            await may_answer.wait()
            return web.Response()

        request = asyncio.ensure_future(underway.counted(REQUEST, answer))
        await asyncio.sleep(0)
        stopping = asyncio.ensure_future(underway.finish(timeout_s=100))
        for _ in range(5):
            await asyncio.sleep(0)
        assert not stopping.done()
        may_answer.set()
        await stopping
        assert (await request).keep_alive is False

    asyncio.run(run())


def test_a_request_that_fails_is_over_too_and_a_stop_does_not_wait_for_ever():
    async def run() -> None:
        underway = Underway()

        async def fail(_request: web.Request) -> web.StreamResponse:
            raise ConnectionResetError

        async def hang(_request: web.Request) -> web.StreamResponse:
            await asyncio.Event().wait()
            return web.Response()

        with pytest.raises(ConnectionResetError):
            await underway.counted(REQUEST, fail)
        await underway.finish(timeout_s=100)
        hanging = asyncio.ensure_future(underway.counted(REQUEST, hang))
        await asyncio.sleep(0)
        await underway.finish(timeout_s=0.01)
        assert not hanging.done()
        hanging.cancel()

    asyncio.run(run())
