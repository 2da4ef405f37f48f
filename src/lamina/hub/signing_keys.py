"""Use cases of the keys that short tokens are signed with: load, change. Every call may block.

Keys are in the database, so that every process of a hub has the same. One that was just changed
elsewhere is seen within `RELOAD_S`, and at once by whoever is shown a token of it.
"""

from collections.abc import Callable

from lamina.hub.database import Connection, Database
from lamina.hub.tables import signing_keys
from lamina.hub.tokens import LEEWAY_S, new_key

__all__ = ["RELOAD_S", "SigningKeys"]

RELOAD_S = 30.0
"""How often a process looks for keys: for so long it may go on signing with an old one."""


class SigningKeys:
    """The keys; tokens live for `lifetime_s` seconds."""

    def __init__(self, database: Database, *, clock: Callable[[], float], lifetime_s: int) -> None:
        self._database = database
        self._clock = clock
        self._believed_s = lifetime_s + 2 * RELOAD_S + LEEWAY_S

    def load(self) -> tuple[bytes, ...]:
        """Give the private keys (PEM), the one that signs first; make one where there is none."""
        now = self._clock()
        after = now - self._believed_s

        def believed(connection: Connection) -> tuple[bytes, ...]:
            return signing_keys.believed(connection, retired_after=after)

        def work(connection: Connection) -> tuple[bytes, ...]:
            if not believed(connection):  # else another process made it first
                signing_keys.add(connection, new_key(), now=now)
            return believed(connection)

        return self._database.read(believed) or self._database.write(work)

    def rotate(self, *, at_once: bool = False) -> tuple[bytes, ...]:
        """Sign with a new key from now on; give all as `load` does.

        Tokens that are out stay good until their time is over, unless `at_once`: for a key that
        somebody may have. Other processes learn of that within `RELOAD_S`.
        """
        now, fresh = self._clock(), new_key()
        after = now if at_once else now - self._believed_s

        def work(connection: Connection) -> tuple[bytes, ...]:
            signing_keys.retire(connection, now=now, drop_before=after)
            signing_keys.add(connection, fresh, now=now)
            return signing_keys.believed(connection, retired_after=after)

        return self._database.write(work)
