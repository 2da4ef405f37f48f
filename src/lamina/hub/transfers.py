"""Request bodies into uploads: batches of a mebibyte, written and hashed off the event loop."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import TypeVar

from aiohttp import StreamReader

from lamina.hub.errors import LimitReached, RangeDisagrees, UploadTaken
from lamina.hub.storage.protocol import Incoming, Storage
from lamina.hub.threads import Threads

__all__ = ["Transfers"]

_Result = TypeVar("_Result")
_BATCH = 1024 * 1024
_PIECES = 512  # one writev takes 1024 at most


class Transfers:
    """The bodies being received now; at most one per upload."""

    def __init__(self, storage: Storage, threads: Threads) -> None:
        self._storage = storage
        self._threads = threads
        self._running: dict[str, asyncio.Task[int]] = {}
        self._arrived: dict[str, int] = {}

    def active(self) -> dict[str, int]:
        """Give the uploads that are being received now, and how many bytes of each body came.

        Those bytes are kept whatever becomes of the request, though not all may be written yet.
        """
        return self._arrived.copy()

    async def settle(self, upload: str) -> None:
        """Stop a request that still seems to send: its client has come back on a new connection.

        What arrived is kept. Without this a resuming client would wait for a dead one's timeout.
        """
        while (running := self._running.get(upload)) is not None:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await asyncio.wait([running])

    async def receive(
        self,
        upload: str,
        body: StreamReader,
        *,
        first: int | None = None,
        limit: int | None = None,
    ) -> int:
        """Append a request's whole body to an upload; give the offset after it.

        When the client goes away in the middle, what arrived is kept. `first` is where the body
        must begin, if its sender said so: another process may have moved the upload's end. `limit`
        is how many bytes the upload may have in all.
        Raises: UploadUnknown, UploadTaken, RangeDisagrees, LimitReached, OSError (disk full,
        connection lost).
        """
        await self.settle(upload)
        task = asyncio.get_running_loop().create_task(self._receive(upload, body, first, limit))
        self._running[upload] = task
        self._arrived[upload] = 0
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():  # by `settle`, not because this request was dropped
                raise UploadTaken("another request went on with this upload") from None
            task.cancel()
            await asyncio.wait([task])
            raise
        finally:
            if self._running.get(upload) is task:
                del self._running[upload], self._arrived[upload]

    async def _receive(
        self, upload: str, body: StreamReader, first: int | None, limit: int | None
    ) -> int:
        opening = self._threads.call(self._storage.resume, upload)
        try:
            incoming = await _to_end(opening)
        except asyncio.CancelledError:
            if opening.exception() is None:
                await _to_end(self._threads.call(opening.result().close))
            raise
        try:
            if first not in (None, incoming.offset):
                raise RangeDisagrees(incoming.offset)
            room = None if limit is None else limit - incoming.offset
            async with contextlib.aclosing(self._batches(upload, body, room)) as batches:
                await self._write_all(incoming, batches)
        finally:
            await _to_end(self._threads.call(incoming.close))
        return incoming.offset

    async def _write_all(
        self,
        incoming: Incoming,
        batches: AsyncGenerator[tuple[list[bytes], BaseException | None], None],
    ) -> None:
        """Write one batch while the next one arrives."""
        writing: asyncio.Future[None] | None = None
        try:
            async for pieces, failure in batches:
                if writing is not None:
                    await asyncio.shield(writing)
                    writing = None
                if pieces:
                    writing = self._threads.call(incoming.write, pieces)
                if failure is not None:
                    raise failure
        finally:
            if writing is not None:
                await _to_end(writing)

    async def _batches(
        self, upload: str, body: StreamReader, room: int | None
    ) -> AsyncGenerator[tuple[list[bytes], BaseException | None], None]:
        """Give pieces of about a mebibyte; at a broken connection, what came and why it ended.

        A body of more than `room` bytes ends there, too, without what was not given yet.
        """
        pieces: list[bytes] = []
        size = 0
        failure: BaseException | None = None
        try:
            async for piece in body.iter_any():
                pieces.append(piece)
                size += len(piece)
                self._arrived[upload] += len(piece)
                if room is not None and self._arrived[upload] > room:
                    raise LimitReached("the body has more bytes than may come")  # noqa: TRY301 - as a lost connection ends it
                if size >= _BATCH or len(pieces) >= _PIECES:
                    yield pieces, None
                    pieces, size = [], 0
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - once all is written
            failure = error
            if isinstance(error, LimitReached):
                pieces = []
        yield pieces, failure


async def _to_end(future: "asyncio.Future[_Result]") -> _Result:
    """Wait for a thread's work though cancelled meanwhile: whoever cancels counts on it being over."""
    is_cancelled = False
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError:
            is_cancelled = True
    if is_cancelled:
        raise asyncio.CancelledError
    return future.result()
