"""JSON below `/api/v1/`: who asks, what they sent, and errors as documents.

Who asks logs in with their password (Basic) or with the refresh token that Docker's clients keep
in its place (Bearer). Access tokens are for images and repositories, and get 403 elsewhere; cookies count for nothing, so no
form token is needed.
"""

import functools
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from aiohttp import web

from lamina.errors import (
    AlreadyExists,
    Denied,
    InUse,
    Invalid,
    LaminaError,
    NotFound,
    Unauthorized,
)
from lamina.hub.access import Caller
from lamina.hub.access_tokens import is_access_token
from lamina.hub.errors import FormInvalid, LoginRequired, ReadOnly, TooManyAttempts
from lamina.hub.notes import note
from lamina.hub.web import SERVICES, basic_login, login, read_body
from lamina.hub.writable import check_writable
from lamina.spec.wire import Document, decode, encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.hub.services import Services

__all__ = [
    "answered",
    "days_of",
    "flag_of",
    "for_login",
    "full_login",
    "json_answer",
    "noted",
    "nowhere",
    "read_json",
    "text_of",
    "texts",
    "token_login",
]

_LIMIT = 64 * 1024
_NAME_SHOWN = 60
_STATUS: tuple[tuple[type[LaminaError], HTTPStatus], ...] = (
    (TooManyAttempts, HTTPStatus.TOO_MANY_REQUESTS),
    (ReadOnly, HTTPStatus.METHOD_NOT_ALLOWED),
    (Unauthorized, HTTPStatus.UNAUTHORIZED),
    (Denied, HTTPStatus.FORBIDDEN),
    (NotFound, HTTPStatus.NOT_FOUND),
    (AlreadyExists, HTTPStatus.CONFLICT),
    (InUse, HTTPStatus.CONFLICT),
    (Invalid, HTTPStatus.BAD_REQUEST),
)
_Route = Callable[[web.Request], Awaitable[web.StreamResponse]]
_LoginRoute = Callable[[web.Request, "Services", Caller], Awaitable[web.StreamResponse]]


def answered(route: _Route) -> _Route:
    """Have what is wrong with a request to `route` answered as a document."""

    @functools.wraps(route)
    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            check_writable(request)
            return await route(request)
        except LaminaError as error:
            return _failed(error)

    return answer


def for_login(route: _LoginRoute) -> _Route:
    """Give `route` to who asks with a full login; all else is `answered` as a document."""

    @functools.wraps(route)
    async def answer(request: web.Request) -> web.StreamResponse:
        return await route(request, request.app[SERVICES], await full_login(request))

    return answered(answer)


def noted(request: web.Request, caller: Caller, action: str, subject: str) -> web.Response:
    """Note what `caller` has just done, and answer that there is nothing more to say."""
    note(request, action, subject, account=caller.name)
    return web.Response(status=HTTPStatus.NO_CONTENT)


async def nowhere(request: web.Request) -> web.StreamResponse:
    """Answer for a path below `/api/` that leads nowhere, or not by this method: a document, no page."""
    raise NotFound(
        f"{request.method} {request.path} is not known here", hint="see /api/openapi.json"
    )


async def token_login(request: web.Request) -> Caller:
    """Give who asks with a full login, or with an access token, which narrows what they may do.

    Raises: what `full_login` does; Denied for robots alone.
    """
    kind, _, value = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() == "bearer" and is_access_token(value.strip()):
        caller = await login(request, "", value.strip())
    elif kind.lower() == "basic":
        caller = await basic_login(request)
    else:
        return await full_login(request)
    if caller.robot_of:
        raise Denied("a robot is for images alone", hint="log in with an account's access token")
    return caller


async def full_login(request: web.Request) -> Caller:
    """Give who asks with a full login.

    Raises: LoginRequired, CredentialsRefused, TooManyAttempts, Denied (an access token).
    """
    services = request.app[SERVICES]
    kind, _, value = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() == "bearer" and not is_access_token(value.strip()):
        account = await services.threads.call(services.accounts.refresh, value.strip())
        return services.accounts.caller(account)
    if kind.lower() == "basic":
        caller = await basic_login(request)
        if not caller.token_id:
            return caller
    elif kind.lower() != "bearer":
        raise LoginRequired("this needs an account")
    raise Denied(
        "an access token is for images and repositories alone",
        hint="log in with the account's password",
    )


async def read_json(request: web.Request, *fields: str, limit: int = _LIMIT) -> Document:
    """Give the object a request sent, at most `limit` bytes, which may have these fields; none named: any.

    Whoever misspells a field thinks that it was set. Raises: Invalid.
    """
    if request.content_type != "application/json":
        raise Invalid("send JSON", hint="Content-Type: application/json")
    document = decode(await read_body(request, limit=limit), what="request")
    strange = sorted(document.keys() - set(fields)) if fields else []
    if strange:
        known = ", ".join(f"`{each}`" for each in fields)
        raise Invalid(
            f"there is no field {strange[0][:_NAME_SHOWN]!r} here", hint=f"known: {known}"
        )
    return document


def days_of(document: Document) -> int | None:
    """Give `expires_in_days`, None for without end. Raises: Invalid."""
    days = document.get("expires_in_days")
    if days is not None and (not isinstance(days, int) or isinstance(days, bool)):
        raise Invalid("`expires_in_days` must be a whole number, or null for a token without end")
    return days


def text_of(document: Document, field: str, default: str | None = None) -> str:
    """Give a string, `default` where there is none. Raises: Invalid."""
    value = document.get(field, default)
    if not isinstance(value, str) or not _is_text(value):
        raise Invalid(f"`{field}` must be a string")
    return value


def flag_of(document: Document, field: str, *, default: bool) -> bool:
    """Give true or false. Raises: Invalid."""
    value = document.get(field, default)
    if not isinstance(value, bool):
        raise Invalid(f"`{field}` must be true or false")
    return value


def texts(document: Document, field: str) -> list[str]:
    """Give a list of strings, empty where there is none. Raises: Invalid."""
    values = document.get(field, [])
    if not isinstance(values, list) or not all(
        isinstance(each, str) and _is_text(each) for each in values
    ):
        raise Invalid(f"`{field}` must be a list of strings")
    return values


def _is_text(value: str) -> bool:
    """Tell whether it can be written as UTF-8: JSON can say half a letter, which no database takes."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def json_answer(document: Document, status: int = HTTPStatus.OK) -> web.Response:
    """Answer with a document that nobody may keep."""
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
    response = json_answer(document, status)
    if status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = 'Basic realm="lamina-hub"'
    if isinstance(error, TooManyAttempts):
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response
