"""Whether this process can serve: what a balancer asks before it sends anyone here."""

import os
import time
from typing import TYPE_CHECKING

from lamina.errors import LaminaError
from lamina.hub.errors import BlobUnknown
from lamina.spec.digest import Digest

if TYPE_CHECKING:
    from lamina.hub.database import Database
    from lamina.hub.storage.protocol import Storage

__all__ = ["Readiness"]

_NOTHING = Digest("sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
_PLACE = "readiness"
"""No blob ever lies there: places are ids of uploads."""
_REMEMBERED_S = 1.0


class Readiness:
    """Asks database and storage, once a second at most however often it is asked itself."""

    def __init__(self, database: "Database", storage: "Storage", *, folder: str) -> None:
        self._database = database
        self._storage = storage
        self._folder = folder
        self._known: tuple[float, dict[str, str]] | None = None
        self.is_stopping = False

    def problems(self) -> dict[str, str]:
        """Give what keeps this process from serving, by subject; empty when nothing does. Blocks."""
        if self.is_stopping:
            return {"hub": "it is stopping"}
        known = self._known
        now = time.monotonic()
        if known is not None and now - known[0] < _REMEMBERED_S:
            return known[1]
        found = dict(filter(None, (self._ask_database(), self._ask_storage())))
        self._known = (now, found)
        return found

    def _ask_database(self) -> tuple[str, str] | None:
        try:
            self._database.read(lambda connection: connection.execute("SELECT 1").fetchone())
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody can be served
            return "database", _words(error)
        return None

    def _ask_storage(self) -> tuple[str, str] | None:
        """Read what is not there: the storage has to answer to know that."""
        try:
            with self._storage.open(_NOTHING, _PLACE) as file:
                file.read(1)
        except BlobUnknown:
            pass
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody can be served
            return "storage", _words(error)
        if self._folder and not os.access(self._folder, os.W_OK):
            return "storage", "its folder cannot be written"
        return None


def _words(error: Exception) -> str:
    """Say it without addresses: anyone may ask."""
    return "it does not answer" if isinstance(error, LaminaError) else "it fails"
