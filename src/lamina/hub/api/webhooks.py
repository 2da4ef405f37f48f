"""Webhooks by JSON: `/api/v1/webhooks`.

GET    /api/v1/webhooks?scope=alice/app      {"webhooks": [{"id", "scope", "url", "events", …}]}
POST   /api/v1/webhooks                      {"scope", "url", "events", "secret"?} gives 201, "secret"
GET    /api/v1/webhooks/ID                   the webhook with its "deliveries", the newest first
PATCH  /api/v1/webhooks/ID                   {"is_active": true or false}
DELETE /api/v1/webhooks/ID                   204
POST   /api/v1/webhooks/ID/test              202
POST   /api/v1/webhooks/ID/deliveries/DELIVERY   202: sends it once more
"""

from http import HTTPStatus

from aiohttp import web

from lamina.hub.access import Caller
from lamina.hub.api.answers import flag_of, for_login, json_answer, noted, read_json, text_of, texts
from lamina.hub.notes import note
from lamina.hub.services import Services
from lamina.hub.tables.webhooks import Delivery, Webhook
from lamina.hub.words import moment
from lamina.spec.wire import Document

__all__ = ["add_webhooks"]


def add_webhooks(app: web.Application) -> None:
    """Add the routes to the application."""
    router = app.router
    router.add_get("/api/v1/webhooks", for_login(_list))
    router.add_post("/api/v1/webhooks", for_login(_create))
    router.add_get("/api/v1/webhooks/{id}", for_login(_show))
    router.add_patch("/api/v1/webhooks/{id}", for_login(_change))
    router.add_delete("/api/v1/webhooks/{id}", for_login(_remove))
    router.add_post("/api/v1/webhooks/{id}/test", for_login(_test))
    router.add_post("/api/v1/webhooks/{id}/deliveries/{delivery}", for_login(_redeliver))


async def _list(request: web.Request, services: Services, caller: Caller) -> web.StreamResponse:
    scope = request.query.get("scope", caller.name)
    found = await services.threads.call(services.webhooks.of, caller, scope)
    return json_answer({"webhooks": [_row(each) for each in found]})


async def _create(request: web.Request, services: Services, caller: Caller) -> web.StreamResponse:
    document = await read_json(request, "scope", "url", "events", "secret")
    scope, url = text_of(document, "scope"), text_of(document, "url")
    secret = text_of(document, "secret", "")
    events = texts(document, "events")
    made = await services.threads.call(
        lambda: services.webhooks.create(caller, scope, url=url, events=events, secret=secret)
    )
    note(request, "create webhook", f"{scope} {made.id}", account=caller.name)
    return json_answer({**_row(made), "secret": made.secret}, HTTPStatus.CREATED)


async def _show(request: web.Request, services: Services, caller: Caller) -> web.StreamResponse:
    found, log = await services.threads.call(
        services.webhooks.get, caller, request.match_info["id"]
    )
    return json_answer({**_row(found), "deliveries": [_delivery(each) for each in log]})


async def _change(request: web.Request, services: Services, caller: Caller) -> web.StreamResponse:
    is_active = flag_of(await read_json(request, "is_active"), "is_active", default=True)
    webhook_id = request.match_info["id"]
    found = await services.threads.call(
        lambda: services.webhooks.set_active(caller, webhook_id, is_active=is_active)
    )
    verb = "wake" if is_active else "rest"
    return noted(request, caller, f"{verb} webhook", f"{found.scope} {found.id}")


async def _remove(request: web.Request, services: Services, caller: Caller) -> web.StreamResponse:
    found = await services.threads.call(services.webhooks.remove, caller, request.match_info["id"])
    return noted(request, caller, "delete webhook", f"{found.scope} {found.id}")


async def _test(request: web.Request, services: Services, caller: Caller) -> web.StreamResponse:
    await services.threads.call(services.webhooks.test, caller, request.match_info["id"])
    return web.Response(status=HTTPStatus.ACCEPTED)


async def _redeliver(
    request: web.Request, services: Services, caller: Caller
) -> web.StreamResponse:
    found = request.match_info
    await services.threads.call(services.webhooks.redeliver, caller, found["id"], found["delivery"])
    return web.Response(status=HTTPStatus.ACCEPTED)


def _row(hook: Webhook) -> Document:
    return {
        "id": hook.id,
        "scope": hook.scope,
        "url": hook.url,
        "events": list(hook.events),
        "is_active": hook.is_active,
        "created_at": moment(hook.created_at),
        "created_by": hook.created_by,
    }


def _delivery(row: Delivery) -> Document:
    return {
        "id": row.id,
        "event_id": row.event_id,
        "event": row.event,
        "subject": row.subject,
        "made_at": moment(row.made_at),
        "next_at": None if row.next_at is None else moment(row.next_at),
        "attempts": row.attempts,
        "state": row.state,
        "status": row.status or None,
        "request": row.asked,
        "body": row.body.decode(),
        "answer": row.answered,
        "took_s": round(row.took_s, 3),
    }
