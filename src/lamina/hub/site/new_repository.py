"""The form to make a repository before anything is pushed: private from its first push on, if so wanted."""

from http import HTTPStatus

from aiohttp import web

from lamina.errors import Denied
from lamina.hub.errors import FormInvalid, RepositoryNameInvalid, RepositoryTaken
from lamina.hub.notes import note
from lamina.hub.site.render import go_to, render
from lamina.hub.site.sessions import Visit, read_form
from lamina.hub.web import SERVICES

__all__ = ["PATH", "create", "new_page"]

PATH = "/repositories/new"
_FIELDS = {"namespace": "", "name": "", "summary": ""}


async def new_page(request: web.Request, visit: Visit) -> web.Response:
    """Show the form; `?namespace=` chooses where."""
    if visit.account is None:
        return go_to(f"/signin?next={PATH}")
    values = {**_FIELDS, "namespace": request.query.get("namespace", ""), "is_private": True}
    return await _page(request, visit, values, {})


async def create(request: web.Request, visit: Visit) -> web.Response:
    """Make a repository; what is wrong is said beside the field."""
    if visit.account is None:
        return go_to(f"/signin?next={PATH}")
    services = request.app[SERVICES]
    form = await read_form(request, visit)
    values = {field: form.get(field, "").strip() for field in _FIELDS}
    name = f"{values['namespace']}/{values['name']}"
    is_private = form.get("visibility") == "private"
    try:
        await services.threads.call(
            lambda: services.repositories.create(
                visit.caller, name, summary=values["summary"], is_private=is_private
            )
        )
    except FormInvalid as error:
        fields, status = error.fields, HTTPStatus.BAD_REQUEST
    except RepositoryNameInvalid:
        fields = {"name": "Lower-case letters and digits, with single . _ - or / between them"}
        status = HTTPStatus.BAD_REQUEST
    except RepositoryTaken as error:
        fields, status = {"name": error.message}, HTTPStatus.CONFLICT
    except Denied as error:
        fields, status = {"namespace": error.message}, HTTPStatus.FORBIDDEN
    else:
        note(request, "create repository", name, account=visit.caller.name)
        return go_to(f"/{name}")
    return await _page(request, visit, {**values, "is_private": is_private}, fields, status=status)


async def _page(
    request: web.Request,
    visit: Visit,
    values: dict[str, object],
    fields: dict[str, str],
    *,
    status: int = HTTPStatus.OK,
) -> web.Response:
    services = request.app[SERVICES]
    places = await services.threads.call(services.repositories.places, visit.caller)
    wanted = str(values["namespace"])
    if visit.caller.is_admin and wanted and wanted not in places:
        places = (*places, wanted)
    shown = {**values, "places": places, "fields": {**_FIELDS, **fields}}
    return render(request, visit, "new_repository.html", shown, status=status)
