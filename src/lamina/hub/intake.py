"""Small uploads the short way: begun on the loop, taken in one turn of the database's writer.

Only what goes well is answered from here. Whatever does not (a login that was not checked a moment ago, no
right, a quota, an upload that has a row, bytes that are not what their digest says) is left as it was found,
and the caller goes the long way with the same request: that knows all the words.
Why, and what it gives: docs/decisions/0018-hot-path.md.
"""

import hashlib
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lamina.errors import LaminaError
from lamina.hub.access import Caller
from lamina.hub.access_tokens import is_access_token
from lamina.hub.admission import admit
from lamina.hub.database import Connection
from lamina.hub.names import is_account, is_repository
from lamina.hub.storage.hashes import compare
from lamina.hub.tables import accounts, arrivals, blobs, quotas, repositories
from lamina.hub.tables.blobs import Kept
from lamina.hub.tables.repositories import Repository
from lamina.hub.web import decode_basic
from lamina.spec.digest import Digest

if TYPE_CHECKING:
    from concurrent.futures import Future

    from lamina.hub.accounts import Accounts
    from lamina.hub.caches import Caches
    from lamina.hub.databases.sqlite import SqliteDatabase
    from lamina.hub.openings import Openings
    from lamina.hub.storage.disk import DiskStorage
    from lamina.hub.tokens import Tokens

__all__ = ["LARGEST", "Intake", "LongWay", "Wish"]

LARGEST = 16 * 1024
"""Bytes of a body that is taken here: it is written twice, which costs less than waiting twice."""
_BEGINNING = re.compile(r"/v2/([^?%]+)/blobs/uploads/?")
_ENDING = re.compile(
    r"/v2/([^?%]+)/blobs/uploads/([^/?%]*)\?digest=(sha256|sha512)(?::|%3[aA])([0-9a-f]+)"
)


class LongWay(Exception):
    """The request is to be answered as all others are; nothing was done."""


@dataclass(frozen=True, slots=True)
class _Login:
    """Who says they ask: an account with a password, or with a token that was verified."""

    name: str
    password: str = ""
    token: Caller | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """What a request wants: to begin an upload (no `digest`), to end it, or both at once (no `upload`)."""

    login: _Login
    repository: str
    upload: str = ""
    digest: Digest | None = None


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
        """Begin an upload; give its id. On the loop; costs some 50 µs. Raises: LongWay."""
        try:
            caller, _ = self._database.glance(lambda connection: self._let_in(connection, wish))
        except LaminaError:
            raise LongWay from None
        return self._openings.begin(wish.repository, caller.name)

    def take(self, wish: Wish, data: bytes) -> "Future[str]":
        """Keep a blob; the future gives whose it is once it is durable, or LongWay, or what went wrong.

        In any case but the first nothing was done. Raises: Unavailable.
        """
        digest = wish.digest
        assert digest is not None  # noqa: S101 - whoever calls has looked
        place = wish.upload or str(uuid.uuid4())

        def work(connection: Connection) -> str:
            caller, repository = self._let_in(connection, wish)
            compare(digest, hashlib.new(digest.algorithm, data).hexdigest())
            if wish.upload and blobs.is_place_known(connection, wish.upload):
                raise LongWay
            now = self._clock()
            if repository is None:
                repository = repositories.ensure(connection, wish.repository, now=now)
            arrivals.add(connection, place, digest, data)
            blobs.add(connection, repository.id, digest, Kept(place, len(data)), now=now)
            return caller.name

        def note(done: "Future[str]") -> None:  # on the writer's thread, before anyone who waits
            if done.exception() is None:
                self._may_be_any = True
                self._openings.finish(place)

        future = self._database.submit(work)
        future.add_done_callback(note)
        return future

    def settle(self) -> None:
        """Give what was taken its files. Blocks. Raises: OSError (disk full), Unavailable."""
        if self._may_be_any:
            self._may_be_any = False
            try:
                self._storage.settle()
            except BaseException:
                self._may_be_any = True
                raise

    def _is_others(self, name: str) -> bool:
        """Tell whether the name may stand for what another registry has."""
        caches = self._caches
        return caches.is_any and (caches.locate(name, "")[0] is not None or caches.may_adopt(""))

    def _login(self, authorization: str) -> _Login:
        kind, _, value = authorization.partition(" ")
        if kind.lower() == "bearer":
            token = self._tokens.recall(value.strip())
            # an access token is looked at with each request, and notes that it was used
            if token is not None and token.name and not token.token_id:
                return _Login(token.name, token=token)
        elif kind.lower() == "basic":
            try:
                name, password = decode_basic(authorization)
            except LaminaError:
                raise LongWay from None
            if is_account(name.lower()) and not is_access_token(password):
                return _Login(name.lower(), password)
        raise LongWay

    def _let_in(self, connection: Connection, wish: Wish) -> tuple[Caller, Repository | None]:
        """Give who asks, and where to, as the database has it now. Raises: LongWay, LaminaError."""
        login, name = wish.login, wish.repository
        account = accounts.find(connection, login.name)
        if account is None or account.is_disabled:
            raise LongWay
        if login.token is None:
            if self._accounts.recall(account, login.password) is None:
                raise LongWay
            caller = self._accounts.caller(account)
        else:
            is_admin = login.token.is_admin and account.is_admin
            caller = replace(login.token, is_admin=is_admin)
        repository = repositories.find(connection, name)
        admit(connection, caller, name, repository, "push")
        if quotas.of_repository(connection, name):
            raise LongWay
        return caller, repository
