"""Pages of an organisation's members and teams."""

from http import HTTPStatus

from aiohttp import web

from lamina.errors import AlreadyExists, InUse, Invalid, NotFound
from lamina.hub.errors import LoginRequired, NameUnknown, NotYours
from lamina.hub.notes import note
from lamina.hub.organisations import View
from lamina.hub.site.render import go_to, render
from lamina.hub.site.sessions import Visit, read_form
from lamina.hub.web import SERVICES

__all__ = [
    "change_members",
    "change_team",
    "create_team",
    "members_page",
    "team_page",
    "teams_page",
]

_MISTAKES = (NotFound, Invalid, InUse, AlreadyExists)
"""What a person can mend on the page they are on."""


async def _seen(request: web.Request, visit: Visit, name: str) -> View:
    """Give an organisation to a member. Raises: LoginRequired, OrganisationUnknown, NotYours."""
    services = request.app[SERVICES]
    if not visit.caller.name:
        raise LoginRequired("sign in first")
    found = await services.threads.call(services.organisations.view, visit.caller, name)
    if not found.is_member and not found.is_owner:
        raise NotYours(f"only members of {name} may see this")
    return found


async def members_page(request: web.Request, visit: Visit, name: str) -> web.Response:
    """Show who is in an organisation to those who are."""
    return await _members(request, visit, name, trouble="")


async def change_members(request: web.Request, visit: Visit, name: str) -> web.Response:
    """Take an account in, make it an owner or a plain member, or let it go."""
    services = request.app[SERVICES]
    form = await read_form(request, visit)
    await _seen(request, visit, name)
    verb, account = form.get("do", ""), form.get("account", "").strip().lower()
    known, caller = services.organisations, visit.caller
    is_owner = verb == "owner"
    try:
        if verb == "remove":
            await services.threads.call(known.remove_member, caller, name, account)
        elif verb in ("member", "owner"):
            await services.threads.call(
                lambda: known.set_member(caller, name, account, is_owner=is_owner)
            )
        else:
            raise NameUnknown("there is no such page")
    except _MISTAKES as error:
        return await _members(request, visit, name, trouble=_said(error), account=account)
    action = "remove member" if verb == "remove" else f"make {verb}"
    note(request, action, f"{account} of {name}", account=caller.name)
    if account == caller.name and verb == "remove":
        return go_to(f"/{name}")
    return go_to(f"/{name}/-/members")


async def _members(
    request: web.Request, visit: Visit, name: str, *, trouble: str, account: str = ""
) -> web.Response:
    found = await _seen(request, visit, name)
    values = {**_area(found), "found": found, "trouble": trouble, "account": account}
    status = HTTPStatus.BAD_REQUEST if trouble else HTTPStatus.OK
    return render(request, visit, "members.html", values, status=status)


async def teams_page(request: web.Request, visit: Visit, name: str) -> web.Response:
    """Show the teams of an organisation to its members."""
    return await _teams(request, visit, name, trouble="")


async def create_team(request: web.Request, visit: Visit, name: str) -> web.Response:
    """Make a team."""
    services = request.app[SERVICES]
    form = await read_form(request, visit)
    await _seen(request, visit, name)
    team = form.get("team", "").strip()
    try:
        await services.threads.call(services.organisations.create_team, visit.caller, name, team)
    except _MISTAKES as error:
        return await _teams(request, visit, name, trouble=_said(error), team=team)
    note(request, "create team", f"{team} of {name}", account=visit.caller.name)
    return go_to(f"/{name}/-/teams/{team}")


async def _teams(
    request: web.Request, visit: Visit, name: str, *, trouble: str, team: str = ""
) -> web.Response:
    found = await _seen(request, visit, name)
    values = {**_area(found), "found": found, "trouble": trouble, "team": team}
    status = HTTPStatus.BAD_REQUEST if trouble else HTTPStatus.OK
    return render(request, visit, "teams.html", values, status=status)


async def team_page(request: web.Request, visit: Visit, name: str, team: str) -> web.Response:
    """Show a team: who is in it, and what it may do where."""
    return await _team(request, visit, name, team, trouble="")


async def change_team(request: web.Request, visit: Visit, name: str, team: str) -> web.Response:
    """Put a member into a team or take them out, or delete the team."""
    services = request.app[SERVICES]
    form = await read_form(request, visit)
    await _seen(request, visit, name)
    verb, account = form.get("do", ""), form.get("account", "").strip().lower()
    known, caller = services.organisations, visit.caller
    try:
        if verb == "delete":
            await services.threads.call(known.remove_team, caller, name, team)
        elif verb in ("join", "leave"):
            change = known.join_team if verb == "join" else known.leave_team
            await services.threads.call(change, caller, name, team, account)
        else:
            raise NameUnknown("there is no such page")
    except _MISTAKES as error:
        return await _team(request, visit, name, team, trouble=_said(error))
    subject = f"{team} of {name}" if verb == "delete" else f"{account}: {team} of {name}"
    note(request, f"{verb} team", subject, account=caller.name)
    return go_to(f"/{name}/-/teams" if verb == "delete" else f"/{name}/-/teams/{team}")


async def _team(
    request: web.Request, visit: Visit, name: str, team: str, *, trouble: str
) -> web.Response:
    services = request.app[SERVICES]
    found = await _seen(request, visit, name)
    shown = await services.threads.call(services.organisations.team, visit.caller, name, team)
    others = [each.name for each in found.members if each.name not in shown.members]
    values = {
        **_area(found), "found": found, "shown": shown, "others": others, "trouble": trouble,
    }  # fmt: skip
    status = HTTPStatus.BAD_REQUEST if trouble else HTTPStatus.OK
    return render(request, visit, "team.html", values, status=status)


def _area(found: View) -> dict[str, object]:
    """Give which menu stands above: of all settings to owners, of these pages to members."""
    area = "namespace" if found.is_owner else "membership"
    return {"area": area, "of": found.organisation.name}


def _said(error: NotFound | Invalid | InUse | AlreadyExists) -> str:
    text = error.message[:1].upper() + error.message[1:]
    return f"{text}: {error.hint}" if error.hint else text
