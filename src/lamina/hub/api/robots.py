"""Robots of a namespace by JSON: `/api/v1/namespaces/NAMESPACE/robots`.

    GET    …/robots              {"robots": [{"name", "login", "targets", "actions", "created_by", …}]}
    POST   …/robots              {"name", "actions", "targets"?, "expires_in_days"?} gives 201, "token"
    POST   …/robots/NAME/renew   {"expires_in_days"?} gives 200, "token"; the old one ends at once
    DELETE …/robots/NAME         204

The namespace is one's own or one's organisation's. Wants a full login.
"""

from http import HTTPStatus

from aiohttp import web

from lamina.hub.access import Caller
from lamina.hub.api.answers import days_of, for_login, json_answer, noted, read_json, text_of, texts
from lamina.hub.notes import note
from lamina.hub.services import Services
from lamina.hub.tables.robots import Robot
from lamina.hub.words import moment
from lamina.spec.wire import Document

__all__ = ["add_robots"]

_ALL = "/api/v1/namespaces/{namespace}/robots"


def add_robots(app: web.Application) -> None:
    """Add the routes to the application."""
    app.router.add_get(_ALL, for_login(_list))
    app.router.add_post(_ALL, for_login(_create))
    app.router.add_post(f"{_ALL}/{{name}}/renew", for_login(_renew))
    app.router.add_delete(f"{_ALL}/{{name}}", for_login(_revoke))


async def _list(request: web.Request, services: Services, caller: Caller) -> web.StreamResponse:
    found = await services.threads.call(services.robots.of, caller, request.match_info["namespace"])
    return json_answer({"robots": [_row(each) for each in found]})


async def _create(request: web.Request, services: Services, caller: Caller) -> web.StreamResponse:
    namespace = request.match_info["namespace"]
    document = await read_json(request, "name", "actions", "targets", "expires_in_days")
    name, days = text_of(document, "name"), days_of(document)
    actions, targets = texts(document, "actions"), texts(document, "targets")

    def work() -> tuple[str, Robot]:
        return services.robots.create(
            caller, namespace, name, actions=actions, targets=targets, expires_in_days=days
        )

    token, made = await services.threads.call(work)
    note(request, "create robot", made.login, account=caller.name)
    return json_answer({**_row(made), "token": token}, HTTPStatus.CREATED)


async def _renew(request: web.Request, services: Services, caller: Caller) -> web.StreamResponse:
    namespace, name = request.match_info["namespace"], request.match_info["name"]
    days = days_of(await read_json(request, "expires_in_days"))
    token, made = await services.threads.call(
        lambda: services.robots.renew(caller, namespace, name, expires_in_days=days)
    )
    note(request, "renew robot", made.login, account=caller.name)
    return json_answer({**_row(made), "token": token})


async def _revoke(request: web.Request, services: Services, caller: Caller) -> web.StreamResponse:
    namespace, name = request.match_info["namespace"], request.match_info["name"]
    gone = await services.threads.call(services.robots.revoke, caller, namespace, name)
    return noted(request, caller, "revoke robot", gone.login)


def _row(robot: Robot) -> Document:
    return {
        "name": robot.name,
        "login": robot.login,
        "targets": list(robot.targets),
        "actions": list(robot.actions),
        "created_by": robot.created_by,
        "created_at": moment(robot.created_at),
        "expires_at": None if robot.expires_at is None else moment(robot.expires_at),
        "used_at": None if robot.used_at is None else moment(robot.used_at),
        "used_from": robot.used_from,
    }
