"""Passwords: argon2id as OWASP recommends (19 MiB, two passes, one lane), and who may try again.

A checked login is remembered in memory for a few minutes under a keyed hash: Docker clients send
the same Basic login with every token they ask for, and each check costs 27 ms of a core.
"""

import hashlib
import hmac
import secrets
import threading
from collections import OrderedDict, deque
from collections.abc import Callable

from lamina.hub.errors import TooManyAttempts

__all__ = ["Passwords", "Throttle"]

_MEMORY_KIB, _PASSES, _LANES = 19456, 2, 1
_REMEMBERED_S = 300.0
_REMEMBERED = 10_000


class Passwords:
    """Hash and check; both block for tens of milliseconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        from argon2 import PasswordHasher

        self._hasher = PasswordHasher(
            time_cost=_PASSES, memory_cost=_MEMORY_KIB, parallelism=_LANES
        )
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._known: OrderedDict[bytes, float] = OrderedDict()
        self._guard = threading.Lock()
        self._nobody = self._hasher.hash(secrets.token_hex())

    def hash(self, password: str) -> str:
        """Give the PHC string to keep."""
        return self._hasher.hash(password)

    def is_known(self, stored: str, password: str) -> bool:
        """Tell whether this very login was checked a moment ago; costs microseconds."""
        name = self._name(stored, password)
        with self._guard:
            return self._known.get(name, 0.0) > self._clock()

    def check(self, stored: str, password: str) -> bool:
        """Tell whether `password` is the one. An empty `stored` (no such account) costs the same.

        So the time of an answer does not tell which names exist.
        """
        from argon2.exceptions import Argon2Error, InvalidHashError

        try:
            self._hasher.verify(stored or self._nobody, password)
        except (Argon2Error, InvalidHashError):
            return False
        if not stored:
            return False
        name = self._name(stored, password)
        with self._guard:
            self._known[name] = self._clock() + _REMEMBERED_S
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return True

    def _name(self, stored: str, password: str) -> bytes:
        text = f"{stored}\0{password}".encode("utf-8", "surrogatepass")
        return hmac.new(self._key, text, hashlib.sha256).digest()


class Throttle:
    """Counts wrong passwords in a sliding window, per name and address, and per address."""

    def __init__(
        self, clock: Callable[[], float], *, window_s: float, per_account: int, per_address: int
    ) -> None:
        self._clock = clock
        self._window_s = window_s
        self._limits = (per_account, per_address)
        self._failures: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()
        self._guard = threading.Lock()

    def admit(self, name: str, address: str) -> None:
        """Let an attempt pass. Raises: TooManyAttempts."""
        now = self._clock()
        with self._guard:
            for key, limit in self._keys(name, address):
                times = self._failures.get(key)
                while times and times[0] <= now - self._window_s:
                    times.popleft()
                if times and len(times) >= limit:
                    raise TooManyAttempts(int(times[0] + self._window_s - now) + 1)

    def failed(self, name: str, address: str) -> None:
        """Note a wrong password."""
        now = self._clock()
        with self._guard:
            for key, limit in self._keys(name, address):
                self._failures.setdefault(key, deque(maxlen=limit)).append(now)
                self._failures.move_to_end(key)
            while len(self._failures) > _REMEMBERED:
                self._failures.popitem(last=False)

    def succeeded(self, name: str, address: str) -> None:
        """Forget the failures of that name from that address."""
        with self._guard:
            self._failures.pop((name, address), None)

    def _keys(self, name: str, address: str) -> tuple[tuple[tuple[str, str], int], ...]:
        return (((name, address), self._limits[0]), (("", address), self._limits[1]))
