"""Uploads that were begun and have nothing yet: no row and no file, only an id that says so itself.

Beginning an upload promises nothing, and most are over with their next request. So whoever comes with the id
is believed by what stands in it, in whichever process of the hub, and after a restart: when it was given, and
a keyed hash of that and of the repository. It is no secret and opens nothing: who uses it must be allowed
to push there, as who begins another upload. What rests for a moment gets its row after all.
"""

import hashlib
import random
import secrets
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Opening", "Openings"]

_LIFE_S = 120.0
"""How long an id speaks for itself. Long before, its upload has a row, unless its process died."""
_REMEMBERED = 4096
_MANY = 20_000
_TIME, _CHANCE_SIZE, _MARK = 4, 6, 6
_START = _TIME + _CHANCE_SIZE
_KIND_MASK, _KIND = 0xF000C000, 0x80008000
"""Where in the six bytes a UUID says of what kind it is, and that it is its maker's own business: RFC 9562, version 8."""
_CHANCE = random.Random()  # noqa: S311 - tells ids apart that were given in one second; they are no secret


@dataclass(frozen=True, slots=True)
class Opening:
    """An upload that was begun in this process; `is_first`: its repository was not there, and is made with its row."""

    id: str
    repository: str
    account: str
    begun_at: float
    is_first: bool = False


class Openings:
    """The uploads of one hub that were begun and have nothing yet. Safe for many threads."""

    def __init__(self, key: bytes, *, clock: Callable[[], float]) -> None:
        self._key = hashlib.sha256(b"openings" + key).digest()
        self._clock = clock
        self._waiting: dict[str, Opening] = {}
        self._over: OrderedDict[str, None] = OrderedDict()
        self._guard = threading.Lock()

    def begin(self, repository: str, account: str, *, is_first: bool = False) -> str:
        """Give the id of a fresh upload."""
        now = self._clock()
        chance = _CHANCE.getrandbits(8 * _CHANCE_SIZE) & ~_KIND_MASK | _KIND
        start = (int(now) << 8 * _CHANCE_SIZE | chance).to_bytes(_START, "big")
        text = (start + self._mark(start, repository)).hex()
        made = f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
        with self._guard:
            self._waiting[made] = Opening(made, repository, account, now, is_first)
        return made

    def is_open(self, upload: str, repository: str) -> bool:
        """Tell whether an upload was begun here, lately, and is not known to have become anything.

        The database may know better: another process may have gone on with it.
        """
        with self._guard:
            if upload in self._over:
                return False
            known = self._waiting.get(upload)
        if known is not None:
            return known.repository == repository
        try:
            read = uuid.UUID(upload)
        except ValueError:
            return False
        if str(read) != upload:
            return False  # spelled otherwise it would be another upload, and no name of a file
        raw = read.bytes
        start, mark = raw[:_START], raw[_START:]
        age_s = self._clock() - int.from_bytes(raw[:_TIME], "big")
        return -_LIFE_S < age_s < _LIFE_S and secrets.compare_digest(
            mark, self._mark(start, repository)
        )

    @property
    def is_full(self) -> bool:
        """Tell whether so many rest that whoever begins more is to wait for a row: some 10 MB of memory."""
        return len(self._waiting) >= _MANY

    def is_resting(self, upload: str) -> bool:
        """Tell whether an upload was begun in this process, and nothing of it came yet."""
        with self._guard:
            return upload in self._waiting

    def finish(self, upload: str) -> None:
        """Note that an upload is a blob now, or that all of it is here: it rests no more."""
        with self._guard:
            self._waiting.pop(upload, None)

    def close(self, upload: str) -> None:
        """Note that an upload has a row now: what becomes of it, that says."""
        with self._guard:
            self._waiting.pop(upload, None)
            self._over[upload] = None
            while len(self._over) > _REMEMBERED:
                self._over.popitem(last=False)

    def rested(self, *, for_s: float) -> tuple[Opening, ...]:
        """Give what was begun so long ago and has nothing yet."""
        before = self._clock() - for_s
        with self._guard:
            return tuple(each for each in self._waiting.values() if each.begun_at <= before)

    def _mark(self, start: bytes, repository: str) -> bytes:
        value = hashlib.blake2b(start + repository.encode(), key=self._key, digest_size=_MARK)
        return value.digest()
