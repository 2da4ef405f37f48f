"""Around every page: who visits, what went wrong in words, and the headers of every answer."""

import errno
import functools
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from urllib.parse import quote

from aiohttp import web

from lamina.errors import (
    AlreadyExists,
    Denied,
    InUse,
    Invalid,
    LaminaError,
    NotFound,
    Unauthorized,
    Unavailable,
)
from lamina.hub.errors import ReadOnly, TooManyAttempts
from lamina.hub.logs import ACCOUNT, REQUEST_ID
from lamina.hub.site.render import SECURITY, go_to, render
from lamina.hub.site.sessions import FormForged, Visit, visit_of, with_cookies
from lamina.hub.web import is_secure
from lamina.hub.writable import check_writable

__all__ = ["Page", "framed"]

Page = Callable[[web.Request, Visit], Awaitable[web.StreamResponse]]
_STATUS: tuple[tuple[type[LaminaError], HTTPStatus, str], ...] = (
    (NotFound, HTTPStatus.NOT_FOUND, "Not found"),
    (Invalid, HTTPStatus.NOT_FOUND, "Not found"),
    (FormForged, HTTPStatus.FORBIDDEN, "Please send it again"),
    (Denied, HTTPStatus.FORBIDDEN, "You may not do that"),
    (ReadOnly, HTTPStatus.METHOD_NOT_ALLOWED, "Nothing is taken right now"),
    (AlreadyExists, HTTPStatus.CONFLICT, "That is not possible"),
    (InUse, HTTPStatus.CONFLICT, "That is not possible"),
    (TooManyAttempts, HTTPStatus.TOO_MANY_REQUESTS, "Too many attempts"),
    (Unavailable, HTTPStatus.SERVICE_UNAVAILABLE, "Try again in a moment"),
)
_OTHER = (HTTPStatus.BAD_REQUEST, "That is not possible")
_RETRY_AFTER_S = 5
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
_TOO_LARGE = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


def framed(page: Page) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Wrap a page: its errors become pages, too, and each answer carries the security headers."""

    @functools.wraps(page)
    async def answer(request: web.Request) -> web.StreamResponse:
        visit = await visit_of(request)
        ACCOUNT.set(visit.account.name if visit.account else "")
        try:
            check_writable(request)
            response: web.StreamResponse = await page(request, visit)
        except ConnectionError:  # the visitor went away
            raise
        except Exception as error:  # noqa: BLE001 - becomes a page, and our own faults are logged
            response = _trouble(request, visit, error)
        with_cookies(request, visit, response)
        if response.prepared:
            return response
        response.headers.update(SECURITY)
        if is_secure(request):
            response.headers["Strict-Transport-Security"] = "max-age=31536000"
        return response

    return answer


def _trouble(request: web.Request, visit: Visit, error: Exception) -> web.Response:
    """Give the page that says what went wrong, and what can be done."""
    if isinstance(error, Unauthorized):
        if request.method == "GET" and "/-/" in request.path and "/-/tag" not in request.path:
            return go_to(f"/signin?next={quote(request.path_qs)}")
        error = NotFound("there is no such page, or it is private")
    status, title, text = _words(error)
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        logging.getLogger("lamina.hub").error(
            "%s %s failed", request.method, request.path, exc_info=error
        )
    values = {
        "title": title,
        "text": text,
        "status": int(status),
        "request_id": REQUEST_ID.get() if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "",
    }
    response = render(request, visit, "trouble.html", values, status=status)
    if isinstance(error, TooManyAttempts):
        response.headers["Retry-After"] = str(error.retry_after_s)
    elif status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = str(_RETRY_AFTER_S)
    elif status == HTTPStatus.METHOD_NOT_ALLOWED:
        response.headers["Allow"] = "GET, HEAD"
    return response


def _words(error: Exception) -> tuple[HTTPStatus, str, str]:
    """Give an error's status, and its title and text for people."""
    if isinstance(error, LaminaError):
        found = next((row[1:] for row in _STATUS if isinstance(error, row[0])), _OTHER)
        status, title = found
        text = error.message[:1].upper() + error.message[1:]
        if error.hint and status != HTTPStatus.NOT_FOUND:
            text += f". {error.hint[:1].upper()}{error.hint[1:]}"
        return status, title, text
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return _TOO_LARGE, "That is too large", "A form takes a mebibyte at most."
    if isinstance(error, web.HTTPException):
        return HTTPStatus(error.status), "That is not possible", error.reason
    if isinstance(error, OSError) and error.errno in _DISK_FULL:
        return (
            HTTPStatus.SERVICE_UNAVAILABLE,
            "The hub's disk is full",
            "Nothing can be kept until there is room.",
        )
    return (
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "Something failed here",
        "It is no fault of yours, and was written to the hub's log.",
    )
