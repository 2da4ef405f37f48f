"""Errors as the distribution API words them: one table, kind to status and code."""

import errno
from http import HTTPStatus

from aiohttp import web

from lamina.errors import (
    AlreadyExists,
    Corrupt,
    Denied,
    InUse,
    Invalid,
    LaminaError,
    NotFound,
    Unauthorized,
    Unavailable,
    Unsupported,
)
from lamina.hub.errors import (
    BlobUnknown,
    ContentReferenced,
    CredentialsRefused,
    LoginRequired,
    ManifestBlobUnknown,
    ManifestInvalid,
    ManifestTooLarge,
    ManifestUnknown,
    NameUnknown,
    PageInvalid,
    RangeDisagrees,
    RepositoryNameInvalid,
    SizeDisagrees,
    TagInvalid,
    TooManyAttempts,
    UploadTaken,
    UploadUnknown,
    UpstreamFailed,
    UpstreamLimited,
    UpstreamLoop,
)
from lamina.hub.logs import REQUEST_ID
from lamina.hub.web import url_of
from lamina.spec.digest import DigestInvalid
from lamina.spec.wire import encode

__all__ = ["challenge", "error_response", "json_response"]

_TABLE: dict[type[BaseException], tuple[int, str]] = {
    RepositoryNameInvalid: (400, "NAME_INVALID"),
    TagInvalid: (400, "MANIFEST_INVALID"),
    DigestInvalid: (400, "DIGEST_INVALID"),
    PageInvalid: (400, "UNSUPPORTED"),
    SizeDisagrees: (400, "SIZE_INVALID"),
    RangeDisagrees: (416, "BLOB_UPLOAD_INVALID"),
    ManifestBlobUnknown: (400, "MANIFEST_BLOB_UNKNOWN"),
    ManifestTooLarge: (413, "MANIFEST_INVALID"),
    ManifestInvalid: (400, "MANIFEST_INVALID"),
    NameUnknown: (404, "NAME_UNKNOWN"),
    BlobUnknown: (404, "BLOB_UNKNOWN"),
    UploadUnknown: (404, "BLOB_UPLOAD_UNKNOWN"),
    UploadTaken: (409, "BLOB_UPLOAD_INVALID"),
    ManifestUnknown: (404, "MANIFEST_UNKNOWN"),
    ContentReferenced: (405, "UNSUPPORTED"),
    CredentialsRefused: (401, "UNAUTHORIZED"),
    LoginRequired: (401, "UNAUTHORIZED"),
    TooManyAttempts: (429, "TOOMANYREQUESTS"),
    UpstreamLimited: (429, "TOOMANYREQUESTS"),
    UpstreamFailed: (503, "UNAVAILABLE"),
    UpstreamLoop: (508, "UNSUPPORTED"),
    Corrupt: (400, "DIGEST_INVALID"),
    Invalid: (400, "UNSUPPORTED"),
    NotFound: (404, "NAME_UNKNOWN"),
    AlreadyExists: (409, "DENIED"),
    InUse: (405, "UNSUPPORTED"),
    Unauthorized: (401, "UNAUTHORIZED"),
    Denied: (403, "DENIED"),
    Unavailable: (503, "UNAVAILABLE"),
    Unsupported: (405, "UNSUPPORTED"),
}
_RETRY_AFTER_S = "5"
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


def json_response(
    document: object, *, status: int = HTTPStatus.OK, content_type: str = "application/json"
) -> web.Response:
    """Answer with a JSON document."""
    return web.Response(body=encode(document), status=status, content_type=content_type)


def challenge(request: web.Request, *, scope: str = "", error: str = "") -> str:
    """Give one Bearer challenge; no space after commas, which some clients cannot read.

    The realm is on the very host:port that was asked: clients refuse private addresses elsewhere.
    """
    from lamina.hub.tokens import SERVICE

    text = f'Bearer realm="{url_of(request)}/token",service="{SERVICE}"'
    if scope:
        text += f',scope="{scope}"'
    return text + (f',error="{error}"' if error else "")


def error_response(request: web.Request, error: Exception) -> web.Response:
    """Answer with what went wrong. Anything that is not a LaminaError is our own fault: 500."""
    status, code, message, detail = _describe(error)
    known = REQUEST_ID.get()
    if known and not isinstance(detail, list):  # a list of digests is no place for it
        detail = {**(detail if isinstance(detail, dict) else {}), "request_id": known}
    row: dict[str, object] = {"code": code, "message": message}
    if detail:
        row["detail"] = detail
    response = json_response({"errors": [row]}, status=status)
    if status == HTTPStatus.UNAUTHORIZED:
        scope = error.scope if isinstance(error, LoginRequired) else ""
        insufficient = isinstance(error, LoginRequired) and error.insufficient
        response.headers["WWW-Authenticate"] = challenge(
            request,
            scope=scope,
            error="insufficient_scope" if insufficient else "",
        )
    if isinstance(error, (TooManyAttempts, UpstreamLimited)):
        response.headers["Retry-After"] = str(error.retry_after_s)
    elif status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = _RETRY_AFTER_S
    return response


def _describe(error: Exception) -> tuple[int, str, str, object]:
    if isinstance(error, OSError) and error.errno in _DISK_FULL:
        return HTTPStatus.SERVICE_UNAVAILABLE, "UNAVAILABLE", "the hub's disk is full", None
    if not isinstance(error, LaminaError):
        return HTTPStatus.INTERNAL_SERVER_ERROR, "UNKNOWN", "the hub failed", None
    for kind in type(error).__mro__:
        if kind in _TABLE:
            status, code = _TABLE[kind]
            detail: object = {"hint": error.hint} if error.hint else None
            if isinstance(error, ManifestBlobUnknown):
                detail = [{"digest": digest} for digest in error.digests]
            return status, code, error.message, detail
    return HTTPStatus.INTERNAL_SERVER_ERROR, "UNKNOWN", "the hub failed", None
