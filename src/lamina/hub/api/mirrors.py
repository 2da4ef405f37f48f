"""Mirroring rules by JSON, for admins: `/api/v1/mirrors`.

GET    /api/v1/mirrors          {"mirrors": [{"id", "target", "source", "tags", …, "last_run"}]}
POST   /api/v1/mirrors          {"target", "source", "tags"?, "every_hours"?, "deletes"?, "username"?,
"password"?} gives 201
GET    /api/v1/mirrors/ID       the rule with its "runs" and their logs, the newest first
POST   /api/v1/mirrors/ID/run   202: it runs within seconds
DELETE /api/v1/mirrors/ID       204; what was copied stays
"""

from http import HTTPStatus

from aiohttp import web

from lamina.errors import Invalid
from lamina.hub.access import Caller
from lamina.hub.api.answers import flag_of, for_login, json_answer, noted, read_json, text_of, texts
from lamina.hub.mirrors import EVERY_HOURS
from lamina.hub.notes import note
from lamina.hub.services import Services
from lamina.hub.tables.mirrors import Mirror, Run
from lamina.hub.words import moment
from lamina.spec.wire import Document

__all__ = ["add_mirrors"]

_HOUR_S = 3600


def add_mirrors(app: web.Application) -> None:
    """Add the routes to the application."""
    app.router.add_get("/api/v1/mirrors", for_login(_list))
    app.router.add_post("/api/v1/mirrors", for_login(_create))
    app.router.add_get("/api/v1/mirrors/{id}", for_login(_show))
    app.router.add_post("/api/v1/mirrors/{id}/run", for_login(_run))
    app.router.add_delete("/api/v1/mirrors/{id}", for_login(_remove))


async def _list(_: web.Request, services: Services, caller: Caller) -> web.StreamResponse:
    found = await services.threads.call(services.mirrors.all, caller)
    rows = [
        {**_row(each), "last_run": None if run is None else _run_row(run)} for each, run in found
    ]
    return json_answer({"mirrors": rows})


async def _create(request: web.Request, services: Services, caller: Caller) -> web.StreamResponse:
    document = await read_json(
        request, "target", "source", "tags", "every_hours", "deletes", "username", "password"
    )
    target, source = text_of(document, "target"), text_of(document, "source")
    username, password = text_of(document, "username", ""), text_of(document, "password", "")
    tags, deletes = texts(document, "tags"), flag_of(document, "deletes", default=False)
    hours = document.get("every_hours", EVERY_HOURS)
    if not isinstance(hours, int) or isinstance(hours, bool):
        raise Invalid("`every_hours` must be a whole number")
    made = await services.threads.call(
        lambda: services.mirrors.create(
            caller,
            target,
            source,
            tags=tags or ("*",),
            every_hours=hours,
            deletes=deletes,
            username=username,
            password=password,
        )
    )
    note(request, "create mirror", f"{made.target} of {made.source}", account=caller.name)
    return json_answer(_row(made), HTTPStatus.CREATED)


async def _show(request: web.Request, services: Services, caller: Caller) -> web.StreamResponse:
    found, runs = await services.threads.call(
        services.mirrors.get, caller, request.match_info["id"]
    )
    return json_answer(
        {**_row(found), "runs": [{**_run_row(each), "log": each.log} for each in runs]}
    )


async def _run(request: web.Request, services: Services, caller: Caller) -> web.StreamResponse:
    found = await services.threads.call(services.mirrors.run_now, caller, request.match_info["id"])
    note(request, "run mirror", f"{found.target} of {found.source}", account=caller.name)
    return web.Response(status=HTTPStatus.ACCEPTED)


async def _remove(request: web.Request, services: Services, caller: Caller) -> web.StreamResponse:
    found = await services.threads.call(services.mirrors.remove, caller, request.match_info["id"])
    return noted(request, caller, "remove mirror", f"{found.target} of {found.source}")


def _row(rule: Mirror) -> Document:
    return {
        "id": rule.id,
        "target": rule.target,
        "source": rule.source,
        "tags": list(rule.tags),
        "every_hours": rule.every_s // _HOUR_S,
        "deletes": rule.deletes,
        "username": rule.username,
        "next_at": moment(rule.next_at),
        "created_at": moment(rule.created_at),
        "created_by": rule.created_by,
    }


def _run_row(run: Run) -> Document:
    return {
        "id": run.id,
        "state": run.state,
        "began_at": moment(run.began_at),
        "ended_at": None if run.ended_at is None else moment(run.ended_at),
        "copied": run.copied,
        "same": run.same,
        "removed": run.removed,
        "failed": run.failed,
        "size": run.size,
    }
