"""Organisations, their members and teams by JSON: `/api/v1/orgs`.

    GET    /api/v1/orgs                          {"organisations": [{"name", "owner", …}]}: one's own
    POST   /api/v1/orgs                          {"name"} gives 201
    GET    /api/v1/orgs/ORG                      with "members" and "teams" for who is in it
    PATCH  /api/v1/orgs/ORG                      {"summary"?, "members_role"?, "new_private"?} gives 204
    DELETE /api/v1/orgs/ORG                      204; 409 while it has repositories
    PUT    /api/v1/orgs/ORG/members/ACCOUNT      {"owner"?: true or false} gives 204
    DELETE /api/v1/orgs/ORG/members/ACCOUNT      204
    POST   /api/v1/orgs/ORG/teams                {"name"} gives 201
    GET    /api/v1/orgs/ORG/teams/TEAM           {"name", "members": [ACCOUNT], "roles": {REPOSITORY: ROLE}}
    DELETE /api/v1/orgs/ORG/teams/TEAM           204
    PUT    /api/v1/orgs/ORG/teams/TEAM/members/ACCOUNT       204
    DELETE /api/v1/orgs/ORG/teams/TEAM/members/ACCOUNT       204

All want a full login, as `/api/v1/tokens` does. Who is no owner gets 403 for what changes something.
"""

from http import HTTPStatus

from aiohttp import web

from lamina.hub.access import Caller
from lamina.hub.api.answers import flag_of, for_login, json_answer, noted, read_json, text_of
from lamina.hub.notes import note
from lamina.hub.roles import parse_role
from lamina.hub.services import Services
from lamina.hub.tables.organisations import Organisation
from lamina.hub.tables.roles import Role
from lamina.hub.words import moment
from lamina.spec.wire import Document

__all__ = ["add_organisations"]

_ONE = "/api/v1/orgs/{org}"
_MEMBER = f"{_ONE}/members/{{account}}"
_TEAM = f"{_ONE}/teams/{{team}}"
_IN_TEAM = f"{_TEAM}/members/{{account}}"


def add_organisations(app: web.Application) -> None:
    """Add the routes to the application."""
    router = app.router
    router.add_get("/api/v1/orgs", for_login(_list))
    router.add_post("/api/v1/orgs", for_login(_create))
    router.add_get(_ONE, for_login(_show))
    router.add_patch(_ONE, for_login(_change))
    router.add_delete(_ONE, for_login(_remove))
    router.add_put(_MEMBER, for_login(_set_member))
    router.add_delete(_MEMBER, for_login(_remove_member))
    router.add_post(f"{_ONE}/teams", for_login(_create_team))
    router.add_get(_TEAM, for_login(_show_team))
    router.add_delete(_TEAM, for_login(_remove_team))
    router.add_put(_IN_TEAM, for_login(_join_team))
    router.add_delete(_IN_TEAM, for_login(_leave_team))


async def _list(_: web.Request, services: Services, caller: Caller) -> web.StreamResponse:
    found = await services.threads.call(services.organisations.of, caller.name)
    rows = [{**_row(each), "owner": is_owner} for each, is_owner in found]
    return json_answer({"organisations": rows})


async def _create(request: web.Request, services: Services, caller: Caller) -> web.StreamResponse:
    name = text_of(await read_json(request, "name"), "name")
    made = await services.threads.call(services.organisations.create, caller, name)
    note(request, "create organisation", name, account=caller.name)
    return json_answer({**_row(made), "owner": True}, HTTPStatus.CREATED)


async def _show(request: web.Request, services: Services, caller: Caller) -> web.StreamResponse:
    found = await services.threads.call(
        services.organisations.view, caller, request.match_info["org"]
    )
    document = {**_row(found.organisation), "owner": found.is_owner}
    if found.is_member or found.is_owner:
        document["members"] = [
            {"name": each.name, "owner": each.is_owner, "since": moment(each.since)}
            for each in found.members
        ]
        document["teams"] = [{"name": each.name, "members": each.size} for each in found.teams]
    return json_answer(document)


async def _change(request: web.Request, services: Services, caller: Caller) -> web.StreamResponse:
    name = request.match_info["org"]
    document = await read_json(request, "summary", "members_role", "new_private")

    def work() -> None:
        now = services.organisations.view(caller, name).organisation
        role = text_of(document, "members_role", now.members_role.word)
        services.organisations.change(
            caller,
            name,
            summary=text_of(document, "summary", now.summary),
            members_role=parse_role(role, least=Role.NONE),
            new_private=flag_of(document, "new_private", default=now.new_private),
        )

    await services.threads.call(work)
    return noted(request, caller, "change organisation", name)


async def _remove(request: web.Request, services: Services, caller: Caller) -> web.StreamResponse:
    name = request.match_info["org"]
    await services.threads.call(services.organisations.remove, caller, name)
    return noted(request, caller, "delete organisation", name)


async def _set_member(
    request: web.Request, services: Services, caller: Caller
) -> web.StreamResponse:
    org, account = request.match_info["org"], request.match_info["account"]
    document = await read_json(request, "owner") if request.body_exists else {}
    is_owner = flag_of(document, "owner", default=False)
    await services.threads.call(
        lambda: services.organisations.set_member(caller, org, account, is_owner=is_owner)
    )
    action = "make owner" if is_owner else "make member"
    return noted(request, caller, action, f"{account} of {org}")


async def _remove_member(
    request: web.Request, services: Services, caller: Caller
) -> web.StreamResponse:
    org, account = request.match_info["org"], request.match_info["account"]
    await services.threads.call(services.organisations.remove_member, caller, org, account)
    return noted(request, caller, "remove member", f"{account} of {org}")


async def _create_team(
    request: web.Request, services: Services, caller: Caller
) -> web.StreamResponse:
    org, team = request.match_info["org"], text_of(await read_json(request, "name"), "name")
    await services.threads.call(services.organisations.create_team, caller, org, team)
    note(request, "create team", f"{team} of {org}", account=caller.name)
    return json_answer({"name": team, "members": 0}, HTTPStatus.CREATED)


async def _show_team(
    request: web.Request, services: Services, caller: Caller
) -> web.StreamResponse:
    found = await services.threads.call(
        services.organisations.team, caller, request.match_info["org"], request.match_info["team"]
    )
    return json_answer(
        {
            "name": found.team.name,
            "members": list(found.members),
            "roles": {name: role.word for name, role in found.roles},
        }
    )


async def _remove_team(
    request: web.Request, services: Services, caller: Caller
) -> web.StreamResponse:
    org, team = request.match_info["org"], request.match_info["team"]
    await services.threads.call(services.organisations.remove_team, caller, org, team)
    return noted(request, caller, "delete team", f"{team} of {org}")


async def _join_team(
    request: web.Request, services: Services, caller: Caller
) -> web.StreamResponse:
    org, team, account = (request.match_info[each] for each in ("org", "team", "account"))
    await services.threads.call(services.organisations.join_team, caller, org, team, account)
    return noted(request, caller, "join team", f"{account}: {team} of {org}")


async def _leave_team(
    request: web.Request, services: Services, caller: Caller
) -> web.StreamResponse:
    org, team, account = (request.match_info[each] for each in ("org", "team", "account"))
    await services.threads.call(services.organisations.leave_team, caller, org, team, account)
    return noted(request, caller, "leave team", f"{account}: {team} of {org}")


def _row(organisation: Organisation) -> Document:
    return {
        "name": organisation.name,
        "summary": organisation.summary,
        "members_role": organisation.members_role.word,
        "new_private": organisation.new_private,
        "created_at": moment(organisation.created_at),
    }
