"""One client of registries: connections, logins and endpoints that its repositories share."""

import os
from collections.abc import Mapping
from types import TracebackType

from lamina.events import Listener, Notice, silent
from lamina.remote.auth import Authorizer
from lamina.remote.challenge import Challenge, parse_challenges
from lamina.remote.endpoints import Endpoint, EndpointBook, InsecureRules
from lamina.remote.errors import ConnectionBroken, Purpose, RegistryUnreachable, failure
from lamina.remote.http import Transport
from lamina.remote.keychain import Keychain
from lamina.remote.memory import Memory
from lamina.remote.messages import Request, Response, origin
from lamina.remote.registries import Registries
from lamina.remote.retry import Patience
from lamina.values import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

    from lamina.errors import LaminaError
    from lamina.events import Witness
    from lamina.remote.credentials import Credentials
    from lamina.settings import Settings

__all__ = ["Client"]

_TOLD = 20


class Client:
    """Speaks with registries for one user. Thread-safe; close it, or use it in a `with`.

    `environ` stands for the process's: proxies, LAMINA_INSECURE_REGISTRIES, SSL_CERT_FILE,
    DOCKER_AUTH_CONFIG, LAMINA_REGISTRIES. Nothing is connected before the first request.
    Raises: Invalid (a registries.toml that is none).
    """

    def __init__(
        self,
        settings: "Settings",
        *,
        environ: Mapping[str, str] | None = None,
        keychain: Keychain | None = None,
        listener: Listener = silent,
        witness: "Witness | None" = None,
        patience: Patience | None = None,
    ) -> None:
        env = os.environ if environ is None else environ
        self.keychain = keychain or Keychain(settings.docker_config, environ=env)
        self.registries = Registries.load(env)
        named = (env.get("LAMINA_INSECURE_REGISTRIES", ""), *self.registries.insecure)
        rules = InsecureRules.parse(" ".join(filter(None, named)))
        self.transport = Transport(
            settings.docker_config,
            env,
            rules,
            patience=patience,
            listener=listener,
            witness=witness,
            authorities=self.registries.authorities,
        )
        self.listener = listener
        self.lost_mirrors: set[str] = set()
        self.warnings: list[str] = []
        """What registries warned of, each once, in words for people."""
        self.memory = Memory(f"{settings.run_root}/registries")
        self.endpoints = EndpointBook(rules, self.transport.speaks_tls, self.memory)
        self.authorizer = Authorizer(
            self.transport.send,
            self.keychain.get,
            self.endpoints.realm_refusal,
            memory=self.memory,
            witness=witness,
        )

    def __enter__(self) -> "Self":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; waiting retries fail at once."""
        self.transport.close()

    def abort(self) -> None:
        """Cut the connections: transfers in other threads fail at once. Not to be used again."""
        self.transport.abort()

    def send(
        self,
        endpoint: Endpoint,
        request: Request,
        *,
        repository: str = "",
        scopes: tuple[str, ...] = (),
    ) -> Response:
        """Send with the right `Authorization`, renewed once when the registry refuses it.

        Requests to another origin than the endpoint's go without one.
        Raises: RegistryUnreachable, ConnectionBroken, LoginRefused (by the token service).
        """
        if origin(request.url) != origin(endpoint.url):
            return self.transport.send(request)
        response: Response | None = None
        better: Endpoint | None = None
        try:
            response = self._converse(endpoint, request, repository, scopes)
            if response.status == 400:  # noqa: PLR2004  what a TLS server says to plain http
                better = self.endpoints.doubt(endpoint)
        except (RegistryUnreachable, ConnectionBroken):
            better = self.endpoints.doubt(endpoint)
            if better is None:
                raise
        if response is None or better is not None:
            there, endpoint = endpoint, better or endpoint
            moved = replace(request, url=endpoint.url + request.url.removeprefix(there.url))
            response = self._converse(endpoint, moved, repository, scopes)
        self.endpoints.trust(endpoint)
        if warning := response.header("Warning"):
            self._tell(endpoint.registry, warning)
        return response

    def _tell(self, registry: str, warning: str) -> None:
        """Pass on what a registry warns of, once."""
        from lamina.remote.warned import warnings_of

        for text in warnings_of(warning):
            line = f"Warning from {registry}: {text}"
            if len(self.warnings) < _TOLD and line not in self.warnings:
                self.warnings.append(line)
                self.listener(Notice(line))

    def _converse(
        self, endpoint: Endpoint, request: Request, repository: str, scopes: tuple[str, ...]
    ) -> Response:
        """Send, and answer refusals that a login may answer."""
        header = self.authorizer.header(endpoint, repository, scopes)
        response = self.transport.send(_authorized(request, header))
        for lacking in (False, True):  # a new token may still lack a scope, which is named then
            challenges = _refusal(response, endpoint, lacking=lacking)
            if response.status in (401, 403) and not (challenges or lacking):
                challenges = self.authorizer.second_thoughts(
                    endpoint, repository, scopes, refused=header
                )
            fresh = self.authorizer.renew(endpoint, repository, scopes, challenges, refused=header)
            if not fresh:
                return response
            header = fresh
            response = self.transport.send(_authorized(request, header))
        return response

    def warm(self, endpoint: Endpoint, count: int) -> None:
        """Have `count` idle connections there soon, opened while others are being answered."""
        self.transport.warm(endpoint.url, count)

    def credentials(self, registry: str, repository: str = "") -> "Credentials | None":
        """Look up who we are to `registry`."""
        return self.authorizer.credentials(registry, repository)

    def failure(self, response: Response, purpose: Purpose, repository: str = "") -> "LaminaError":
        """Give the error an unsuccessful response means."""
        return failure(
            response,
            purpose,
            credentials=self.credentials(purpose.registry, repository) is not None,
            scheme=self._asked_scheme(response, purpose.registry),
        )

    def _asked_scheme(self, response: Response, registry: str) -> str:
        challenges = parse_challenges(response.header("WWW-Authenticate"))
        return self.authorizer.scheme(registry) or (challenges[0].scheme if challenges else "")


def _refusal(response: Response, endpoint: Endpoint, *, lacking: bool) -> tuple[Challenge, ...]:
    """Give the challenges of a refusal that a login may answer, else none.

    With `lacking` only those that name a scope our token has not. What another origin refuses
    after a redirect is not the registry's refusal.
    """
    if response.status not in (401, 403) or origin(response.url) != origin(endpoint.url):
        return ()
    challenges = parse_challenges(response.header("WWW-Authenticate"))
    if lacking or response.status == 403:  # noqa: PLR2004
        return tuple(each for each in challenges if each.error == "insufficient_scope")
    return challenges


def _authorized(request: Request, header: str) -> Request:
    if not header:
        return request
    return replace(request, headers={**request.headers, "Authorization": header})
