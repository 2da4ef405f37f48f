"""One thread more for one stream: what comes next works while the next piece is made ready."""

from _queue import SimpleQueue  # `queue` itself loads what only its other classes need
from collections.abc import Callable
from threading import Semaphore, Thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

__all__ = ["Pump"]

_DEPTH = 8


class Pump:
    """Hands pieces to `take` in order, in a thread of its own; at most `depth` wait.

    Use as a context manager: leaving it ends the thread whatever happened. What `take` raises comes
    out of the next `put` or of `close`. Made for C code that releases the GIL: hash, inflate, write.
    """

    def __init__(
        self, take: Callable[[bytes], object], *, name: str = "pump", depth: int = _DEPTH
    ) -> None:
        self._take = take
        self._pieces: SimpleQueue[bytes | None] = SimpleQueue()
        self._room = Semaphore(depth)
        self._failure: BaseException | None = None
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def put(self, piece: bytes) -> None:
        """Pass one piece on; wait while as many as may wait already. Raises: what `take` raised."""
        if self._failure is not None:
            raise self._failure
        self._room.acquire()
        self._pieces.put(piece)

    def close(self) -> None:
        """Wait until every piece is taken. Raises: what `take` raised."""
        self._end()
        if self._failure is not None:
            raise self._failure

    def _end(self) -> None:
        if self._thread.is_alive():
            self._pieces.put(None)
            self._thread.join()

    def _run(self) -> None:
        while (piece := self._pieces.get()) is not None:
            self._room.release()
            if self._failure is None:  # else drain, so that the other side never waits for ever
                try:
                    self._take(piece)
                except BaseException as error:  # noqa: BLE001 - handed to the caller's thread
                    self._failure = error
