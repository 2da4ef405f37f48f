"""When to ask again, and how long to wait before. Pure but for the sleep the caller hands in."""

from collections.abc import Callable, Mapping

from lamina.values import dataclass

__all__ = ["RETRIED", "Patience", "Tries", "delay_s", "retry_after_s"]

RETRIED = frozenset({408, 429, 500, 502, 503, 504})
"""Statuses of a passing trouble. 501 and 505 will not change their mind."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How often and how long one request is tried.

    `tries` counts attempts in all; `total_s` bounds the waiting between them, the attempts'
    own time not included. A transfer that gained `progress` bytes gets all its tries back.
    `stall_s` is how long a transfer may stay below `slowest` bytes per second.
    """

    tries: int = 5
    first_s: float = 0.3
    longest_s: float = 20.0
    total_s: float = 60.0
    connect_s: float = 10.0
    read_s: float = 60.0
    progress: int = 64 * 1024
    stall_s: float = 30.0
    slowest: int = 256


def retry_after_s(headers: Mapping[str, str], now: float) -> float | None:
    """Read `Retry-After`, seconds or a date; None when absent or unreadable. `now` is epoch seconds."""
    text = (headers.get("Retry-After") or "").strip()
    if not text:
        return None
    if text.replace(".", "", 1).isdigit():
        return float(text)
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, TypeError):
        return None


def delay_s(
    patience: Patience, attempt: int, *, waited_s: float, asked_s: float | None, dice: float
) -> float | None:
    """Give the wait before the attempt after `attempt` (1 is the first); None: give up.

    Doubling with jitter, so that a thousand clients do not come back in step; what the server
    asks for counts when longer. `dice` is a random number in [0, 1).
    """
    if attempt >= patience.tries:
        return None
    backoff = min(patience.longest_s, patience.first_s * 2 ** (attempt - 1))
    delay = backoff * (0.5 + dice / 2)
    if asked_s is not None:
        delay = max(delay, asked_s + dice * patience.first_s)
    return delay if waited_s + delay <= patience.total_s else None


class Tries:
    """The tries of one long transfer: progress gives them back, so only standing still ends it."""

    def __init__(self, patience: Patience, dice: Callable[[], float], offset: int = 0) -> None:
        self._patience = patience
        self._dice = dice
        self._mark = offset
        self._waited_s = 0.0
        self.failures = 0

    def pause_s(self, offset: int) -> float | None:
        """Count a failure at `offset`; give the wait before going on, None to give up."""
        if offset - self._mark >= self._patience.progress:
            self._mark, self.failures, self._waited_s = offset, 0, 0.0
        self.failures += 1
        pause = delay_s(
            self._patience, self.failures, waited_s=self._waited_s, asked_s=None, dice=self._dice()
        )
        self._waited_s += pause or 0.0
        return pause
