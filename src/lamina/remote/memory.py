"""What a process found out about a registry, for the next one: whether it speaks TLS, whom it trusts, tokens.

It saves round trips and decides nothing: whatever is remembered is tried, and asked for anew when it
does not do. It lies in the run root, which a reboot empties, readable by its owner alone; where that
cannot be had, nothing is remembered.
"""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from threading import get_ident

from lamina.errors import Invalid
from lamina.remote.challenge import Challenge
from lamina.remote.messages import origin
from lamina.spec.wire import Document, decode, encode
from lamina.values import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.remote.credentials import Credentials
    from lamina.remote.endpoints import Endpoint

__all__ = ["Memory", "TokenKey"]

_LONGEST_S = 300.0
_MOST_TOKENS = 30
_LIMIT = 256 * 1024


class TokenKey(NamedTuple):
    """What a token is for: a repository, scopes (sorted, a blank between) and who asked."""

    repository: str
    scopes: str
    who: str

    @classmethod
    def of(
        cls, repository: str, scopes: "frozenset[str]", credentials: "Credentials | None"
    ) -> "TokenKey":
        """Give the key; a password has no part in it, not even as a digest."""
        who = ""
        if credentials is not None:
            who = f"@{credentials.username}"
            if credentials.identity_token:
                from hashlib import sha256

                who = sha256(credentials.identity_token.encode()).hexdigest()
        return cls(repository, " ".join(sorted(scopes)), who)


class Memory:
    """Facts about registries, a file each under `folder`. Thread-safe: files appear whole.

    Two processes that learn at once may lose what one of them learned. Nothing here raises: a disk
    that is full or read-only costs round trips. `clock` is epoch seconds.
    """

    def __init__(self, folder: str, *, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._clock = clock

    def scheme(self, registry: str) -> str:
        """Give `http` or `https`, whichever was spoken last; empty when it is not known."""
        found = self._read(registry).get("scheme")
        return found if found in ("http", "https") else ""

    def note_scheme(self, registry: str, scheme: str) -> None:
        """Keep what a registry speaks, empty for not known any more."""
        document = self._read(registry)
        if document.get("scheme", "") != scheme:
            self._write(registry, {**document, "scheme": scheme})

    def challenge(self, endpoint: "Endpoint", wanted: str) -> Challenge | None:
        """Give how the registry asked who we are, if it did for the actions that are `wanted`."""
        found = self._read(endpoint.registry).get("challenge")
        if not isinstance(found, dict) or found.get("at") != endpoint.url:
            return None
        asked, scheme, parameters = (found.get(name) for name in ("for", "scheme", "parameters"))
        if not (isinstance(asked, list) and wanted in asked and isinstance(parameters, dict)):
            return None
        return Challenge(str(scheme), {str(name): str(value) for name, value in parameters.items()})

    def note_challenge(
        self, endpoint: "Endpoint", challenge: Challenge | None, wanted: str = ""
    ) -> None:
        """Keep how the registry asked when `wanted` was to be done; None: forget it.

        Of a registry that anybody could have answered for, a token service elsewhere is not kept:
        it would get the password long after that somebody has gone.
        """
        document = self._read(endpoint.registry)
        before = document.get("challenge") or {}
        found: Document = {}
        realm = challenge.parameters.get("realm", "") if challenge else ""
        is_elsewhere = "://" in realm and origin(realm) != origin(endpoint.url)
        if challenge and not (endpoint.insecure and is_elsewhere):
            parameters = dict(challenge.parameters)
            found = {"at": endpoint.url, "scheme": challenge.scheme, "parameters": parameters}
            is_same = all(before.get(name) == value for name, value in found.items())
            asked = before.get("for") if is_same else []
            found["for"] = sorted({wanted, *(asked if isinstance(asked, list) else ())})
        if before != found:
            self._write(endpoint.registry, {**document, "challenge": found})

    def token(self, endpoint: "Endpoint", key: TokenKey) -> tuple[str, float]:
        """Give a token and how many seconds it is good for; empty when there is none."""
        now = self._clock()
        for row in self._tokens(self._read(endpoint.registry)):
            if row["at"] == endpoint.url and row["key"] == list(key) and now < row["until"]:
                return row["token"], min(row["until"] - now, _LONGEST_S)
        return "", 0.0

    def note_token(
        self, endpoint: "Endpoint", key: TokenKey, token: str, lifetime_s: float
    ) -> None:
        """Keep a token for its lifetime, but for five minutes at most; an empty one: forget it."""
        document = self._read(endpoint.registry)
        now = self._clock()
        rows = [
            row
            for row in self._tokens(document)
            if row["key"] != list(key) and now < row["until"] <= now + _LONGEST_S
        ]
        if token:
            until = now + min(lifetime_s, _LONGEST_S)
            rows.append({"at": endpoint.url, "key": list(key), "token": token, "until": until})
        self._write(endpoint.registry, {**document, "tokens": rows[-_MOST_TOKENS:]})

    def forget(self, registry: str) -> None:
        """Drop what a registry told about us: somebody logged in or out."""
        document = self._read(registry)
        if document.keys() - {"scheme"}:
            self._write(registry, {"scheme": document.get("scheme", "")})

    def _tokens(self, document: Document) -> list[Document]:
        """Give the rows that are as they should be."""
        rows = document.get("tokens")
        kinds = (("at", str), ("key", list), ("token", str), ("until", (int, float)))
        return [
            row
            for row in (rows if isinstance(rows, list) else ())
            if isinstance(row, dict)
            and all(isinstance(row.get(name), kind) for name, kind in kinds)
        ]

    def _path(self, registry: str) -> str:
        """Give the file's name: the registry's, in letters that every disk takes."""
        return f"{self._folder}/{registry.encode(errors='surrogateescape').hex()[:240]}.json"

    def _read(self, registry: str) -> Document:
        """Read a registry's file, if it is ours alone."""
        try:
            fd = os.open(self._path(registry), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return {}
        with open(fd, "rb") as file:
            if not _is_private(os.fstat(fd)):
                return {}
            try:
                return decode(file.read(_LIMIT), what="memory")
            except (Invalid, OSError):
                return {}

    def _write(self, registry: str, document: Document) -> None:
        """Replace a registry's file. Not synced: a power cut empties the folder anyway."""
        data = encode(document)
        if len(data) > _LIMIT:
            return
        with suppress(OSError):
            os.makedirs(os.path.dirname(self._folder), mode=0o711, exist_ok=True)
            with suppress(FileExistsError):
                os.mkdir(self._folder, 0o700)
            if not _is_private(os.lstat(self._folder)):  # a folder that somebody put in our way
                return
            path = self._path(registry)
            scratch = f"{path}.{os.getpid()}-{get_ident()}"
            fd = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
            try:
                with open(fd, "wb") as file:
                    file.write(data)
                os.replace(scratch, path)
            except BaseException:
                os.unlink(scratch)
                raise


def _is_private(found: os.stat_result) -> bool:
    """Tell whether a file or folder is this user's, and nobody else's to look into."""
    return found.st_uid == os.geteuid() and not found.st_mode & 0o077
