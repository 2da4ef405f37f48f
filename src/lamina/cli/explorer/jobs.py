"""Questions that take long, asked in threads of their own with the image opened once more in each."""

from __future__ import annotations

import threading
from time import monotonic

from lamina.engine.partial_study import partly_studied
from lamina.errors import LaminaError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from lamina.engine.engine import Engine
    from lamina.engine.study import Study

    Ask = Callable[[Study, "Turn"], object]

__all__ = ["Jobs", "Turn"]

_PATIENCE_S = 0.2


class Turn:
    """One question's turn: whether its answer is still wanted."""

    def __init__(self, jobs: Jobs, key: Hashable, number: int) -> None:
        self._jobs = jobs
        self._key = key
        self._number = number

    @property
    def is_over(self) -> bool:
        """Whether a newer question took its place, or nobody is there any more."""
        return self._jobs.is_closed or self._jobs.numbers.get(self._key) != self._number


class Jobs:
    """Ask questions; `answer(key, value)` is called in the asking thread, a LaminaError for failure.

    A question with the key of an earlier one takes its place: that one's answer is dropped. Threads
    do not outlive the process: whoever quits does not wait for a long answer.
    """

    def __init__(
        self, engine: Engine, name: str, answer: Callable[[Hashable, object], object]
    ) -> None:
        self._engine = engine
        self._name = name
        self._answer = answer
        self.numbers: dict[Hashable, int] = {}
        self.is_closed = False
        self._threads: list[threading.Thread] = []

    def ask(self, key: Hashable, question: Ask) -> None:
        """Begin to answer `question`, which is given the image opened for it alone."""
        self.numbers[key] = self.numbers.get(key, 0) + 1
        turn = Turn(self, key, self.numbers[key])
        thread = threading.Thread(target=self._run, args=(key, question, turn), daemon=True)
        self._threads = [*(one for one in self._threads if one.is_alive()), thread]
        thread.start()

    def drop(self, key: Hashable) -> None:
        """Want no answer to a question any more."""
        self.numbers[key] = self.numbers.get(key, 0) + 1

    def close(self) -> None:
        """Want no answers any more; wait a moment for those that notice."""
        self.is_closed = True
        end = monotonic() + _PATIENCE_S
        for thread in self._threads:
            thread.join(max(0.0, end - monotonic()))

    def _run(self, key: Hashable, question: Ask, turn: Turn) -> None:
        answer: object
        try:
            with partly_studied(self._engine, self._name) as opened:
                if turn.is_over:
                    return
                answer = question(opened.study, turn)
        except LaminaError as error:
            answer = error
        except OSError as error:
            answer = LaminaError(f"the image cannot be read: {error}")
        if not turn.is_over:
            self._answer(key, answer)
