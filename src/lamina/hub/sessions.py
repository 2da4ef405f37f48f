"""Use cases of sessions: sign in, who is signed in, sign out here or elsewhere. Every call may block.

A session is 256 random bits in a cookie, kept as their SHA-256. Signing in always makes a new one, so
one that somebody planted beforehand is worth nothing.
"""

from collections.abc import Callable

from lamina.hub.database import Connection, Database
from lamina.hub.errors import SessionUnknown
from lamina.hub.tables import accounts, sessions
from lamina.hub.tables.accounts import Account
from lamina.hub.tables.sessions import Session
from lamina.hub.tokens import fingerprint, opaque

__all__ = ["Sessions"]

_AGENT_LIMIT = 200
_USED_EVERY_S, _MOVED_EVERY_S = 300.0, 60.0
"""How old what is told of a session may be; each note costs a commit, and what was remembered until one."""


class Sessions:
    """The sign-ins of every account; each lasts `life_s` seconds."""

    def __init__(self, database: Database, *, clock: Callable[[], float], life_s: float) -> None:
        self._database = database
        self._clock = clock
        self._life_s = life_s

    def begin(self, account: Account, *, address: str = "", agent: str = "") -> str:
        """Sign a person in; give what their browser is to hold."""
        token = opaque()
        now = self._clock()
        self._database.write(
            lambda connection: sessions.add(
                connection,
                fingerprint(token),
                account,
                now=now,
                expires_at=now + self._life_s,
                address=address,
                agent=_printable(agent)[:_AGENT_LIMIT],
            )
        )
        return token

    def find(self, token: str, *, address: str = "") -> tuple[Account, Session] | None:
        """Give who is signed in, if anyone is; notes every few minutes that it is used, and where."""
        now, kept = self._clock(), fingerprint(token)
        found = self._database.read(lambda connection: sessions.find(connection, kept, now=now))
        if found is None:
            return None
        session = found[1]
        has_moved = address not in ("", session.address)
        if session.used_at <= now - (_MOVED_EVERY_S if has_moved else _USED_EVERY_S):
            self._database.write(
                lambda connection: sessions.touch(
                    connection, kept, now=now, address=address or session.address
                ),
                alone=False,
            )
        return found

    def end(self, token: str) -> None:
        """Sign out."""
        self._database.write(lambda connection: sessions.remove(connection, fingerprint(token)))

    def of(self, account: Account) -> tuple[Session, ...]:
        """Give an account's sessions, the last used first."""
        now = self._clock()
        return self._database.read(
            lambda connection: sessions.of_account(connection, account, now=now)
        )

    def end_one(self, account: Account, session_id: str) -> None:
        """Sign out the browser of that session. Raises: SessionUnknown."""
        if not session_id or not self._database.write(
            lambda connection: sessions.remove_of(
                connection, account, session_id=session_id, keep=b""
            )
        ):
            raise SessionUnknown(f"there is no session {session_id!r}: it has ended")

    def end_others(self, account: Account, token: str) -> int:
        """Sign out everywhere but here, Docker's logins too; give how many browsers that were."""

        def work(connection: Connection) -> int:
            accounts.remove_refresh_tokens(connection, account)
            return sessions.remove_of(connection, account, session_id="", keep=fingerprint(token))

        return self._database.write(work)


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)
