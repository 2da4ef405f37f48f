"""Small uploads the short way: begun on the loop, taken in one turn of the database's writer.

Only what goes well is answered from here. Whatever does not (a login that was not checked a moment ago, no
right, a quota, an upload that has a row, bytes that are not what their digest says) is left as it was found,
and the caller goes the long way with the same request: that knows all the words.
Why, and what it gives: docs/decisions/0018-hot-path.md.
"""

import asyncio
import contextlib
import re
import threading
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from lamina.errors import LaminaError
from lamina.hub.access import needs_role, require
from lamina.hub.access_tokens import is_access_token
from lamina.hub.admission import admit
from lamina.hub.grounds import Grounds, Turn
from lamina.hub.names import is_account, is_repository
from lamina.hub.offers import Footing, Login, Offer, Wish, keep
from lamina.hub.tables.blobs import BUSY_S
from lamina.hub.tables.pushes import Arrived, Ground
from lamina.hub.tables.roles import Role
from lamina.hub.web import decode_basic
from lamina.spec.digest import Digest

if TYPE_CHECKING:
    import sqlite3
    from concurrent.futures import Future

    from lamina.hub.accounts import Accounts
    from lamina.hub.caches import Caches
    from lamina.hub.database import Connection
    from lamina.hub.databases.sqlite import SqliteDatabase
    from lamina.hub.openings import Openings
    from lamina.hub.storage.disk import DiskStorage
    from lamina.hub.tokens import Tokens

__all__ = ["LARGEST", "Intake", "LongWay"]

LARGEST = 64 * 1024
"""Bytes of a body that is taken here: it is written twice, which costs less than waiting twice."""
_SMALL, _ROOM = 16 * 1024, 64 * 1024 * 1024
"""Larger ones than `_SMALL` are taken while no more than `_ROOM` waits for files: the database does not become smaller again."""
_BEGINNING = re.compile(r"/v2/([^?%]+)/blobs/uploads/?")
_ENDING = re.compile(
    r"/v2/([^?%]+)/blobs/uploads/([^/?%]*)\?digest=(sha256|sha512)(?::|%3[aA])([0-9a-f]+)"
)


class LongWay(Exception):
    """The request is to be answered as all others are; nothing was done."""


