"""Small blobs that are kept together: all that came while the database's writer was busy are one turn of it.

They share their statements, their commit and its wait for the disk. One that cannot be kept is left out, without
effect and without a word: the long way has the words.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lamina.hub.access import Caller
from lamina.hub.tables import arrivals, blobs, pushes, repositories
from lamina.hub.tables.blobs import Kept
from lamina.hub.tables.pushes import Arrived
from lamina.hub.tables.repositories import Repository
from lamina.spec.digest import Digest

if TYPE_CHECKING:
    import sqlite3

__all__ = ["Footing", "Login", "Offer", "Wish", "keep"]

_SHORT, _PIECE = 16 * 1024, 2047
"""Of larger pieces hashlib lets another thread have the interpreter, which costs more than to hash a short body."""


@dataclass(frozen=True, slots=True)
class Login:
    """Who says they ask: an account with a password, or with a token that was verified."""

    name: str
    password: str = ""
    token: Caller | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """What a request wants: to begin an upload (no `digest`), to end it, or both at once (no `upload`)."""

    login: Login
    repository: str
    upload: str = ""
    digest: Digest | None = None


@dataclass(frozen=True, slots=True)
class Footing:
    """Who may push where; `is_quiet`: no push was noted there lately."""

    caller: Caller
    repository: Repository | None
    is_quiet: bool


@dataclass(frozen=True, slots=True)
class Offer:
    """A blob that came whole; `told` waits for whose it is, None: not kept here."""

    wish: Wish
    arrived: Arrived
    told: Callable[[str | None], None]

    def is_right(self) -> bool:
        """Tell whether the bytes are what their digest says."""
        algorithm, _, wanted = self.arrived.digest.partition(":")
        data = self.arrived.data
        value = hashlib.sha256() if algorithm == "sha256" else hashlib.sha512()
        piece = _PIECE if len(data) <= _SHORT else len(data)
        for start in range(0, len(data), piece):
            value.update(data[start : start + piece])
        return value.hexdigest() == wanted


@dataclass(slots=True)
class _Sorted:
    """What becomes of the offers: those of new blobs by repository, and those of blobs that are here."""

    fresh: dict[int, list[Arrived]] = field(default_factory=dict)
    again: list[tuple[int, Arrived]] = field(default_factory=list)
    quiet: set[int] = field(default_factory=set)


def keep(
    connection: "sqlite3.Connection",
    offers: Sequence[Offer],
    footing: Callable[[Login, str], Footing | None],
    *,
    now: float,
) -> list[str | None]:
    """Keep what can be kept; give whose each is, None for what is left out.

    `footing` says who may push to a repository, as the database has it now; None: nobody by that login.
    """
    found = set(pushes.known(connection, [offer.arrived for offer in offers]))
    known: dict[tuple[str, str, int, str], Footing | None] = {}
    sorted_ = _Sorted()
    kept: list[str | None] = []
    for offer in offers:
        login, name, arrived = offer.wish.login, offer.wish.repository, offer.arrived
        key = (login.name, login.password, id(login.token), name)
        if key not in known:
            known[key] = footing(login, name)
        stands = known[key]
        if stands is None or arrived.place in found or not offer.is_right():
            kept.append(None)
            continue
        repository = stands.repository or repositories.ensure(connection, name, now=now)
        if stands.is_quiet:
            sorted_.quiet.add(repository.id)
        if arrived.digest in found:
            sorted_.again.append((repository.id, arrived))
        else:
            sorted_.fresh.setdefault(repository.id, []).append(arrived)
        found.update((arrived.place, arrived.digest))
        kept.append(stands.caller.name)
    _write(connection, sorted_, now=now)
    return kept


def _write(connection: "sqlite3.Connection", found: _Sorted, *, now: float) -> None:
    for repository_id, arrived in found.fresh.items():
        pushes.add(connection, repository_id, arrived, now=now)
    for repository_id, each in found.again:
        arrivals.add(connection, each.place, each.digest, each.data)
        blobs.add(connection, repository_id, each.digest, Kept(each.place, len(each.data)), now=now)
    for repository_id in found.quiet:
        blobs.note_push(connection, repository_id, now)
