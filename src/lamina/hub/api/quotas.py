"""Quotas by JSON.

    GET    /api/v1/quotas                  {"quotas": [{"target", "size", "used", "own"}]}, for admins
    GET    /api/v1/quotas/of?target=T      {"target", "used", "size", "own", "repositories": […]}
    PUT    /api/v1/quotas/of?target=T      {"size": BYTES}, for admins; `hub`: each namespace without one
    DELETE /api/v1/quotas/of?target=T      204, for admins

Wants a full login; who may change everything in a target sees what it has.
"""

from http import HTTPStatus

from aiohttp import web

from lamina.errors import Invalid
from lamina.hub.access import Caller
from lamina.hub.api.answers import answered, full_login, json_answer, read_json
from lamina.hub.names import HUB
from lamina.hub.notes import note
from lamina.hub.targets import check_target, require_owner
from lamina.hub.web import SERVICES

__all__ = ["add_quotas"]

_ONE = "/api/v1/quotas/of"


def add_quotas(app: web.Application) -> None:
    """Add the routes to the application."""
    router = app.router
    router.add_get("/api/v1/quotas", answered(_list))
    router.add_get(_ONE, answered(_show))
    router.add_put(_ONE, answered(_set))
    router.add_delete(_ONE, answered(_remove))


async def _owner(request: web.Request, target: str) -> Caller:
    """Give who asks, if they may change everything in `target`."""
    services = request.app[SERVICES]
    caller = await full_login(request)
    await services.threads.call(
        services.database.read, lambda connection: require_owner(connection, caller, target)
    )
    return caller


async def _list(request: web.Request) -> web.StreamResponse:
    services = request.app[SERVICES]
    await _owner(request, HUB)
    found = await services.threads.call(services.quotas.all)
    rows = [
        {"target": each.target, "size": each.size, "used": each.used, "own": each.is_own}
        for each in found
    ]
    return json_answer({"quotas": rows})


async def _show(request: web.Request) -> web.StreamResponse:
    services = request.app[SERVICES]
    target = check_target(request.query.get("target", ""))
    await _owner(request, target)
    found = await services.threads.call(services.quotas.usage, target)
    return json_answer(
        {
            "target": found.target,
            "used": found.used,
            "size": found.size,
            "own": found.is_own,
            "repositories": [{"name": name, "used": used} for name, used in found.repositories],
        }
    )


async def _set(request: web.Request) -> web.StreamResponse:
    services = request.app[SERVICES]
    target = check_target(request.query.get("target", ""))
    caller = await _owner(request, HUB)
    size = (await read_json(request, "size")).get("size")
    if not isinstance(size, int) or isinstance(size, bool):
        raise Invalid("`size` must be a whole number of bytes")
    await services.threads.call(services.quotas.set, target, size)
    note(request, "set quota", f"{target} ({size})", account=caller.name)
    return json_answer({"target": target, "size": size})


async def _remove(request: web.Request) -> web.StreamResponse:
    services = request.app[SERVICES]
    target = check_target(request.query.get("target", ""))
    caller = await _owner(request, HUB)
    await services.threads.call(services.quotas.remove, target)
    note(request, "remove quota", target, account=caller.name)
    return web.Response(status=HTTPStatus.NO_CONTENT)