class Intake:
    """Takes small uploads of one hub whose database and storage are this machine's."""

    def __init__(
        self,
        database: "SqliteDatabase",
        storage: "DiskStorage",
        openings: "Openings",
        *,
        accounts: "Accounts",
        tokens: "Tokens",
        caches: "Caches",
        clock: Callable[[], float],
    ) -> None:
        self._database = database
        self._storage = storage
        self._openings = openings
        self._accounts = accounts
        self._tokens = tokens
        self._caches = caches
        self._clock = clock
        self._may_be_any = True  # what a process before this one left
        self._taken = self._settled = 0  # bytes, each counted by one thread alone
        self._grounds = Grounds(database)
        self._settling = threading.Lock()
        self._waiting: deque[Offer] = deque()
        self._is_awaited = False  # a turn of the writer that is to come takes all of them

    def read(self, method: str, target: str, authorization: str) -> Wish:
        """Give what a request wants. Costs microseconds. Raises: LongWay."""
        upload, digest = "", None
        if method == "POST" and (match := _BEGINNING.fullmatch(target)):
            name = match[1]
        elif match := _ENDING.fullmatch(target):
            name, upload = match[1], match[2]
            if (method == "POST") == bool(upload):
                raise LongWay
            try:
                digest = Digest.parse(f"{match[3]}:{match[4]}")
            except LaminaError:
                raise LongWay from None
        else:
            raise LongWay
        if not is_repository(name) or self._is_others(name):
            raise LongWay
        if upload and not self._openings.is_open(upload, name):
            raise LongWay
        return Wish(self._login(authorization), name, upload, digest)

    def begin(self, wish: Wish) -> str:
        """Begin an upload; give its id. On the loop; costs some 30 µs. Raises: LongWay."""
        login, name = wish.login, wish.repository
        if self._openings.is_full:
            raise LongWay
        try:
            footing = self._footing(login, self._grounds.look(login.name, name))
            if footing is None:
                raise LongWay
            if needs_role(footing.caller, name, footing.repository, "push"):
                self._database.glance(partial(_admit, footing, name))
            else:
                require(footing.caller, name, footing.repository, "push", Role.NONE)
        except LaminaError:
            raise LongWay from None
        is_first = footing.repository is None
        return self._openings.begin(name, footing.caller.name, is_first=is_first)

    def has_room(self, size: int) -> bool:
        """Tell whether a body of that size may be taken here."""
        return size <= _SMALL or (size <= LARGEST and self._taken - self._settled + size <= _ROOM)

    def take(self, wish: Wish, data: bytes, told: Callable[[str | None], None]) -> None:
        """Keep a blob; `told` is called on the loop: whose it is once it is durable, or None, and nothing was done.

        Only the loop may call it.
        """
        assert wish.digest is not None  # noqa: S101 - whoever calls has looked
        arrived = Arrived(wish.upload or str(uuid.uuid4()), wish.digest, data)
        self._waiting.append(Offer(wish, arrived, told))
        if self._is_awaited:
            return
        self._is_awaited = True
        loop = asyncio.get_running_loop()
        offers: list[Offer] = []
        turns: list[Turn] = []

        def work(connection: "sqlite3.Connection") -> list[str | None]:
            turns.append(self._grounds.turn(connection))
            return self._keep(offers, turns[0], connection)

        def done(future: "Future[list[str | None]]") -> None:  # on the writer's thread
            if (
                not turns
            ):  # it did not even begin: another process has held the database for too long
                self._take_over(offers)
            kept = future.result() if future.exception() is None else [None] * len(offers)
            if any(each is not None for each in kept):
                self._may_be_any = True
                self._grounds.keep(turns[0], before=self._clock() - BUSY_S)
            loop.call_soon_threadsafe(self._tell, offers, kept)

        try:
            self._database.submit(work, told=done)
        except LaminaError:  # the hub stops: the long way knows what to say
            self._take_over(offers)
            loop.call_soon(self._tell, offers, [None] * len(offers))

    def _keep(
        self, offers: list[Offer], turn: Turn, connection: "sqlite3.Connection"
    ) -> list[str | None]:
        """Keep all that waits now, on the writer's thread; it is put into `offers`."""
        self._take_over(offers)

        def footing(login: Login, name: str) -> Footing | None:
            try:
                found = self._footing(login, turn.look(login.name, name))
                if found is not None:
                    _admit(found, name, connection)
            except LaminaError:
                return None
            return found

        return keep(connection, offers, footing, now=self._clock())

    def _take_over(self, offers: list[Offer]) -> None:
        self._is_awaited = False  # first: whoever comes from here on is among these, or asks again
        with contextlib.suppress(IndexError):
            while True:
                offers.append(self._waiting.popleft())

    def _tell(self, offers: list[Offer], kept: Sequence[str | None]) -> None:
        for offer, account in zip(offers, kept, strict=True):
            if account is not None:
                self._taken += len(offer.arrived.data)
                self._openings.finish(offer.arrived.place)
            offer.told(account)

    def settle(self) -> None:
        """Give what was taken its files: on return it has them. Blocks.

        Raises: OSError (disk full), Unavailable.
        """
        with self._settling:
            if self._may_be_any:
                self._may_be_any, taken = False, self._taken
                try:
                    self._storage.settle()
                    self._settled = taken
                except BaseException:
                    self._may_be_any = True
                    raise

    def _is_others(self, name: str) -> bool:
        """Tell whether the name may stand for what another registry has."""
        caches = self._caches
        return caches.is_any and (caches.locate(name, "")[0] is not None or caches.may_adopt(""))

    def _login(self, authorization: str) -> Login:
        kind, _, value = authorization.partition(" ")
        if kind.lower() == "bearer":
            token = self._tokens.recall(value.strip())
            # an access token is looked at with each request, and notes that it was used
            if token is not None and token.name and not token.token_id:
                return Login(token.name, token=token)
        elif kind.lower() == "basic":
            try:
                name, password = decode_basic(authorization)
            except LaminaError:
                raise LongWay from None
            if is_account(name.lower()) and not is_access_token(password):
                return Login(name.lower(), password)
        raise LongWay

    def _footing(self, login: Login, ground: Ground | None) -> Footing | None:
        """Give who asks, by what the database has now; None where that is for the long way to say."""
        if ground is None or ground.account.is_disabled or ground.is_limited:
            return None
        if login.token is None:
            if self._accounts.recall(ground.account, login.password) is None:
                return None
            caller = self._accounts.caller(ground.account)
        elif login.token.is_admin and not ground.account.is_admin:
            caller = replace(login.token, is_admin=False)
        else:
            caller = login.token
        is_quiet = ground.busy_at < self._clock() - BUSY_S
        return Footing(caller, ground.repository, is_quiet)


def _admit(footing: Footing, name: str, connection: "Connection") -> None:
    """Let pass who may push. Raises: LaminaError."""
    admit(connection, footing.caller, name, footing.repository, "push")
