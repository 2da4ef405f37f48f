"""An organisation's page and settings, and the form to make one."""

from collections.abc import Mapping
from http import HTTPStatus

from aiohttp import web

from lamina.hub.database import Connection
from lamina.hub.errors import FormInvalid, LoginRequired, NameTaken, NotEmpty, NotYours
from lamina.hub.notes import note
from lamina.hub.organisations import View
from lamina.hub.roles import parse_role
from lamina.hub.site.gate import for_admins
from lamina.hub.site.lists import page_number
from lamina.hub.site.render import go_to, render
from lamina.hub.site.sessions import Visit, read_form
from lamina.hub.tables import organisations, repositories
from lamina.hub.tables.accounts import Account
from lamina.hub.tables.organisations import Organisation
from lamina.hub.tables.repositories import Listed
from lamina.hub.tables.roles import Role
from lamina.hub.web import SERVICES

__all__ = [
    "admin_page",
    "create",
    "delete",
    "new_page",
    "organisation",
    "own_page",
    "owned",
    "settings",
    "settings_page",
]

_PAGE, _ADMIN_PAGE = 30, 50
_WORD_LIMIT = 100
_NEW = "/orgs/new"


async def own_page(request: web.Request, visit: Visit) -> web.Response:
    """Show the organisations one is in."""
    if visit.account is None:
        return go_to("/signin?next=/settings/organisations")
    services = request.app[SERVICES]
    found = await services.threads.call(services.organisations.of, visit.account.name)
    return render(request, visit, "organisations.html", {"rows": found})


async def new_page(request: web.Request, visit: Visit) -> web.Response:
    """Show the form for a new organisation."""
    if visit.account is None:
        return go_to(f"/signin?next={_NEW}")
    return render(request, visit, "new_organisation.html", {"name": "", "fields": {}})


async def create(request: web.Request, visit: Visit) -> web.Response:
    """Make an organisation of the visitor's; what is wrong is said beside the field."""
    if visit.account is None:
        return go_to(f"/signin?next={_NEW}")
    services = request.app[SERVICES]
    form = await read_form(request, visit)
    name = form.get("name", "").strip()
    try:
        await services.threads.call(services.organisations.create, visit.caller, name)
    except FormInvalid as error:
        fields, status = error.fields, HTTPStatus.BAD_REQUEST
    except NameTaken:
        fields = {"name": f"The name {name!r} is taken; choose another"}
        status = HTTPStatus.CONFLICT
    else:
        note(request, "create organisation", name, account=visit.caller.name)
        return go_to(f"/{name}/-/members")
    values = {"name": name, "fields": fields}
    return render(request, visit, "new_organisation.html", values, status=status)


@for_admins
async def admin_page(request: web.Request, visit: Visit, account: Account) -> web.Response:  # noqa: ARG001 - a page's form
    """List every organisation, those with the words looked for."""
    services = request.app[SERVICES]
    words = request.query.get("q", "").strip().replace("\0", "")[:_WORD_LIMIT]
    number = page_number(request)

    def work(connection: Connection) -> tuple[tuple[Organisation, int, int], ...]:
        return organisations.search(
            connection, words, limit=_ADMIN_PAGE + 1, offset=(number - 1) * _ADMIN_PAGE
        )

    rows = await services.threads.call(services.database.read, work)
    values = {
        "rows": rows[:_ADMIN_PAGE], "words": words, "page": number,
        "has_next": len(rows) > _ADMIN_PAGE,
    }  # fmt: skip
    return render(request, visit, "admin_organisations.html", values)


async def organisation(request: web.Request, visit: Visit, name: str) -> web.Response | None:
    """Show an organisation with what the visitor may see of it; None if there is none of that name."""
    services = request.app[SERVICES]
    caller, number = visit.caller, page_number(request)

    def work(connection: Connection) -> tuple[Listed, ...] | None:
        if organisations.find(connection, name) is None:
            return None
        return repositories.of_namespace(
            connection,
            name,
            reader=caller.as_reader,
            limit=_PAGE + 1,
            offset=(number - 1) * _PAGE,
        )

    rows = await services.threads.call(services.database.read, work)
    if rows is None:
        return None
    found = await services.threads.call(services.organisations.view, caller, name)
    values = {
        "found": found, "name": name, "rows": rows[:_PAGE], "page": number,
        "has_next": len(rows) > _PAGE,
    }  # fmt: skip
    return render(request, visit, "organisation.html", values)


async def owned(request: web.Request, visit: Visit, name: str) -> View:
    """Give an organisation to one of its owners. Raises: LoginRequired, OrganisationUnknown, NotYours."""
    services = request.app[SERVICES]
    if not visit.caller.name:
        raise LoginRequired("sign in first")
    found = await services.threads.call(services.organisations.view, visit.caller, name)
    if not found.is_owner:
        raise NotYours(f"only owners of {name} may do this")
    return found


async def settings_page(request: web.Request, visit: Visit, name: str) -> web.Response:
    """Show what may be set of an organisation; one's own namespace has its settings elsewhere."""
    if visit.account is not None and visit.account.name == name:
        return go_to("/settings")
    found = await owned(request, visit, name)
    return _settings(request, visit, found, {})


async def settings(request: web.Request, visit: Visit, name: str) -> web.Response:
    """Set an organisation's summary, what all members may, and what a push makes."""
    services = request.app[SERVICES]
    form = await read_form(request, visit)
    found = await owned(request, visit, name)
    try:
        role = parse_role(form.get("members_role", ""), least=Role.NONE)
        await services.threads.call(
            lambda: services.organisations.change(
                visit.caller,
                name,
                summary=form.get("summary", ""),
                members_role=role,
                new_private=form.get("new") == "private",
            )
        )
    except FormInvalid as error:
        return _settings(request, visit, found, error.fields, status=HTTPStatus.BAD_REQUEST)
    note(request, "change organisation", name, account=visit.caller.name)
    return go_to(f"/{name}/-/settings")


async def delete(request: web.Request, visit: Visit, name: str) -> web.Response:
    """Delete an organisation without repositories, once its name was typed."""
    services = request.app[SERVICES]
    form = await read_form(request, visit)
    found = await owned(request, visit, name)
    trouble = ""
    if form.get("confirm", "").strip() != name:
        trouble = f"Type {name} to delete it"
    else:
        try:
            await services.threads.call(services.organisations.remove, visit.caller, name)
        except NotEmpty as error:
            trouble = f"{error.message}: {error.hint}"
    if trouble:
        fields = {"confirm": trouble}
        return _settings(request, visit, found, fields, status=HTTPStatus.BAD_REQUEST)
    note(request, "delete organisation", name, account=visit.caller.name)
    return go_to("/settings/organisations")


def _settings(
    request: web.Request,
    visit: Visit,
    found: View,
    fields: Mapping[str, str],
    *,
    status: int = HTTPStatus.OK,
) -> web.Response:
    values = {"of": found.organisation.name, "organisation": found.organisation, "fields": fields}
    return render(request, visit, "org_settings.html", values, status=status)
