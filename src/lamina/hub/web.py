"""What every route needs: the services, who asks, and what we are called."""

import functools
import math
import re
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from aiohttp import BasicAuth, web

from lamina.errors import Invalid
from lamina.hub.access import ANONYMOUS, Caller
from lamina.hub.access_tokens import is_access_token
from lamina.hub.admission import standing
from lamina.hub.errors import CredentialsRefused
from lamina.hub.logs import ACCOUNT, REQUEST_ID
from lamina.hub.names import is_account
from lamina.hub.notes import note_refused
from lamina.hub.outbox import Asked
from lamina.hub.remembered import UNTIL
from lamina.hub.robots import is_robot_id, is_robot_token
from lamina.hub.tokens import KeyUnknown

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from lamina.hub.services import Services
    from lamina.hub.tables.accounts import Account

__all__ = [
    "SERVICES",
    "address_behind",
    "asked_by",
    "authenticate",
    "basic_login",
    "client_address",
    "decode_basic",
    "host_of",
    "is_secure",
    "is_within",
    "login",
    "read_body",
    "url_of",
]

SERVICES: "web.AppKey[Services]" = web.AppKey("services")
_AGENT = 200  # of its letters
_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")


async def read_body(request: web.Request, *, limit: int) -> bytes:
    """Give what a request sent, in however many pieces it came. Raises: Invalid (more than `limit`)."""
    parts: list[bytes] = []
    left = limit + 1
    while left and (piece := await request.content.read(left)):
        parts.append(piece)
        left -= len(piece)
    if not left:
        raise Invalid(f"more than {limit} bytes are not read here")
    return b"".join(parts)


def host_of(request: web.Request) -> str:
    """Give the host:port this client calls us by; what is no host at all becomes our own."""
    services = request.app[SERVICES]
    if services.settings.public_url:
        return services.settings.public_url.partition("://")[2]
    host = _forwarded(request, "X-Forwarded-Host") or request.headers.get("Host", "")
    if _HOST.fullmatch(host):
        return host
    return f"{services.settings.host}:{services.settings.port}"


def is_secure(request: web.Request) -> bool:
    """Tell whether this client reaches us by https."""
    public = request.app[SERVICES].settings.public_url
    if public:
        return public.startswith("https://")
    return (_forwarded(request, "X-Forwarded-Proto") or request.scheme).lower() == "https"


def url_of(request: web.Request) -> str:
    """Give our address as this client reaches us, without a slash at its end."""
    return f"{'https' if is_secure(request) else 'http'}://{host_of(request)}"


def client_address(request: web.Request) -> str:
    """Give the address a request came from; proxies of ours are believed about who came to them."""
    forwarded = ",".join(request.headers.getall("X-Forwarded-For", ()))
    return address_behind(
        request.remote or "unknown", forwarded, request.app[SERVICES].settings.proxies
    )


def address_behind(address: str, forwarded: str, proxies: tuple[str, ...]) -> str:
    """Give the address behind `address`, if that is a proxy of ours and says `forwarded` (X-Forwarded-For)."""
    before = forwarded.split(",")
    # from the nearest on: what stands before the first that is not ours, anyone may have written
    while proxies and before and is_within(address, proxies):
        earlier = before.pop().strip()
        if not earlier:
            break
        address = earlier
    return address


def asked_by(request: web.Request) -> Asked:
    """Give what webhooks are told of the request that did a deed."""
    return Asked(
        REQUEST_ID.get(),
        client_address(request),
        host_of(request),
        request.method,
        request.headers.get("User-Agent", "")[:_AGENT],
        url_of(request),
    )


def _forwarded(request: web.Request, header: str) -> str:
    """Give what a proxy of ours says about the client's request; empty from anyone else.

    Of several values the last counts: the nearest proxy wrote it.
    """
    proxies = request.app[SERVICES].settings.proxies
    if not proxies or not is_within(request.remote or "", proxies):
        return ""
    return ",".join(request.headers.getall(header, ())).rpartition(",")[2].strip()


