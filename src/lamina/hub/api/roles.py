"""Roles in a repository by JSON: `/api/v1/repositories/NAME/roles`.

    GET    …/roles                     {"roles": [{"account" or "team", "role"}]}
    PUT    …/roles/accounts/ACCOUNT    {"role": "read", "write" or "admin"} gives 204
    PUT    …/roles/teams/TEAM          the same, for a team of the repository's organisation
    DELETE …/roles/accounts/ACCOUNT    204; everyone may give back their own
    DELETE …/roles/teams/TEAM          204

Wants a full login and the admin role. What the caller may not see is 404, as if it were not there.
"""

from aiohttp import web

from lamina.hub.access import Caller
from lamina.hub.api.answers import for_login, json_answer, noted, read_json, text_of
from lamina.hub.roles import parse_role
from lamina.hub.services import Services

__all__ = ["add_roles"]

_ALL = "/api/v1/repositories/{name:.+}/roles"
_ONE = f"{_ALL}/{{kind:accounts|teams}}/{{holder}}"


def add_roles(app: web.Application) -> None:
    """Add the routes to the application."""
    app.router.add_get(_ALL, for_login(_list))
    app.router.add_put(_ONE, for_login(_give))
    app.router.add_delete(_ONE, for_login(_take))


async def _list(request: web.Request, services: Services, caller: Caller) -> web.StreamResponse:
    found = await services.threads.call(services.roles.of, caller, request.match_info["name"])
    rows = [
        {"team" if each.is_team else "account": each.name, "role": each.role.word} for each in found
    ]
    return json_answer({"roles": rows})


async def _give(request: web.Request, services: Services, caller: Caller) -> web.StreamResponse:
    role = parse_role(text_of(await read_json(request, "role"), "role"))
    name, holder, is_team = _wanted(request)
    await services.threads.call(
        lambda: services.roles.give(caller, name, holder, role, is_team=is_team)
    )
    return noted(request, caller, "give role", _subject(name, holder, role.word, is_team))


async def _take(request: web.Request, services: Services, caller: Caller) -> web.StreamResponse:
    name, holder, is_team = _wanted(request)
    await services.threads.call(lambda: services.roles.take(caller, name, holder, is_team=is_team))
    return noted(request, caller, "take role", _subject(name, holder, "", is_team))


def _wanted(request: web.Request) -> tuple[str, str, bool]:
    found = request.match_info
    return found["name"], found["holder"], found["kind"] == "teams"


def _subject(name: str, holder: str, role: str, is_team: bool) -> str:
    return " ".join(each for each in (name, f"team:{holder}" if is_team else holder, role) if each)
