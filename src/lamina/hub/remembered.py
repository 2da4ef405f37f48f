"""Answers that were given before and are still true: what a database of one version says to one caller.

An answer is kept with the version that the database had *before* it was asked, and given again only
while it has that very version. So whoever was told that a push, a revoked token or a changed right is
done finds it done, in every process; a commit forgets everything. A database that cannot tell its version
cheaply (PostgreSQL: a round trip) has nothing kept.
"""

import io
import os
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, replace
from typing import TypeVar, cast

from aiohttp import web

__all__ = ["FILE", "TELLS", "UNTIL", "Answer", "Answers", "KeptFile", "Key", "Known", "may_be_kept"]

_T = TypeVar("_T")
Key = tuple[str, str, str]
UNTIL: "web.RequestKey[float]" = web.RequestKey("until", float)
"""Until when (epoch seconds) this caller is who they say; unset: ask again with each request."""
TELLS: "web.RequestKey[Callable[[], None]]" = web.RequestKey("tells", object)  # type: ignore[arg-type]
"""What is to be noted each time this answer is given again."""
_LARGEST = 64 * 1024
_LARGEST_FILE, _FILES = 64 * 1024 * 1024, 32
"""What is kept open takes room on the disk though it was deleted, until the next request."""
_ROOM = 32 * 1024 * 1024
_FACTS = 4096
_EACH = 1024
"""Bytes that an answer takes besides its body, roughly."""


class KeptFile:
    """A file of a known size that stays open as long as anyone sends it."""

    __slots__ = ("_fd", "reader", "size")

    def __init__(self, file: io.FileIO, size: int) -> None:
        """Take a descriptor of its own."""
        self._fd = -1
        self._fd = os.dup(file.fileno())
        self.reader = io.FileIO(self._fd, closefd=False)
        self.size = size

    def __del__(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)


FILE: "web.RequestKey[KeptFile]" = web.RequestKey("file", KeptFile)
"""The file that was sent as the answer's body."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer with status 200: its head without what each has of its own, and its body or its file.

    `until` is when its caller's login ends.
    """

    start: bytes
    body: bytes
    route: str
    account: str
    until: float
    tells: Callable[[], None]
    file: KeptFile | None = None


def may_be_kept(request: web.Request, tells: Callable[[], None] = lambda: None) -> None:
    """Say that the answer to `request` follows from the database, its path and its caller alone.

    `tells` is called each time it is given again, on the loop: it must neither block nor fail.
    """
    request[TELLS] = tells


class Known:
    """What the database was asked for before, by whom asks: each as true as it was while there is no commit.

    Only the loop may call it.
    """

    def __init__(self, version: Callable[[], int | None]) -> None:
        self._look = version
        self._version: int | None = None
        self._facts: dict[Hashable, object] = {}

    async def get(self, key: Hashable, ask: Callable[[], Awaitable[_T]]) -> _T:
        """Give what `ask` gives, or gave at the version that the database still has."""
        version = self._look()
        if version is None:
            return await ask()
        if version != self._version:
            self._version = version
            self._facts.clear()
        if key in self._facts:
            return cast("_T", self._facts[key])  # what this very key was asked for
        found = await ask()
        if version == self._version and len(self._facts) < _FACTS:
            self._facts[key] = found
        return found


class Answers:
    """The answers of one process. Only its loop may call it."""

    def __init__(
        self, version: Callable[[], Hashable], *, clock: Callable[[], float], room: int = _ROOM
    ) -> None:
        self._look = version
        self._clock = clock
        self._room = room
        self._left = room
        self._version: Hashable = None
        self._known: dict[Key, Answer] = {}
        self._files = 0
        self._bodies: dict[bytes, bytes] = {}

    def version(self) -> Hashable:
        """Give the version now, None if it cannot be told; what was kept at another one is forgotten."""
        version = self._look()
        if version != self._version:
            self._version = version
            self._forget()
        return version

    def find(self, key: Key) -> Answer | None:
        """Give what is known to be the answer at the version last given by `version`."""
        answer = self._known.get(key)
        if answer is not None and answer.until <= self._clock():
            return None
        return answer

    def keep(self, key: Key, version: Hashable, answer: Answer) -> None:
        """Keep an answer that was asked for after `version` was given."""
        # whoever asks writes the key: an address may be much longer than what is answered to it
        fixed = sum(map(len, key)) + len(answer.start) + _EACH
        if version is None or version != self.version() or len(answer.body) > _LARGEST:
            return
        if answer.file is not None:
            if self._files == _FILES or answer.file.size > _LARGEST_FILE:
                return
            self._files += 1
        body = self._bodies.get(answer.body)
        cost = fixed if body is not None else fixed + len(answer.body)
        if self._left < cost:
            self._forget()
            body, cost = None, fixed + len(answer.body)
        if body is None:
            body = self._bodies[answer.body] = answer.body
        self._left -= cost
        self._known[key] = replace(answer, body=body)

    def _forget(self) -> None:
        self._known.clear()
        self._bodies.clear()
        self._files = 0
        self._left = self._room
