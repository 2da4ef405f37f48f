"""The page of a repository's members: accounts and teams with a role of their own in it."""

from http import HTTPStatus

from aiohttp import web

from lamina.errors import Invalid, NotFound
from lamina.hub.database import Connection
from lamina.hub.errors import NameUnknown
from lamina.hub.names import namespace_of
from lamina.hub.notes import note
from lamina.hub.roles import administered, parse_role
from lamina.hub.site.render import go_to, render
from lamina.hub.site.sessions import Visit, read_form
from lamina.hub.tables import organisations, roles
from lamina.hub.tables.organisations import Organisation, Team
from lamina.hub.tables.repositories import Repository
from lamina.hub.tables.roles import Holder, Role
from lamina.hub.web import SERVICES

__all__ = ["change_roles", "roles_page"]

_TEAM = "team:"


async def roles_page(request: web.Request, visit: Visit, name: str) -> web.Response:
    """Show who was given a role, and the form to give one. Raises: what `administered` does."""
    return await _show(request, visit, name)


async def change_roles(request: web.Request, visit: Visit, name: str) -> web.Response:
    """Give an account or a team a role, or take it away."""
    services = request.app[SERVICES]
    form = await read_form(request, visit)
    who, word = form.get("who", "").strip().lower(), form.get("role", "")
    holder, is_team = who.removeprefix(_TEAM), who.startswith(_TEAM)
    caller = visit.caller
    await services.threads.call(
        services.database.read, lambda connection: administered(connection, caller, name)
    )
    verb = form.get("do", "")
    try:
        if verb == "give":
            role = parse_role(word)
            await services.threads.call(
                lambda: services.roles.give(caller, name, holder, role, is_team=is_team)
            )
        elif verb == "take":
            await services.threads.call(
                lambda: services.roles.take(caller, name, holder, is_team=is_team)
            )
        else:
            raise NameUnknown("there is no such page")
    except (NotFound, Invalid) as error:
        text = error.message[:1].upper() + error.message[1:]
        return await _show(request, visit, name, trouble=text, who=who, role=word)
    subject = f"{name} {who} {word}" if verb == "give" else f"{name} {who}"
    note(request, f"{verb} role", subject, account=caller.name)
    return go_to(f"/{name}/-/members")


async def _show(
    request: web.Request,
    visit: Visit,
    name: str,
    *,
    trouble: str = "",
    who: str = "",
    role: str = "read",
) -> web.Response:
    services = request.app[SERVICES]
    caller = visit.caller

    def work(
        connection: Connection,
    ) -> tuple[Repository, tuple[Holder, ...], Organisation | None, tuple[Team, ...]]:
        found = administered(connection, caller, name)
        owner = organisations.find(connection, namespace_of(name))
        teams = organisations.teams(connection, owner) if owner else ()
        return found, roles.of_repository(connection, found.id), owner, teams

    found, held, owner, teams = await services.threads.call(services.database.read, work)
    values = {
        "of": name, "repository": found, "holders": held, "organisation": owner, "teams": teams,
        "every": [each for each in Role if each is not Role.NONE], "trouble": trouble, "who": who,
        "role": role,
    }  # fmt: skip
    status = HTTPStatus.BAD_REQUEST if trouble else HTTPStatus.OK
    return render(request, visit, "roles.html", values, status=status)
