"""Caches by JSON, for admins: `/api/v1/caches`.

GET    /api/v1/caches             {"caches": [{"namespace", "upstream", "is_private", …}]}
POST   /api/v1/caches             {"namespace", "upstream", "username"?, "password"?, "is_private"?,
"is_default"?, "fresh_s"?, "keep_days"?} gives 201
DELETE /api/v1/caches/NAMESPACE   204, with all that was fetched
"""

from http import HTTPStatus

from aiohttp import web

from lamina.errors import Invalid
from lamina.hub.access import Caller
from lamina.hub.api.answers import flag_of, for_login, json_answer, noted, read_json, text_of
from lamina.hub.caches import FRESH_S, KEEP_DAYS
from lamina.hub.notes import note
from lamina.hub.services import Services
from lamina.hub.tables.caches import Cache
from lamina.hub.words import moment
from lamina.spec.wire import Document

__all__ = ["add_caches"]

_DAY_S = 86400


def add_caches(app: web.Application) -> None:
    """Add the routes to the application."""
    app.router.add_get("/api/v1/caches", for_login(_list))
    app.router.add_post("/api/v1/caches", for_login(_create))
    app.router.add_delete("/api/v1/caches/{namespace}", for_login(_remove))


async def _list(_: web.Request, services: Services, caller: Caller) -> web.StreamResponse:
    found = await services.threads.call(services.caches.all, caller)
    limits = services.caches.limits()
    return json_answer({"caches": [_row(each, limits) for each in found]})


async def _create(request: web.Request, services: Services, caller: Caller) -> web.StreamResponse:
    document = await read_json(
        request,
        "namespace",
        "upstream",
        "username",
        "password",
        "is_private",
        "is_default",
        "fresh_s",
        "keep_days",
    )
    namespace, upstream = text_of(document, "namespace"), text_of(document, "upstream")
    username, password = text_of(document, "username", ""), text_of(document, "password", "")
    is_private = flag_of(document, "is_private", default=False)
    is_default = flag_of(document, "is_default", default=False)
    fresh_s, keep_days = (
        _whole(document, "fresh_s", FRESH_S),
        _whole(document, "keep_days", KEEP_DAYS),
    )
    made = await services.threads.call(
        lambda: services.caches.create(
            caller,
            namespace,
            upstream,
            username=username,
            password=password,
            is_private=is_private,
            is_default=is_default,
            fresh_s=fresh_s,
            keep_days=keep_days,
        )
    )
    note(request, "create cache", f"{namespace} of {made.upstream}", account=caller.name)
    return json_answer(_row(made, {}), HTTPStatus.CREATED)


async def _remove(request: web.Request, services: Services, caller: Caller) -> web.StreamResponse:
    gone = await services.threads.call(
        services.caches.remove, caller, request.match_info["namespace"]
    )
    return noted(request, caller, "remove cache", f"{gone.namespace} of {gone.upstream}")


def _whole(document: Document, field: str, default: int) -> int:
    value = document.get(field, default)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 31:
        raise Invalid(f"`{field}` must be a whole number")
    return value


def _row(cache: Cache, limits: dict[str, tuple[int | None, int | None]]) -> Document:
    limit, remaining = limits.get(cache.namespace, (None, None))
    return {
        "namespace": cache.namespace,
        "upstream": cache.upstream,
        "username": cache.username,
        "is_private": cache.is_private,
        "is_default": cache.is_default,
        "fresh_s": cache.fresh_s,
        "keep_days": cache.keep_s // _DAY_S,
        "created_at": moment(cache.created_at),
        "created_by": cache.created_by,
        "rate_limit": limit,
        "rate_remaining": remaining,
    }
