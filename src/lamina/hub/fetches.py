"""Blobs on their way from another registry: fetched once, kept, and read by many meanwhile.

A thread fetches; what comes goes to the storage. Readers follow it there, or where that is another machine's
in a file without a name.
The last byte is given out only after the whole was verified and kept: nobody is told that a damaged
blob was whole, whatever their client checks.
"""

import asyncio
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import BinaryIO, Protocol

from lamina.errors import Unavailable
from lamina.hub.errors import UpstreamFailed

__all__ = ["Fetch", "Fetches", "Key", "Source"]

Key = tuple[str, str]
"""Repository and digest."""
_AT_ONCE = 8
_PIECE = 256 * 1024


class Source(Protocol):
    """Where a blob comes from and goes to. One thread drives it."""

    def open(self) -> None:
        """Ask for the blob. Raises: LaminaError."""

    def read(self, size: int) -> bytes:
        """Give the next bytes, none at the end. Raises: LaminaError."""

    def keep(self, piece: bytes) -> None:
        """Keep the next bytes. Raises: OSError, LaminaError."""

    def follow(self) -> BinaryIO | None:
        """Open what is kept, for reading while more comes; None: it cannot be read yet."""

    def finish(self) -> None:
        """Verify all of it and make it the repository's. Raises: DigestDisagrees."""

    def close(self) -> None:
        """Let go; what was not finished goes."""


class Fetch:
    """One blob being fetched. `size` is what its manifest says; `folder` makes where it lies."""

    def __init__(self, size: int, folder: Callable[[], str]) -> None:
        self.size = size
        self._folder = folder
        self._file: BinaryIO | None = None
        self._guard = threading.Lock()
        self._holders = 1  # whoever fetches
        self._came = 0
        self._is_whole = False
        self._error: BaseException | None = None
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let go of what `hold` or `Fetches.join` gave, at the end of the context."""
        try:
            yield
        finally:
            self.release()

    def hold(self) -> bool:
        """Have the bytes kept until `release`; False: they are gone already, or no more will come."""
        with self._guard:
            if not self._holders or self._error is not None:
                return False
            self._holders += 1
            return True

    def release(self) -> None:
        """Let the bytes go if nobody else holds them."""
        with self._guard:
            self._holders -= 1
            is_last = not self._holders
        if is_last and self._file is not None:
            self._file.close()

    async def reach(self, offset: int) -> int:
        """Wait until there is something to read at `offset`; give up to where.

        Raises: what ended the fetching before it came that far.
        """
        while True:
            with self._guard:
                if self._is_whole:
                    return self.size
                end = min(self._came, self.size - 1)  # the last byte is for the end
                if end > offset:
                    return end
                if self._error is not None:
                    raise self._error
                loop = asyncio.get_running_loop()
                future: asyncio.Future[None] = loop.create_future()
                self._waiting.append((loop, future))
            await future

    def read(self, offset: int, size: int) -> bytes:
        """Give bytes that `reach` said are there."""
        assert self._file is not None  # noqa: S101 - something came
        return os.pread(self._file.fileno(), size, offset)

    def run(self, source: Source) -> None:
        """Fetch all of it. Never raises: readers are told."""
        try:
            try:
                source.open()
                kept = source.follow()
                file = self._file = self._open() if kept is None else kept
                while piece := source.read(_PIECE):
                    source.keep(piece)
                    if kept is None:
                        _write(file, piece)
                    self._tell(came=len(piece))
                source.finish()
            finally:
                source.close()
        except BaseException as error:  # noqa: BLE001 - it belongs to the readers
            self._tell(error=error)
        else:
            self._tell(is_whole=True)
        finally:
            self.release()

    def give_up(self) -> None:
        """Tell readers that nobody is going to fetch it."""
        self._tell(error=Unavailable("the hub is stopping"))
        self.release()

    def _open(self) -> BinaryIO:
        try:
            return tempfile.TemporaryFile(dir=self._folder(), buffering=0)
        except OSError as error:
            raise UpstreamFailed(f"no room to pass a blob on: {error.strerror}") from error

    def _tell(
        self, *, came: int = 0, is_whole: bool = False, error: BaseException | None = None
    ) -> None:
        with self._guard:
            self._came += came
            self._is_whole |= is_whole
            self._error = error
            waiting, self._waiting = self._waiting, []
        for loop, future in waiting:
            try:
                loop.call_soon_threadsafe(_wake, future)
            except RuntimeError:  # the loop is closed, and its readers with it
                continue


def _write(file: BinaryIO, piece: bytes) -> None:
    """Write all of it: a nearly full disk takes a part at a time."""
    rest = memoryview(piece)
    while rest:
        rest = rest[file.write(rest) :]


def _wake(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


class Fetches:
    """The blobs being fetched by this process, each once. Only the loop's thread may call `join`."""

    def __init__(self, folder: Callable[[], str]) -> None:
        self._folder = folder
        self._pool = ThreadPoolExecutor(_AT_ONCE, "hub-fetch")
        self._running: dict[Key, Fetch] = {}

    def __len__(self) -> int:
        return len(self._running)

    def join(self, key: Key, size: int, source: Callable[[], Source]) -> Fetch:
        """Give the fetch of that blob, begun if it is not under way; the caller releases it.

        Raises: Unavailable (the hub is stopping).
        """
        known = self._running.get(key)
        if known is not None and known.hold():
            return known
        fetch = Fetch(size, self._folder)
        fetch.hold()
        loop = asyncio.get_running_loop()
        try:
            running = self._pool.submit(fetch.run, source())
        except RuntimeError as error:  # the pool is shut
            raise Unavailable("the hub is stopping") from error
        self._running[key] = fetch

        def forget(ended: "Future[None]") -> None:
            if ended.cancelled():
                fetch.give_up()
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._drop, key, fetch)

        running.add_done_callback(forget)
        return fetch

    def _drop(self, key: Key, fetch: Fetch) -> None:
        if self._running.get(key) is fetch:
            del self._running[key]

    def close(self) -> None:
        """Wait for those that run, whose sources are cut by then; drop those that wait."""
        self._pool.shutdown(wait=True, cancel_futures=True)
