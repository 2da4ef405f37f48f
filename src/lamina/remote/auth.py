"""Answer a registry's challenge: Bearer tokens from its token service, or Basic.

`token_flow` is a pure generator: it yields the request to send and is sent the response. The
`Authorizer` keeps what was obtained, per registry and scopes, and asks once for many threads.
Spec: distribution docs/spec/auth/token.md and oauth.md.
"""

import threading
import time
from collections.abc import Callable, Generator, Iterable

from lamina.errors import Invalid, LaminaError
from lamina.remote.challenge import Challenge, actions, choose, covers, merge_scopes
from lamina.remote.credentials import Credentials
from lamina.remote.endpoints import Endpoint
from lamina.remote.errors import (
    LoginRefused,
    RealmRefused,
    RegistryFailed,
    ResponseInvalid,
    problems,
)
from lamina.remote.memory import TokenKey
from lamina.remote.messages import Request, Response, joined, split_url, without_query
from lamina.spec.wire import decode
from lamina.values import dataclass, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.events import Witness
    from lamina.remote.memory import Memory

__all__ = ["CLIENT_ID", "Authorizer", "Token", "token_flow"]

CLIENT_ID = "lamina"
_SHORTEST_S = 60.0
_LONGEST_S = 24 * 3600.0
_MARGIN_S = 10.0
_TOKEN_LIMIT = 1024 * 1024
_REFUSALS = (400, 401, 403)


@dataclass(frozen=True, slots=True)
class Token:
    """What a token service gave. `refresh` is an identity token, when one was asked for."""

    value: str = field(repr=False)
    lifetime_s: float = _SHORTEST_S
    refresh: str = field(default="", repr=False)


def token_flow(
    challenge: Challenge,
    scopes: Iterable[str],
    credentials: Credentials | None,
    *,
    offline: bool = False,
) -> Generator[Request, Response, Token]:
    """Turn a Bearer challenge with an absolute realm into a token.

    Yields requests, is sent responses, returns the token. An identity token is traded by POST;
    all else is a GET, with Basic where there is a password, else anonymous. `offline` asks for an
    identity token too. Raises: LoginRefused, RegistryFailed, ResponseInvalid.
    """
    wanted = tuple(scopes)
    if credentials and credentials.identity_token:
        request = _refresh_request(challenge, wanted, credentials)
    else:
        request = _plain_request(challenge, wanted, credentials, offline=offline)
    response = yield request
    return _read_token(response)


def _plain_request(
    challenge: Challenge, scopes: tuple[str, ...], credentials: Credentials | None, *, offline: bool
) -> Request:
    from urllib.parse import urlencode

    query = []
    if service := challenge.parameters.get("service"):
        query.append(("service", service))
    query += [("scope", scope) for scope in scopes]
    headers = {}
    if credentials and credentials.has_password:
        query.append(("account", credentials.username))
        headers["Authorization"] = f"Basic {credentials.basic}"
    query.append(("client_id", CLIENT_ID))
    if offline:
        query.append(("offline_token", "true"))
    realm = challenge.parameters["realm"]
    url = f"{realm}{'&' if split_url(realm).query else '?'}{urlencode(query)}"
    return Request("GET", url, headers, limit=_TOKEN_LIMIT)


def _refresh_request(
    challenge: Challenge, scopes: tuple[str, ...], credentials: Credentials
) -> Request:
    from urllib.parse import urlencode

    form = {
        "grant_type": "refresh_token",
        "service": challenge.parameters.get("service", ""),
        "client_id": CLIENT_ID,
        "scope": " ".join(scopes),
        "refresh_token": credentials.identity_token,
    }
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    body = urlencode(form).encode()
    return Request("POST", challenge.parameters["realm"], headers, body, limit=_TOKEN_LIMIT)


def _read_token(response: Response) -> Token:
    where = without_query(response.url)
    if response.status in _REFUSALS:
        found = problems(response.body)
        cause = str(found[0]) if found else "incorrect username or password"
        if not cause.startswith(("unauthorized", "denied")):
            cause = f"unauthorized: {cause}"
        raise LoginRefused(
            f'Get "{where}": {cause}', hint="check the user name and the password or token"
        )
    if not response.is_success:
        raise RegistryFailed(
            f"the token service at {where} answered {response.status}",
            hint="the registry's login has a problem of its own; try again later",
        )
    try:
        document = decode(response.body, what="token")
    except Invalid as error:
        raise ResponseInvalid(f"the token service at {where} gave no token: {error}") from error
    value = document.get("token") or document.get("access_token")
    if not isinstance(value, str) or not (value.isascii() and value.isprintable()):
        raise ResponseInvalid(f"the token service at {where} gave no token")
    refresh = document.get("refresh_token")
    return Token(
        value, _lifetime_s(document.get("expires_in")), refresh if isinstance(refresh, str) else ""
    )


