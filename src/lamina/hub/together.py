"""One answer for all who ask the same at the same time: the second waits for the first's."""

import asyncio
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

__all__ = ["Together"]

T = TypeVar("T")
_WORKERS = 16


class Together:
    """Questions under way, by what they are for. Only the loop's thread may call it.

    `threads` is for work that waits for other servers: it must not keep the hub's own waiting.
    """

    def __init__(self) -> None:
        self.threads = ThreadPoolExecutor(_WORKERS, "hub-upstream")
        self._running: dict[Hashable, asyncio.Future[Any]] = {}

    async def call(self, key: Hashable, begin: "Callable[[], Future[T]]") -> T:
        """Give the result of the work under way for `key`, or of the work begun now.

        Who leaves early does not end it for the others.
        """
        running = self._running.get(key)
        if running is None:
            running = asyncio.wrap_future(begin())
            self._running[key] = running
            running.add_done_callback(partial(self._forget, key))
        return await asyncio.shield(running)

    def _forget(self, key: Hashable, ended: "asyncio.Future[Any]") -> None:
        self._running.pop(key, None)
        if not ended.cancelled():
            ended.exception()  # looked at, though everyone who asked may have left

    def close(self) -> None:
        """Wait for what runs and drop what waits."""
        self.threads.shutdown(wait=True, cancel_futures=True)
