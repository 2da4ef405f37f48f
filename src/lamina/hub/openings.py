"""Uploads that were begun and have nothing yet: no row and no file, only an id that says so itself.

Beginning an upload promises nothing, and most are over with their next request. So whoever comes with the id
is believed by what stands in it, in whichever process of the hub, and after a restart: when it was given, and
a keyed hash of that and of the repository. It is no secret and opens nothing: who uses it must be allowed
to push there, as who begins another upload. What rests for a moment gets its row after all.
"""

import hashlib
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
_TIME, _CHANCE, _MARK = 4, 6, 6
_VERSION = 8  # of a UUID: what is in it is its maker's own business, RFC 9562


@dataclass(frozen=True, slots=True)
class Opening:
    """An upload that was begun in this process."""

    id: str
    repository: str
    account: str
    begun_at: float


class Openings:
    """The uploads of one hub that were begun and have nothing yet. Safe for many threads."""

    def __init__(self, key: bytes, *, clock: Callable[[], float]) -> None:
        self._key = hashlib.sha256(b"openings" + key).digest()
        self._clock = clock
        self._waiting: dict[str, Opening] = {}
        self._over: OrderedDict[str, None] = OrderedDict()
        self._guard = threading.Lock()

    def begin(self, repository: str, account: str) -> str:
        """Give the id of a fresh upload."""
        now = self._clock()
        start = bytearray(int(now).to_bytes(_TIME, "big") + secrets.token_bytes(_CHANCE))
        start[6] = _VERSION << 4 | start[6] & 0xF
        start[8] = 0x80 | start[8] & 0x3F
        made = str(uuid.UUID(bytes=bytes(start) + self._mark(bytes(start), repository)))
        with self._guard:
            self._waiting[made] = Opening(made, repository, account, now)
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
            raw = uuid.UUID(upload).bytes
        except ValueError:
            return False
        start, mark = raw[: _TIME + _CHANCE], raw[_TIME + _CHANCE :]
        age_s = self._clock() - int.from_bytes(raw[:_TIME], "big")
        return -_LIFE_S < age_s < _LIFE_S and secrets.compare_digest(
            mark, self._mark(start, repository)
        )

    def finish(self, upload: str) -> None:
        """Note that an upload is a blob now."""
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
