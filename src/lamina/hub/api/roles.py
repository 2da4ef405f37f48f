"""Roles in a repository by JSON: `/api/v1/repositories/NAME/roles`.

    GET    …/roles                     {"roles": [{"account" or "team", "role"}]}
    PUT    …/roles/accounts/ACCOUNT    {"role": "read", "write" or "admin"} gives 204
    PUT    …/roles/teams/TEAM          the same, for a team of the repository's organisation
    DELETE …/roles/accounts/ACCOUNT    204; everyone may give back their own
    DELETE …/roles/teams/TEAM          204

Wants a full login and the admin role. What the caller may not see is 404, as if it were not there.
"""

from http import HTTPStatus

from aiohttp import web

from lamina.hub.api.answers import answered, full_login, json_answer, read_json, text_of
from lamina.hub.notes import note
from lamina.hub.roles import parse_role
from lamina.hub.web import SERVICES

__all__ = ["add_roles"]

_ALL = "/api/v1/repositories/{name:.+}/roles"
_ONE = f"{_ALL}/{{kind:accounts|teams}}/{{holder}}"


def add_roles(app: web.Application) -> None:
    """Add the routes to the application."""
    app.router.add_get(_ALL, answered(_list))
    app.router.add_put(_ONE, answered(_give))
    app.router.add_delete(_ONE, answered(_take))


async def _list(request: web.Request) -> web.StreamResponse:
    services = request.app[SERVICES]
    caller = await full_login(request)
    found = await services.threads.call(services.roles.of, caller, request.match_info["name"])
    rows = [
        {"team" if each.is_team else "account": each.name, "role": each.role.word} for each in found
    ]
    return json_answer({"roles": rows})


async def _give(request: web.Request) -> web.StreamResponse:
    services = request.app[SERVICES]
    caller = await full_login(request)
    role = parse_role(text_of(await read_json(request, "role"), "role"))
    name, holder, is_team = _wanted(request)
    await services.threads.call(
        lambda: services.roles.give(caller, name, holder, role, is_team=is_team)
    )
    note(request, "give role", _subject(name, holder, role.word, is_team), account=caller.name)
    return web.Response(status=HTTPStatus.NO_CONTENT)


async def _take(request: web.Request) -> web.StreamResponse:
    services = request.app[SERVICES]
    caller = await full_login(request)
    name, holder, is_team = _wanted(request)
    await services.threads.call(lambda: services.roles.take(caller, name, holder, is_team=is_team))
    note(request, "take role", _subject(name, holder, "", is_team), account=caller.name)
    return web.Response(status=HTTPStatus.NO_CONTENT)


def _wanted(request: web.Request) -> tuple[str, str, bool]:
    found = request.match_info
    return found["name"], found["holder"], found["kind"] == "teams"


def _subject(name: str, holder: str, role: str, is_team: bool) -> str:
    return " ".join(each for each in (name, f"team:{holder}" if is_team else holder, role) if each)