@functools.lru_cache(1024)  # the same few proxies come with every request
def is_within(address: str, networks: tuple[str, ...]) -> bool:
    """Tell whether an address is in one of `networks`: whether it is a proxy of ours."""
    if not networks:
        return False
    try:
        found = ip_address(address)
        return any(found in ip_network(each) for each in networks)
    except ValueError:  # a word, not an address
        return False


async def authenticate(request: web.Request, *, may_claim: bool = False) -> Caller:
    """Give who asks by the Authorization header; nobody without one.

    With `may_claim` one who `is_claimed`, for a route that has them admitted before anything else.
    Raises: CredentialsRefused, TooManyAttempts.
    """
    header = request.headers.get("Authorization", "")
    kind, _, value = header.partition(" ")
    if len(request.headers.getall("Authorization", [])) > 1:  # a proxy may have believed the other
        raise CredentialsRefused("the request has several Authorization headers")
    if not header:
        request[UNTIL] = math.inf
        return ANONYMOUS
    if kind.lower() == "bearer":
        return await _bearer(request, value.strip(), may_claim=may_claim)
    if kind.lower() == "basic":
        name, password = decode_basic(header)
        return await login(request, name, password)
    raise CredentialsRefused(f"authorization by {kind!r} is not known here")


async def _bearer(request: web.Request, token: str, *, may_claim: bool) -> Caller:
    services = request.app[SERVICES]
    if is_access_token(token):
        return await login(request, "", token)
    try:
        caller, until = services.tokens.verify_until(token)
    except KeyUnknown:  # maybe of a key that another process has just begun to sign with
        await services.threads.call(services.look_for_keys)
        caller, until = services.tokens.verify_until(token)
    if not caller.token_id:
        request[UNTIL] = until
        if not caller.name or caller.robot_of:
            return caller
        if may_claim:
            return replace(caller, is_claimed=True)
        return standing(caller, await _account_of(services, caller.name))
    tokens = services.robots if is_robot_id(caller.token_id) else services.access_tokens
    holder = await services.threads.call(tokens.caller, caller.token_id)
    request[UNTIL] = min(until, holder.until)
    return replace(holder, grants=caller.grants)


async def basic_login(request: web.Request) -> Caller:
    """Give who asks by Basic alone; a request for a token does not bring a token."""
    header = request.headers.get("Authorization", "")
    if not header.lower().startswith("basic "):
        return ANONYMOUS
    return await login(request, *decode_basic(header))


def decode_basic(header: str) -> tuple[str, str]:
    """Give name and password of an Authorization header. Raises: CredentialsRefused."""
    try:
        login = BasicAuth.decode(header, encoding="utf-8")
    except ValueError as error:
        raise CredentialsRefused("the Authorization header cannot be read") from error
    return login.login, login.password


async def _account_of(services: "Services", name: str) -> "Account | None":
    """Give the account of that name as the database has it now, if any."""

    def ask() -> "Awaitable[Account | None]":
        return services.threads.call(services.accounts.find, name)

    return await (services.known.get(("account", name), ask) if is_account(name) else ask())


async def login(request: web.Request, name: str, password: str) -> Caller:
    """Check a password, quickly when it was checked a moment ago, or a personal access token.

    Raises: CredentialsRefused, TooManyAttempts.
    """
    services = request.app[SERVICES]
    if is_access_token(password):
        tokens = services.robots if is_robot_token(password) else services.access_tokens
        return await services.threads.call(tokens.login, name, password, client_address(request))
    accounts = services.accounts
    known = await _account_of(services, name.lower())
    account = accounts.recall(known, password)
    if account is None:
        try:
            account = await services.threads.call_slow(
                accounts.login, name, password, client_address(request)
            )
        except CredentialsRefused:
            note_refused(request, name)
            raise
    ACCOUNT.set(account.name)
    return accounts.caller(account)
