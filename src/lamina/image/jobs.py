"""A few threads that work off calls in order, and tell how each ended.

The standard library's pool brings logging along, and what ends the interpreter slowly: together 50 ms
of a pull.
"""

from _queue import Empty, SimpleQueue  # `queue` itself loads what only its other classes need
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from threading import Event, Thread

from lamina.errors import Unavailable

__all__ = ["Cancelled", "Job", "Jobs", "gather"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    T = TypeVar("T")


class Cancelled(Unavailable):
    """Another call failed first, or the user stopped the whole."""


class Job:
    """One call that a thread makes, or has made."""

    def __init__(self, call: Callable[[], object]) -> None:
        self._call = call
        self._ended = Event()
        self.error: BaseException | None = None

    def result(self) -> None:
        """Wait for the end of the call. Raises: what it raised."""
        self._ended.wait()
        if self.error is not None:
            raise self.error

    def run(self) -> None:
        """Make the call; for the thread."""
        try:
            self._call()
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits
            self.error = error
        self._ended.set()

    def cancel(self, error: BaseException) -> None:
        """End with `error` a call that was never made."""
        self.error = error
        self._ended.set()


class Jobs:
    """Calls in at most `workers` threads, begun in the order in which they were handed in."""

    def __init__(self, workers: int, *, name: str) -> None:
        self._most = workers
        self._name = name
        self._waiting: SimpleQueue[Job | None] = SimpleQueue()
        self._threads: list[Thread] = []
        self.ended: SimpleQueue[Job] = SimpleQueue()
        """Every job that was made, in the order in which they end."""

    def submit(self, call: Callable[[], object]) -> Job:
        """Have `call` made as soon as a thread is free."""
        job = Job(call)
        self._waiting.put(job)
        if len(self._threads) < self._most:
            thread = Thread(target=self._work, name=self._name, daemon=True)
            self._threads.append(thread)
            thread.start()
        return job

    def close(self, error: BaseException) -> None:
        """Wait for what runs; what has not begun ends with `error`."""
        with suppress(Empty):
            while (job := self._waiting.get_nowait()) is not None:
                job.cancel(error)
        for _ in self._threads:
            self._waiting.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while (job := self._waiting.get()) is not None:
            job.run()
            self.ended.put(job)


def gather(rows: "Sequence[tuple[Jobs, Callable[[], T]]]") -> "list[T]":
    """Have every call made by the threads beside it; give what they gave, in the order of `rows`.

    Raises: what the first call to fail raised, without waiting for the others; close the threads then.
    """
    given: dict[int, T] = {}
    ended: SimpleQueue[BaseException | None] = SimpleQueue()

    def make(number: int, call: "Callable[[], T]") -> None:
        try:
            given[number] = call()
        except BaseException as error:  # noqa: BLE001 - handed to the one who waits
            ended.put(error)
        else:
            ended.put(None)

    for number, (jobs, call) in enumerate(rows):
        jobs.submit(partial(make, number, call))
    for _ in rows:
        error = ended.get()
        if error is not None:
            raise error
    return [given[number] for number in range(len(rows))]