def _lifetime_s(value: object) -> float:
    try:
        seconds = float(value)  # type: ignore[arg-type]  # what the server sent is checked right here
    except (TypeError, ValueError):
        return _SHORTEST_S
    return min(max(seconds, _SHORTEST_S), _LONGEST_S)


@dataclass(slots=True)
class _Entry:
    """What is known for one registry and one set of scopes. `lock` is held while asking.

    `recalled`: the memory was looked into; `is_old`: the header is from there, so that a refusal
    may mean no more than that things have changed.
    """

    lock: threading.Lock = field(default_factory=threading.Lock)
    header: str = field(default="", repr=False)
    good_until: float = 0.0
    recalled: bool = False
    is_old: bool = False


class Authorizer:
    """The `Authorization` headers of one client. Thread-safe; each token is asked for once.

    `send` performs a token request; `credentials` looks up a registry and repository;
    `realm_refusal` says why a realm may not have them (endpoints.EndpointBook.realm_refusal).
    """

    def __init__(
        self,
        send: Callable[[Request], Response],
        credentials: Callable[[str, str], Credentials | None],
        realm_refusal: Callable[[Endpoint, str], str],
        *,
        memory: "Memory | None" = None,
        witness: "Witness | None" = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._witness = witness
        self._memory = memory
        self._send = send
        self._look_up = credentials
        self._realm_refusal = realm_refusal
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: dict[tuple[str, str, frozenset[str]], _Entry] = {}
        self._challenges: dict[str, Challenge] = {}
        self._found: dict[tuple[str, str], Credentials | None] = {}
        self._look_up_lock = threading.Lock()

    def credentials(self, registry: str, repository: str = "") -> Credentials | None:
        """Look up who we are there; asks the keychain (and its helper program) once."""
        key = (registry, repository)
        with self._look_up_lock:
            if key not in self._found:
                self._found[key] = self._look_up(registry, repository)
            return self._found[key]

    def forget(self, registry: str) -> None:
        """Drop what is known of a registry: somebody logged in or out."""
        if self._memory:
            self._memory.forget(registry)
        with self._look_up_lock, self._lock:
            for entry in [key for key in self._entries if key[0] == registry]:
                del self._entries[entry]
            for found in [key for key in self._found if key[0] == registry]:
                del self._found[found]

    def scheme(self, registry: str) -> str:
        """Give the scheme the registry last asked for: `bearer`, `basic`, or empty."""
        with self._lock:
            known = self._challenges.get(registry)
        return known.scheme if known else ""

    def header(self, endpoint: Endpoint, repository: str, scopes: tuple[str, ...]) -> str:
        """Give the header to send at once, empty for none.

        A registry that challenged before gets the answer for new scopes without being asked first.
        """
        entry = self._entry(endpoint, repository, scopes)
        with entry.lock:
            if entry.header and self._clock() < entry.good_until:
                return entry.header
            if wider := self._wider(endpoint, scopes):
                entry.header, entry.good_until = wider.header, wider.good_until
                return entry.header
            with self._lock:
                known = self._challenges.get(endpoint.registry)
            if known is not None:
                return self._obtain(entry, endpoint, repository, scopes, known)
            if self._memory is None or entry.recalled:
                return ""
            entry.recalled = True
            return self._recall(self._memory, entry, endpoint, repository, scopes)

    def _wider(self, endpoint: Endpoint, scopes: tuple[str, ...]) -> "_Entry | None":
        """Give the token of other scopes that has these among them."""
        with self._lock:
            rows = [
                (key, entry) for key, entry in self._entries.items() if key[0] == endpoint.registry
            ]
        now = self._clock()
        for (_, _, others), entry in rows:
            good = now < entry.good_until and entry.header.startswith("Bearer ")
            if good and scopes and covers(others, scopes):
                return entry
        return None

    def _recall(
        self,
        memory: "Memory",
        entry: _Entry,
        endpoint: Endpoint,
        repository: str,
        scopes: tuple[str, ...],
    ) -> str:
        """Use what an earlier process learned; empty when that is nothing, or does not do."""
        challenge = memory.challenge(endpoint, actions(scopes))
        if challenge is None:
            return ""
        credentials = self.credentials(endpoint.registry, repository)
        key = TokenKey.of(repository, frozenset(scopes), credentials)
        token, lifetime_s = memory.token(endpoint, key)
        if token:
            entry.header, entry.is_old = f"Bearer {token}", True
            entry.good_until = self._clock() + lifetime_s
            return entry.header
        try:
            return self._obtain(entry, endpoint, repository, scopes, challenge)
        except LaminaError:  # the registry itself will say whom to ask
            memory.note_challenge(endpoint, None)
            return ""

    def second_thoughts(
        self, endpoint: Endpoint, repository: str, scopes: tuple[str, ...], *, refused: str
    ) -> tuple[Challenge, ...]:
        """Give the challenge to answer anew if what was refused is an earlier process's; else none.

        The account may have got rights since.
        """
        entry = self._entry(endpoint, repository, scopes)
        if not (self._memory and entry.is_old and entry.header == refused):
            return ()
        challenge = self._memory.challenge(endpoint, actions(scopes))
        return (challenge,) if challenge else ()

    def renew(
        self,
        endpoint: Endpoint,
        repository: str,
        scopes: tuple[str, ...],
        challenges: tuple[Challenge, ...],
        *,
        refused: str,
    ) -> str:
        """Answer a refusal; empty when there is nothing new to say.

        `refused` is the header that did not do. Another thread's newer answer is used as it is.
        """
        challenge = choose(challenges)
        if challenge is None:
            return ""
        entry = self._entry(endpoint, repository, scopes)
        with entry.lock:
            if entry.header and entry.header != refused and self._clock() < entry.good_until:
                return entry.header
            known = Challenge(
                challenge.scheme,
                {k: v for k, v in challenge.parameters.items() if k in ("realm", "service")},
            )
            with self._lock:
                self._challenges[endpoint.registry] = known
            if self._memory:
                self._memory.note_challenge(endpoint, known, actions(scopes))
            wanted = merge_scopes(scopes, challenge.scopes)
            header = self._obtain(entry, endpoint, repository, wanted, known)
            return "" if header == refused else header

    def _entry(self, endpoint: Endpoint, repository: str, scopes: tuple[str, ...]) -> _Entry:
        with self._lock:
            key = (endpoint.registry, repository, frozenset(scopes))
            return self._entries.setdefault(key, _Entry())

    def _obtain(
        self,
        entry: _Entry,
        endpoint: Endpoint,
        repository: str,
        scopes: tuple[str, ...],
        challenge: Challenge,
    ) -> str:
        credentials = self.credentials(endpoint.registry, repository)
        entry.good_until = self._clock() + _LONGEST_S
        if credentials and credentials.registry_token:
            entry.header = f"Bearer {credentials.registry_token}"
        elif challenge.scheme == "basic":
            usable = credentials is not None and credentials.has_password
            entry.header = f"Basic {credentials.basic}" if credentials and usable else ""
        else:
            token = self._fetch(endpoint, challenge, scopes, credentials)
            entry.header = f"Bearer {token.value}" if token else ""
            entry.good_until = self._clock() + (token.lifetime_s - _MARGIN_S if token else 0)
            if self._memory and token:
                key = TokenKey.of(repository, frozenset(scopes), credentials)
                self._memory.note_token(endpoint, key, token.value, token.lifetime_s - _MARGIN_S)
        entry.is_old = False
        return entry.header

    def _fetch(
        self,
        endpoint: Endpoint,
        challenge: Challenge,
        scopes: tuple[str, ...],
        credentials: Credentials | None,
    ) -> Token | None:
        """Get a token; None when the service has none for people without a login."""
        try:
            return self.fetch(endpoint, challenge, scopes, credentials)
        except LoginRefused as error:
            if credentials is None and not isinstance(error, RealmRefused):
                return None
            raise

    def fetch(
        self,
        endpoint: Endpoint,
        challenge: Challenge,
        scopes: tuple[str, ...],
        credentials: Credentials | None,
        *,
        offline: bool = False,
    ) -> Token:
        """Run `token_flow` against the challenge's realm, which is checked first.

        Raises: LoginRefused, RealmRefused (it must not have our credentials), RegistryFailed.
        """
        try:
            realm = joined(f"{endpoint.url}/v2/", challenge.parameters["realm"])
            refusal = self._realm_refusal(endpoint, realm)
        except ValueError as error:
            raise ResponseInvalid(f"{endpoint.registry} names no usable realm: {error}") from error
        if refusal:
            raise RealmRefused(
                f"{endpoint.registry} sends us to {without_query(realm)} for a token, and {refusal}",
                hint="the registry is set up wrongly, or somebody is listening in; ask its owner",
            )
        absolute = Challenge(challenge.scheme, {**challenge.parameters, "realm": realm})
        flow = token_flow(absolute, scopes, credentials, offline=offline)
        request = next(flow)
        while True:
            try:
                request = flow.send(self._send(request))
            except StopIteration as done:
                token: Token = done.value
                if self._witness is not None:
                    from lamina.remote.witnessed import admitted

                    self._witness(
                        admitted(endpoint.registry, absolute, scopes, credentials, token.lifetime_s)
                    )
                return token
