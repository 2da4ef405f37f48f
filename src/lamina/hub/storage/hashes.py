"""What uploads hash to so far, kept between the requests of one process: a memory, never the truth."""

import hashlib
import threading
from collections import OrderedDict
from typing import Protocol

from lamina.hub.errors import DigestDisagrees
from lamina.spec.digest import Digest

__all__ = ["Hash", "Hashes", "compare"]

_REMEMBERED = 4096


def compare(digest: Digest, found: str) -> None:
    """Let bytes pass whose hash was `found`, hex. Raises: DigestDisagrees."""
    if found != digest.hex:
        raise DigestDisagrees(
            f"the bytes sent are {digest.algorithm}:{found}, not {digest}",
            hint="they were damaged on the way; send them again",
        )


class Hash(Protocol):
    """What hashlib gives; its own type has no public name."""

    def update(self, data: bytes, /) -> None:
        """Take in the next bytes."""

    def hexdigest(self) -> str:
        """Give the digest of everything so far."""


class Hashes:
    """SHA-256 of uploads so far. Safe for many threads."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[int, Hash]] = OrderedDict()
        self._guard = threading.Lock()

    def recall(self, upload: str, offset: int) -> Hash | None:
        """Give the hash of the first `offset` bytes if it is known; the caller owns it now."""
        with self._guard:
            known = self._known.pop(upload, None)
        if known is not None and known[0] == offset:
            return known[1]
        return hashlib.sha256() if offset == 0 else None

    def remember(self, upload: str, offset: int, value: Hash) -> None:
        """Keep the hash of an upload's first `offset` bytes for the next request."""
        with self._guard:
            self._known[upload] = (offset, value)
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)

    def forget(self, upload: str) -> None:
        """Drop what is known of an upload."""
        with self._guard:
            self._known.pop(upload, None)
