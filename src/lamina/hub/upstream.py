"""Another registry, as a cache or a mirroring rule asks it: its own login, and no more than it allows.

`lamina.remote` speaks with it, in threads. What is added here: logins from the hub's database alone,
never this machine's; no mirrors, since the hub may be one; a pause after 429 for as long as the
registry says, and a short one after no answer, so that clients get what is here at once.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lamina.errors import Corrupt, LaminaError, NotFound, Unauthorized, Unavailable
from lamina.hub.errors import UpstreamFailed, UpstreamLimited
from lamina.remote.client import Client
from lamina.remote.credentials import Credentials
from lamina.remote.keychain import Keychain
from lamina.remote.registries import Registries
from lamina.remote.repository import Repository
from lamina.remote.retry import Patience, retry_after_s
from lamina.settings import Settings
from lamina.values import replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lamina.remote.endpoints import Endpoint
    from lamina.remote.messages import Request, Response

__all__ = ["Limit", "Upstream", "split_upstream"]

_LOGGER = logging.getLogger("lamina.hub")
_PATIENCE = Patience(tries=3, first_s=0.2, longest_s=2.0, total_s=4.0, connect_s=5.0, read_s=20.0)
_LIMITED_S = 60.0
_LONGEST_LIMIT_S = 3600.0
_DOWN_S = 10.0
_TOO_MANY = 429
_KEPT_VARIABLES = (
    "PATH", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR",
    "LAMINA_INSECURE_REGISTRIES", "LAMINA_REGISTRIES", "HOME", "XDG_CONFIG_HOME",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Limit:
    """What a registry last said of its rate limit, in its own units; None: it said nothing."""

    limit: int | None = None
    remaining: int | None = None


class _OneLogin(Keychain):
    """One name and password, for whatever it is asked about; nothing of this machine's."""

    def __init__(self, username: str, password: str) -> None:
        super().__init__(os.devnull, environ={})
        self._credentials = Credentials(username, password) if username else None

    def get(self, registry: str, repository: str = "") -> Credentials | None:
        """Give the login, or None for nobody."""
        del registry, repository
        return self._credentials


class _Watched(Client):
    """A client whose answers are looked at: what they say of limits, and that we are no loop."""

    def __init__(
        self,
        settings: Settings,
        *,
        environ: Mapping[str, str],
        keychain: Keychain,
        via: str,
        seen: "Callable[[Response], None]",
    ) -> None:
        super().__init__(settings, environ=environ, keychain=keychain, patience=_PATIENCE)
        rules = tuple(replace(rule, mirrors=()) for rule in self.registries.rules)
        self.registries = Registries(self.registries.path, rules)
        self._via = via
        self._seen = seen

    def send(
        self,
        endpoint: "Endpoint",
        request: "Request",
        *,
        repository: str = "",
        scopes: tuple[str, ...] = (),
    ) -> "Response":
        """Send as `Client` does, saying who passes this on; look at the answer."""
        marked = replace(request, headers={**request.headers, "Via": f"1.1 {self._via}"})
        response = super().send(endpoint, marked, repository=repository, scopes=scopes)
        self._seen(response)
        return response


def split_upstream(upstream: str) -> tuple[str, str]:
    """Give the registry and the path below it that `docker.io` or `quay.io/team` names."""
    registry, _, path = upstream.partition("/")
    return registry, path.strip("/")


class Upstream:
    """One registry with one login. Thread-safe; nothing is connected before it is needed."""

    def __init__(
        self,
        upstream: str,
        *,
        username: str = "",
        password: str = "",
        folder: str,
        via: str,
        clock: Callable[[], float] = time.time,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.registry, self._path = split_upstream(upstream)
        self._login = (username, password)
        self._folder = folder
        self._via = via
        self._clock = clock
        self._environ = os.environ if environ is None else environ
        self._guard = threading.Lock()
        self._opened: _Watched | None = None
        self._is_closed = False
        self._limited_until = 0.0
        self._down_until = 0.0
        self._why = ""
        self.limit = Limit()

    def repository(self, name: str) -> Repository:
        """Give what the registry keeps under `name`; `debian` of docker.io is `library/debian`."""
        path = "/".join(part for part in (self._path, name) if part)
        if self.registry == "docker.io" and "/" not in path:
            path = f"library/{path}"
        return Repository(self._client(), self.registry, path)

    @contextmanager
    def asked(self) -> "Iterator[None]":
        """Ask within this. What the registry lacks passes through; else its trouble becomes ours.

        Raises: UpstreamLimited (for as long as it said, without asking it again), UpstreamFailed.
        """
        now = self._clock()
        if now < self._limited_until:
            raise UpstreamLimited(self.registry, retry_after_s=int(self._limited_until - now) + 1)
        if now < self._down_until:
            raise UpstreamFailed(f"{self.registry}: {self._why}", hint="try again in a moment")
        try:
            yield
        except NotFound:
            raise
        except (Unauthorized, Corrupt) as error:
            raise UpstreamFailed(f"{self.registry}: {error.message}", hint=error.hint) from error
        except LaminaError as error:
            now = self._clock()
            if now < self._limited_until:
                wait_s = int(self._limited_until - now) + 1
                raise UpstreamLimited(self.registry, retry_after_s=wait_s) from error
            if isinstance(error, Unavailable):
                self._why, self._down_until = error.message, now + _DOWN_S
                _LOGGER.warning("%s is not asked for %.0f s: %s", self.registry, _DOWN_S, error)
            raise UpstreamFailed(f"{self.registry}: {error.message}", hint=error.hint) from error

    def close(self) -> None:
        """Cut what is under way: whoever fetches fails at once. Not to be used again."""
        with self._guard:
            opened, self._opened, self._is_closed = self._opened, None, True
        if opened is not None:
            opened.abort()

    def _client(self) -> _Watched:
        with self._guard:
            if self._is_closed:
                raise Unavailable("the hub is stopping")
            if self._opened is None:
                environ = {
                    name: value
                    for name, value in self._environ.items()
                    if name.upper() in _KEPT_VARIABLES
                }
                settings = Settings(
                    root=self._folder, run_root=self._folder, docker_config=self._folder
                )
                self._opened = _Watched(
                    settings,
                    environ=environ,
                    keychain=_OneLogin(*self._login),
                    via=self._via,
                    seen=self._look,
                )
            return self._opened

    def _look(self, response: "Response") -> None:
        """Note what an answer says of limits."""
        limit = _number(response.header("RateLimit-Limit"))
        remaining = _number(response.header("RateLimit-Remaining"))
        if limit is not None or remaining is not None:
            self.limit = Limit(limit, remaining)
        if response.status == _TOO_MANY:
            now = self._clock()
            asked_s = retry_after_s(response.headers, now)
            wait_s = _LIMITED_S if asked_s is None else min(max(1.0, asked_s), _LONGEST_LIMIT_S)
            self._limited_until = now + wait_s


def _number(text: str) -> int | None:
    """Read `100;w=21600`, as Docker writes it, or a plain number."""
    figure = text.partition(";")[0].partition(",")[0].strip()
    return int(figure) if figure.isascii() and figure.isdigit() and len(figure) < 16 else None  # noqa: PLR2004 - fits
