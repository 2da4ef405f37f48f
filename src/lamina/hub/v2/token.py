"""The token endpoint, on the registry's own host and port: some clients trust no other.

Spec: the distribution project's auth/token (GET) and auth/oauth (POST).
"""

import time
from collections.abc import Awaitable
from http import HTTPStatus
from urllib.parse import parse_qs

from aiohttp import web

from lamina.errors import Invalid, Unsupported
from lamina.hub.access import ANONYMOUS, Caller, parse_scopes
from lamina.hub.errors import CredentialsRefused
from lamina.hub.names import is_repository
from lamina.hub.services import Services
from lamina.hub.v2.answers import error_response, json_response
from lamina.hub.web import SERVICES, basic_login, login, read_body
from lamina.spec.wire import Document

__all__ = ["get_token", "list_keys", "post_token"]

_SCOPES_LIMIT = 100
_SCOPES_KNOWN = 4
_FORM_LIMIT = 64 * 1024


async def get_token(request: web.Request) -> web.StreamResponse:
    """Give a token for the scopes asked, cut down to what the caller may do; Basic or nobody."""
    try:
        caller = await basic_login(request)
        document = await _issue(request, caller, request.query.getall("scope", []))
        if caller.name and request.query.get("offline_token", "").lower() in ("1", "true"):
            refresh_token = await _refresh_token(
                request, caller, request.query.get("client_id", "")
            )
            if refresh_token:
                document["refresh_token"] = refresh_token
        return _answer(document)
    except Exception as error:  # noqa: BLE001 - translated, and our own faults logged
        return _failed(request, error)


async def post_token(request: web.Request) -> web.StreamResponse:
    """Give a token for a password or a refresh token, as OAuth 2 puts it."""
    try:
        form = await _form(request)
        caller, refresh_token = await _grant(request, form)
        scopes = [text for text in form.get("scope", "").split(" ") if text]
        document = await _issue(request, caller, scopes)
        document["scope"] = " ".join(scopes)
        if form.get("access_type") == "offline" and not refresh_token:
            refresh_token = await _refresh_token(request, caller, form.get("client_id", ""))
        if refresh_token:
            document["refresh_token"] = refresh_token
        return _answer(document)
    except Exception as error:  # noqa: BLE001 - translated, and our own faults logged
        return _failed(request, error)


async def list_keys(request: web.Request) -> web.StreamResponse:
    """Give the public keys our tokens are signed with, as a JWKS."""
    return json_response(request.app[SERVICES].tokens.keys())


async def _form(request: web.Request) -> dict[str, str]:
    raw = await read_body(request, limit=_FORM_LIMIT)
    try:
        fields = parse_qs(raw.decode("utf-8"), keep_blank_values=True)
    except ValueError as error:
        raise Invalid("the form cannot be read") from error
    return {name: " ".join(values) for name, values in fields.items()}


async def _grant(request: web.Request, form: dict[str, str]) -> tuple[Caller, str]:
    """Give who asks, and the refresh token they came with. Raises: CredentialsRefused."""
    services = request.app[SERVICES]
    kind = form.get("grant_type", "")
    if kind == "password":
        return await login(request, form.get("username", ""), form.get("password", "")), ""
    if kind == "refresh_token":
        token = form.get("refresh_token", "")
        account = await services.threads.call(services.accounts.refresh, token)
        return services.accounts.caller(account), token
    raise Unsupported(
        f"grant type {kind!r} is not known here", hint="use password or refresh_token"
    )


async def _issue(request: web.Request, caller: Caller, texts: list[str]) -> Document:
    services = request.app[SERVICES]
    wanted = [
        (scope.name, scope.actions)
        for scope in parse_scopes(texts)[:_SCOPES_LIMIT]
        if scope.kind == "repository" and is_repository(scope.name)
    ]
    grants = await _grants(services, caller, wanted)
    issued = services.tokens.issue(caller, grants)
    return {
        "token": issued.token,
        "access_token": issued.token,
        "expires_in": issued.lifetime_s,
        "issued_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(issued.issued_at)),
    }


async def _grants(
    services: Services, caller: Caller, wanted: list[tuple[str, frozenset[str]]]
) -> dict[str, frozenset[str]]:
    def ask() -> Awaitable[dict[str, frozenset[str]]]:
        return services.threads.call(services.registry.grants, caller, wanted)

    if caller.grants is not None or len(wanted) > _SCOPES_KNOWN:
        return await ask()
    return await services.known.get(("grants", caller, *wanted), ask)


async def _refresh_token(request: web.Request, caller: Caller, client: str) -> str:
    services = request.app[SERVICES]

    def work() -> str:
        account = services.accounts.find(caller.name)
        if account is None:
            raise CredentialsRefused("the account is gone")
        return services.accounts.new_refresh_token(account, client)

    # no login for long in exchange for a token that may be narrow; clients then keep the token
    return "" if caller == ANONYMOUS or caller.token_id else await services.threads.call(work)


def _answer(document: Document) -> web.Response:
    response = json_response(document)
    response.headers["Cache-Control"] = "no-store"
    return response


def _failed(request: web.Request, error: Exception) -> web.Response:
    response = error_response(request, error)
    if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        import logging

        logging.getLogger("lamina.hub").error("token request failed", exc_info=error)
    if response.status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = 'Basic realm="lamina-hub"'
    return response
