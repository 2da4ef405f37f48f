"""Questions that take long, asked in threads that have the image open once more."""

from __future__ import annotations

import threading
from queue import SimpleQueue
from time import monotonic

from lamina.errors import LaminaError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from contextlib import AbstractContextManager

    from lamina.engine.partial_study import PartialStudy
    from lamina.engine.study import Study

    Open = Callable[[], AbstractContextManager[PartialStudy]]
    Ask = Callable[[Study, "Turn"], object]

__all__ = ["Jobs", "Turn"]

_PATIENCE_S = 0.2


class Turn:
    """One question's turn: whether its answer is still wanted."""

    def __init__(self, jobs: Jobs, key: Hashable, number: int, question: Ask) -> None:
        self._jobs = jobs
        self._number = number
        self.key = key
        self.question = question

    @property
    def is_over(self) -> bool:
        """Whether a newer question took its place, or nobody is there any more."""
        return self._jobs.is_closed or self._jobs.numbers.get(self.key) != self._number


class Jobs:
    """Ask questions; `answer(key, value)` is called in the asking thread, a LaminaError for failure.

    `opening` opens the image `name`, once for each thread.
    A question with the key of an earlier one takes its place: that one's answer is dropped. What takes
    long (`slow`) has a thread of its own, so that the rest need not wait for it. Threads do not
    outlive the process: whoever quits does not wait for a long answer.
    """

    def __init__(
        self, opening: Open, name: str, answer: Callable[[Hashable, object], object]
    ) -> None:
        self._opening = opening
        self._name = name
        self._answer = answer
        self._lanes: dict[bool, SimpleQueue[Turn | None]] = {}
        self._threads: list[threading.Thread] = []
        self.numbers: dict[Hashable, int] = {}
        self.is_closed = False

    def ask(self, key: Hashable, question: Ask, *, slow: bool = False) -> None:
        """Have `question` answered, which is given the image as its thread has it open."""
        self.drop(key)
        if slow not in self._lanes:
            self._lanes[slow] = SimpleQueue()
            thread = threading.Thread(target=self._run, args=(self._lanes[slow],), daemon=True)
            self._threads.append(thread)
            thread.start()
        self._lanes[slow].put(Turn(self, key, self.numbers[key], question))

    def drop(self, key: Hashable) -> None:
        """Want no answer to a question any more."""
        self.numbers[key] = self.numbers.get(key, 0) + 1

    def close(self) -> None:
        """Want no answers any more; wait a moment for those that notice."""
        self.is_closed = True
        for lane in self._lanes.values():
            lane.put(None)
        end = monotonic() + _PATIENCE_S
        for thread in self._threads:
            thread.join(max(0.0, end - monotonic()))

    def _run(self, lane: SimpleQueue[Turn | None]) -> None:
        failure: LaminaError | None = None
        try:
            with self._opening() as opened:
                while (turn := lane.get()) is not None:
                    self._take(turn, opened.study)
        except LaminaError as error:  # it was removed meanwhile
            failure = error
        except OSError as error:
            failure = LaminaError(f"{self._name} cannot be read: {error.strerror}")
        while failure is not None and (turn := lane.get()) is not None:
            self._answer(turn.key, failure)

    def _take(self, turn: Turn, study: Study) -> None:
        if turn.is_over:
            return
        answer: object
        try:
            answer = turn.question(study, turn)
        except LaminaError as error:
            answer = error
        except OSError as error:
            answer = LaminaError(f"{self._name} cannot be read: {error.strerror}")
        if not turn.is_over:
            self._answer(turn.key, answer)
