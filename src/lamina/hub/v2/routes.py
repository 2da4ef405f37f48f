"""Paths of `/v2/` as data. Names hold slashes, so the path is read from its end."""

import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from aiohttp import web

from lamina.errors import NotFound, Unsupported
from lamina.hub.errors import LoginRequired, UpstreamFailed
from lamina.hub.logs import ACCOUNT
from lamina.hub.v2 import blobs, listing, manifests, uploads
from lamina.hub.v2.answers import error_response, json_response
from lamina.hub.v2.passed import locate, pass_on, refuse_push
from lamina.hub.web import authenticate
from lamina.hub.writable import check_writable

__all__ = ["PATHS", "dispatch"]

_Route = Callable[..., Awaitable[web.StreamResponse]]

PATHS: tuple[tuple[str, dict[str, _Route]], ...] = (
    (
        r"/v2/(.+)/manifests/([^/]+)",
        {
            "GET": manifests.get_manifest,
            "HEAD": manifests.get_manifest,
            "PUT": manifests.put_manifest,
            "DELETE": manifests.delete_manifest,
        },
    ),
    (
        r"/v2/(.+)/blobs/uploads/([^/]+)",
        {
            "GET": uploads.upload_status,
            "HEAD": uploads.upload_status,
            "PATCH": uploads.patch_upload,
            "PUT": uploads.finish_upload,
            "DELETE": uploads.cancel_upload,
        },
    ),
    (r"/v2/(.+)/blobs/uploads/?", {"POST": uploads.post_upload}),
    (
        r"/v2/(.+)/blobs/([^/]+)",
        {"GET": blobs.get_blob, "HEAD": blobs.head_blob, "DELETE": blobs.delete_blob},
    ),
    (r"/v2/(.+)/tags/list", {"GET": listing.list_tags, "HEAD": listing.list_tags}),
    (
        r"/v2/(.+)/referrers/([^/]+)",
        {"GET": manifests.list_referrers, "HEAD": manifests.list_referrers},
    ),
    (r"/v2/_catalog", {"GET": listing.list_repositories, "HEAD": listing.list_repositories}),
)
_ROUTES = tuple((re.compile(path), methods) for path, methods in PATHS)
_ADMITTING = frozenset({manifests.get_manifest, blobs.get_blob, blobs.head_blob})
"""What has its caller admitted in its one transaction, and looks at them no more."""
_VERSION = {"Docker-Distribution-API-Version": "registry/2.0"}


async def dispatch(request: web.Request) -> web.StreamResponse:
    """Answer any request below `/v2`."""
    try:
        response = await _route(request)
    except Exception as error:
        response = error_response(request, error)
        is_ours = response.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        # else the client went away, or another registry is to blame
        if is_ours and not isinstance(error, (ConnectionError, UpstreamFailed)):
            import logging

            logging.getLogger("lamina.hub").exception("%s %s failed", request.method, request.path)
        if request.body_exists and not request.content.is_eof():
            response.force_close()  # cheaper than reading a layer nobody wants
    if not response.prepared:
        response.headers.update(_VERSION)
    return response


async def _route(request: web.Request) -> web.StreamResponse:
    path = request.path
    routes, words = _find(path)
    route = None if routes is None else routes.get(request.method)
    caller = await authenticate(request, may_claim=route in _ADMITTING)
    ACCOUNT.set(caller.name)
    if path in ("/v2/", "/v2"):
        if not caller.name and caller.grants is None:
            raise LoginRequired("authentication required")
        return json_response({})
    check_writable(request)
    if routes is None:
        raise NotFound("no such endpoint")
    if route is None:
        raise Unsupported(f"{request.method} is not possible here")
    name, *rest = words or ("",)
    cache, name = await locate(request, name)
    if cache is not None:
        refuse_push(cache, request)
        return await pass_on(route, request, caller, cache, name, *rest)
    return await route(request, caller, *words)


def _find(path: str) -> tuple[dict[str, _Route] | None, tuple[str, ...]]:
    """Give a path's routes by method, and what it names."""
    for pattern, routes in _ROUTES:
        if match := pattern.fullmatch(path):
            return routes, match.groups()
    return None, ()
