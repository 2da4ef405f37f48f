"""Bodies into uploads, batch by batch."""

import asyncio

import pytest

from lamina.hub.errors import UploadTaken
from lamina.hub.storage.disk import DiskStorage
from lamina.hub.threads import Threads
from lamina.hub.transfers import Transfers


class Body:
    """A request's body that comes when the test lets it."""

    def __init__(self, *pieces: bytes, error: Exception | None = None, hangs: bool = False) -> None:
        self._pieces, self._error, self._hangs = pieces, error, hangs
        self.reached_end = asyncio.Event()

    async def iter_any(self):
        for piece in self._pieces:
            yield piece
        self.reached_end.set()
        if self._hangs:
            await asyncio.Event().wait()
        if self._error is not None:
            raise self._error


@pytest.fixture
def parts(tmp_path):
    storage, threads = DiskStorage(str(tmp_path)), Threads()
    yield storage, Transfers(storage, threads)
    threads.close()


def test_many_small_pieces_arrive_in_order(parts):
    storage, transfers = parts

    async def run() -> object:
        storage.begin("u")
        return await transfers.receive("u", Body(*[b"%04d" % n for n in range(3000)]))

    assert asyncio.run(run()) == storage.received("u") == 12000


def test_what_came_before_an_error_is_kept(parts):
    storage, transfers = parts

    async def run() -> None:
        storage.begin("u")
        with pytest.raises(ConnectionResetError):
            await transfers.receive("u", Body(b"x" * 100, error=ConnectionResetError()))

    asyncio.run(run())
    assert storage.received("u") == 100
    assert transfers.active() == {}


def test_a_newcomer_ends_the_one_that_hangs_and_keeps_its_bytes(parts):
    storage, transfers = parts

    async def run() -> None:
        storage.begin("u")
        hanging = Body(b"first ", hangs=True)
        first = asyncio.ensure_future(transfers.receive("u", hanging))
        await hanging.reached_end.wait()
        assert transfers.active().keys() == {"u"}
        assert await transfers.receive("u", Body(b"second")) == 12
        with pytest.raises(UploadTaken):
            await first

    asyncio.run(run())


def test_a_request_that_is_dropped_keeps_its_bytes(parts):
    storage, transfers = parts

    async def run() -> None:
        storage.begin("u")
        hanging = Body(b"kept", hangs=True)
        task = asyncio.ensure_future(transfers.receive("u", hanging))
        await hanging.reached_end.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert storage.received("u") == 4
