"""Bodies into uploads, batch by batch."""

import asyncio
import threading
from typing import Any

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


class SlowToClose(DiskStorage):
    """A storage that writes the rest as an upload's body closes, as one on S3 does."""

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self.is_closing, self.may_close = threading.Event(), threading.Event()

    def resume(self, upload: str):
        incoming = super().resume(upload)
        close = incoming.close

        def wait_and_close() -> None:
            self.is_closing.set()
            assert self.may_close.wait(100)
            close()

        return Closing(incoming, wait_and_close)


class Closing:
    def __init__(self, incoming, close) -> None:
        self._incoming, self.close = incoming, close

    def __getattr__(self, name: str):
        return getattr(self._incoming, name)


def test_who_comes_back_waits_until_the_broken_body_is_kept_to_its_end(tmp_path):
    storage, threads = SlowToClose(str(tmp_path)), Threads()
    transfers: Any = Transfers(storage, threads)

    async def run() -> None:
        storage.begin("u")
        broken = Body(b"x" * 100, error=ConnectionResetError())
        first = asyncio.ensure_future(transfers.receive("u", broken))
        await asyncio.to_thread(storage.is_closing.wait, 100)
        settling = asyncio.ensure_future(transfers.settle("u"))
        for _ in range(10):
            await asyncio.sleep(0)
        assert not settling.done()
        storage.may_close.set()
        await settling
        with pytest.raises(UploadTaken):
            await first

    asyncio.run(run())
    threads.close()
    assert storage.received("u") == 100
