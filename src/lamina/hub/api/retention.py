"""Retention rules by JSON.

    GET    /api/v1/retention                 {"rules": […]}, for the hub's admins
    GET    /api/v1/retention/rule?target=T   the rule of a repository, a namespace, or `hub`
    PUT    /api/v1/retention/rule?target=T   {"keep_newest"?, "pushed_within_days"?, "untagged_days"?,
                                             "pulled_within_days"?, "keep"?: […], "only"?: […]}
    DELETE /api/v1/retention/rule?target=T   204
    GET    /api/v1/retention/plan?target=T   {"going": […], "staying": N}: a dry run
    POST   /api/v1/retention/plan?target=T   the same as if the rule in the body were T's

Wants a full login, of someone who may change everything in the target.
"""

from http import HTTPStatus

from aiohttp import web

from lamina.hub.access import Caller
from lamina.hub.api.answers import answered, full_login, json_answer, read_json
from lamina.hub.names import HUB
from lamina.hub.notes import note
from lamina.hub.retention_documents import rule_document, rule_from, verdict_document
from lamina.hub.retention_rules import Rule
from lamina.hub.targets import check_target, require_owner
from lamina.hub.web import SERVICES
from lamina.spec.wire import Document

__all__ = ["add_retention"]

_RULE, _PLAN = "/api/v1/retention/rule", "/api/v1/retention/plan"


def add_retention(app: web.Application) -> None:
    """Add the routes to the application."""
    router = app.router
    router.add_get("/api/v1/retention", answered(_list))
    router.add_get(_RULE, answered(_show))
    router.add_put(_RULE, answered(_set))
    router.add_delete(_RULE, answered(_remove))
    router.add_get(_PLAN, answered(_plan))
    router.add_post(_PLAN, answered(_try))


async def _wanted(request: web.Request, target: str = "") -> tuple[Caller, str]:
    """Give who asks and the target, which is theirs to change."""
    services = request.app[SERVICES]
    caller = await full_login(request)
    target = check_target(target or request.query.get("target", ""))
    await services.threads.call(
        services.database.read, lambda connection: require_owner(connection, caller, target)
    )
    return caller, target


async def _list(request: web.Request) -> web.StreamResponse:
    services = request.app[SERVICES]
    await _wanted(request, HUB)
    rules = await services.threads.call(services.retention.rules)
    return json_answer({"rules": [rule_document(each) for each in rules]})


async def _show(request: web.Request) -> web.StreamResponse:
    services = request.app[SERVICES]
    _, target = await _wanted(request)
    return json_answer(rule_document(await services.threads.call(services.retention.rule, target)))


async def _set(request: web.Request) -> web.StreamResponse:
    services = request.app[SERVICES]
    caller, target = await _wanted(request)
    rule = rule_from(target, await read_json(request))
    made = await services.threads.call(lambda: services.retention.set(rule, by=caller.name))
    note(request, "set retention", f"{target} ({made.words})", account=caller.name)
    return json_answer(rule_document(made))


async def _remove(request: web.Request) -> web.StreamResponse:
    services = request.app[SERVICES]
    caller, target = await _wanted(request)
    await services.threads.call(services.retention.remove, target)
    note(request, "remove retention", target, account=caller.name)
    return web.Response(status=HTTPStatus.NO_CONTENT)


async def _plan(request: web.Request) -> web.StreamResponse:
    _, target = await _wanted(request)
    return await _planned(request, target, None)


async def _try(request: web.Request) -> web.StreamResponse:
    _, target = await _wanted(request)
    return await _planned(request, target, rule_from(target, await read_json(request)))


async def _planned(request: web.Request, target: str, draft: Rule | None) -> web.StreamResponse:
    services = request.app[SERVICES]

    def work() -> Document:
        going, staying = [], 0
        for verdict in services.retention.plan(target, draft=draft):
            if verdict.goes:
                going.append(verdict_document(verdict))
            else:
                staying += 1
        return {"going": going, "staying": staying}

    return json_answer(await services.threads.call(work))
