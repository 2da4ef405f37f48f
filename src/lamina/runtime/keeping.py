"""When a container that has ended is started again: the restart policy, kept by the shim."""

from lamina.spec.wire import Document

__all__ = ["Keeper"]

_FIRST_S, _LONGEST_S = 0.1, 60.0
_WELL_S = 10.0


class Keeper:
    """Decides after each end. `count` is how often it was started again, as `inspect` shows it.

    `stopped` is set when a person stops the container: from then on it stays down.
    """

    def __init__(self, policy: Document) -> None:
        self.count = 0
        self.stopped = False
        self._delay_s = 0.0
        self.follow(policy)

    def follow(self, policy: Document) -> None:
        """Follow Docker's RestartPolicy: a name and, for on-failure, how often at most (0: no end)."""
        self._name = str(policy.get("Name") or "no")
        self._most = int(policy.get("MaximumRetryCount") or 0)

    def again(self, code: int) -> bool:
        """Tell whether a container that ended with `code` is to run again."""
        if self.stopped:
            return False
        if self._name == "on-failure":
            return code != 0 and (not self._most or self.count < self._most)
        return self._name in ("always", "unless-stopped")

    def delay_s(self, ran_s: float) -> float:
        """Give how long to wait before the next start, after a life of `ran_s`.

        Twice as long each time, up to a minute, as Docker does; after ten good seconds from anew.
        """
        self.count += 1
        if ran_s >= _WELL_S or not self._delay_s:
            self._delay_s = _FIRST_S
        else:
            self._delay_s = min(2 * self._delay_s, _LONGEST_S)
        return self._delay_s
