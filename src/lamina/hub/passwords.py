"""Passwords: argon2id as OWASP recommends (7 MiB, five passes, one lane), and who may try again.

A checked login is remembered in memory for a few minutes under a keyed hash: Docker clients send
the same Basic login with every token they ask for, and each check costs 27 ms of a core.
"""

import hashlib
import hmac
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable

from lamina.hub.database import Connection, Database
from lamina.hub.errors import TooManyAttempts
from lamina.hub.tables import turns

__all__ = ["Passwords", "Throttle"]

# Of the settings that OWASP calls equally strong the one that takes least memory: the C library keeps it for the next
# time in each thread that ever hashed. Time is the same as with 19 MiB and two passes.
_MEMORY_KIB, _PASSES, _LANES = 7168, 5, 1
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
    """Counts wrong passwords in a sliding window, per name and address, and per address.

    The count is in the database: the same for every process of a hub, and after a restart.
    """

    def __init__(
        self,
        database: Database,
        clock: Callable[[], float],
        *,
        window_s: float,
        per_account: int,
        per_address: int,
    ) -> None:
        self._database = database
        self._clock = clock
        self._window_s = window_s
        self._limits = (per_account, per_address)

    def admit(self, name: str, address: str) -> None:
        """Let an attempt pass. Raises: TooManyAttempts."""
        per_account, per_address = self._limits

        def work(connection: Connection) -> float:
            return max(
                turns.free_at(connection, each, address, limit=limit, window_s=self._window_s)
                for each, limit in ((name, per_account), (None, per_address))
            )

        wait_s = self._database.read(work) - self._clock()
        if wait_s > 0:
            raise TooManyAttempts(int(wait_s) + 1)

    def failed(self, name: str, address: str) -> None:
        """Note a wrong password."""
        now = self._clock()
        self._database.write(
            lambda connection: turns.add_failure(
                connection, name, address, now=now, window_s=self._window_s
            ),
            alone=False,
        )

    def succeeded(self, name: str, address: str) -> None:
        """Forget the failures of that name from that address, if there are any."""
        if self._database.read(
            lambda connection: turns.free_at(
                connection, name, address, limit=1, window_s=self._window_s
            )
        ):
            self._database.write(
                lambda connection: turns.forget_failures(connection, name, address), alone=False
            )
