"""Personal access tokens by JSON: `/api/v1/tokens`.

    GET    /api/v1/tokens       {"tokens": [{"id", "name", "targets", "actions", "created_at", …}]}
    POST   /api/v1/tokens       {"name", "actions", "targets"?, "expires_in_days"?} gives 201, "token"
    DELETE /api/v1/tokens/ID    204

Who asks logs in with their password (Basic) or with the refresh token that Docker's clients keep
in its place (Bearer). An access token gets 403, lest it make itself a wider one; cookies count for
nothing, so no form token is needed.
"""

from http import HTTPStatus

from aiohttp import web

from lamina.errors import Denied, Invalid, LaminaError, NotFound, Unauthorized
from lamina.hub.access_tokens import is_access_token
from lamina.hub.errors import FormInvalid, LoginRequired, TooManyAttempts
from lamina.hub.notes import note
from lamina.hub.site.words import moment
from lamina.hub.tables.access_tokens import AccessToken
from lamina.hub.web import SERVICES, basic_login
from lamina.spec.wire import Document, decode, encode

__all__ = ["create_token", "list_tokens", "revoke_token"]

_LIMIT = 64 * 1024
_STATUS: tuple[tuple[type[LaminaError], HTTPStatus], ...] = (
    (TooManyAttempts, HTTPStatus.TOO_MANY_REQUESTS),
    (Unauthorized, HTTPStatus.UNAUTHORIZED),
    (Denied, HTTPStatus.FORBIDDEN),
    (NotFound, HTTPStatus.NOT_FOUND),
    (Invalid, HTTPStatus.BAD_REQUEST),
)


async def list_tokens(request: web.Request) -> web.StreamResponse:
    """List the caller's tokens, newest first; never what they are."""
    services = request.app[SERVICES]
    try:
        account = await _account(request)
        found = await services.threads.call(services.access_tokens.of, account)
    except LaminaError as error:
        return _failed(error)
    return _json({"tokens": [_row(each) for each in found]})


async def create_token(request: web.Request) -> web.StreamResponse:
    """Make a token; this answer alone tells it."""
    services = request.app[SERVICES]
    try:
        account = await _account(request)
        name, actions, targets, days = await _wanted(request)

        def work() -> tuple[str, AccessToken]:
            return services.access_tokens.create(
                account, name, actions=actions, targets=targets, expires_in_days=days
            )

        token, made = await services.threads.call(work)
    except LaminaError as error:
        return _failed(error)
    note(request, "create token", name, account=account)
    return _json({**_row(made), "token": token}, HTTPStatus.CREATED)


async def revoke_token(request: web.Request) -> web.StreamResponse:
    """End a token at once."""
    services = request.app[SERVICES]
    try:
        account = await _account(request)
        revoked = await services.threads.call(
            services.access_tokens.revoke, account, request.match_info["id"]
        )
    except LaminaError as error:
        return _failed(error)
    note(request, "revoke token", revoked.name, account=account)
    return web.Response(status=HTTPStatus.NO_CONTENT)


async def _account(request: web.Request) -> str:
    """Give the name of who asks with a full login.

    Raises: LoginRequired, CredentialsRefused, TooManyAttempts, Denied.
    """
    services = request.app[SERVICES]
    kind, _, value = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() == "bearer" and not is_access_token(value.strip()):
        account = await services.threads.call(services.accounts.refresh, value.strip())
        return account.name
    if kind.lower() == "basic":
        caller = await basic_login(request)
        if not caller.token_id:
            return caller.name
    elif kind.lower() != "bearer":
        raise LoginRequired("tokens belong to an account")
    raise Denied(
        "an access token can neither make nor end access tokens",
        hint="log in with the account's password",
    )


async def _wanted(request: web.Request) -> tuple[str, list[str], list[str], int | None]:
    if request.content_type != "application/json":
        raise Invalid("send JSON", hint="Content-Type: application/json")
    document = decode(await request.content.read(_LIMIT), what="request")
    name, days = document.get("name"), document.get("expires_in_days")
    if not isinstance(name, str):
        raise Invalid("`name` must be a string")
    if days is not None and (not isinstance(days, int) or isinstance(days, bool)):
        raise Invalid("`expires_in_days` must be a whole number, or null for a token without end")
    return name, _texts(document, "actions"), _texts(document, "targets"), days


def _texts(document: Document, field: str) -> list[str]:
    values = document.get(field, [])
    if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
        raise Invalid(f"`{field}` must be a list of strings")
    return values


def _row(token: AccessToken) -> Document:
    return {
        "id": token.id,
        "name": token.name,
        "targets": list(token.targets),
        "actions": list(token.actions),
        "created_at": moment(token.created_at),
        "expires_at": None if token.expires_at is None else moment(token.expires_at),
        "used_at": None if token.used_at is None else moment(token.used_at),
        "used_from": token.used_from,
    }


def _json(document: Document, status: int = HTTPStatus.OK) -> web.Response:
    return web.Response(
        body=encode(document),
        status=status,
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


def _failed(error: LaminaError) -> web.Response:
    status = next((s for kind, s in _STATUS if isinstance(error, kind)), HTTPStatus.BAD_REQUEST)
    document: Document = {"error": error.message}
    if error.hint:
        document["hint"] = error.hint
    if isinstance(error, FormInvalid):
        document["fields"] = error.fields
    response = _json(document, status)
    if status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = 'Basic realm="lamina-hub"'
    if isinstance(error, TooManyAttempts):
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response
