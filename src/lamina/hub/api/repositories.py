"""Repositories themselves by JSON.

    GET    /api/v1/repositories?namespace=N&page=P   {"repositories": […], "more"}; one's own without N
    POST   /api/v1/repositories                      {"name", "private"?, "summary"?}
    GET    /api/v1/repositories/of?name=R            one, with its README
    PATCH  /api/v1/repositories/of?name=R            {"private"?, "summary"?, "readme"?}
    DELETE /api/v1/repositories/of?name=R            204; all its tags and images go

The name is no part of the path, where it may end like a path of something else. Takes access tokens, too:
one that pulls sees, one that pushes makes and describes, one that deletes deletes, none makes private or
public what is there. What the caller may not see is 404, as if it were not there.
"""

from http import HTTPStatus

from aiohttp import web

from lamina.errors import Invalid
from lamina.hub.api.answers import answered, flag_of, json_answer, read_json, text_of, token_login
from lamina.hub.notes import note
from lamina.hub.tables.repositories import Repository
from lamina.hub.web import SERVICES, asked_by
from lamina.hub.words import moment
from lamina.spec.wire import Document

__all__ = ["add_repositories"]

_ALL = "/api/v1/repositories"
_ONE = f"{_ALL}/of"
_LIMIT = 1_000_000  # the longest README, though each of its letters were escaped
_PAGES = 1_000_000


def add_repositories(app: web.Application) -> None:
    """Add the routes to the application."""
    router = app.router
    router.add_get(_ALL, answered(_list))
    router.add_post(_ALL, answered(_create))
    router.add_get(_ONE, answered(_show))
    router.add_patch(_ONE, answered(_change))
    router.add_delete(_ONE, answered(_remove))


async def _list(request: web.Request) -> web.StreamResponse:
    services = request.app[SERVICES]
    caller = await token_login(request)
    namespace = request.query.get("namespace") or caller.name
    page = request.query.get("page", "1")
    if not page.isascii() or not page.isdigit() or not 0 < int(page[:9]) <= _PAGES:
        raise Invalid(f"`page` is a number from 1 to {_PAGES}")
    found = await services.threads.call(
        lambda: services.repositories.of(caller, namespace.replace("\0", ""), page=int(page[:9]))
    )
    rows = [_row(each.repository, each.tags) for each in found.rows]
    return json_answer({"repositories": rows, "more": found.has_next})


async def _create(request: web.Request) -> web.StreamResponse:
    services = request.app[SERVICES]
    caller = await token_login(request)
    document = await read_json(request, "name", "private", "summary")
    name = text_of(document, "name")
    made = await services.threads.call(
        lambda: services.repositories.create(
            caller,
            name,
            summary=text_of(document, "summary", ""),
            is_private=_privacy(document),
        )
    )
    note(request, "create repository", name, account=caller.name, token=caller.token_id)
    return json_answer(_row(made, 0), HTTPStatus.CREATED)


async def _show(request: web.Request) -> web.StreamResponse:
    services = request.app[SERVICES]
    caller = await token_login(request)
    found = await services.threads.call(services.repositories.view, caller, _name(request))
    return json_answer({**_row(found.repository, found.tags), "readme": found.repository.readme})


async def _change(request: web.Request) -> web.StreamResponse:
    services = request.app[SERVICES]
    caller = await token_login(request)
    name = _name(request)
    document = await read_json(request, "private", "summary", "readme", limit=_LIMIT)
    summary, readme = (
        text_of(document, field) if field in document else None for field in ("summary", "readme")
    )
    is_private = _privacy(document)
    before = await services.threads.call(
        lambda: services.repositories.change(
            caller, name, summary=summary, readme=readme, is_private=is_private
        )
    )
    if (summary, readme) != (None, None):
        note(request, "describe", name, account=caller.name, token=caller.token_id)
    if is_private is not None and is_private != before.is_private:
        note(request, _said(is_private), name, account=caller.name, token=caller.token_id)
    return web.Response(status=HTTPStatus.NO_CONTENT)


async def _remove(request: web.Request) -> web.StreamResponse:
    services = request.app[SERVICES]
    caller = await token_login(request)
    name, asked = _name(request), asked_by(request)
    await services.threads.call(
        lambda: services.registry.remove_repository(caller, name, asked=asked)
    )
    note(request, "delete repository", name, account=caller.name, token=caller.token_id)
    return web.Response(status=HTTPStatus.NO_CONTENT)


def _name(request: web.Request) -> str:
    return request.query.get("name", "")


def _privacy(document: Document) -> bool | None:
    return flag_of(document, "private", default=False) if "private" in document else None


def _said(is_private: bool) -> str:
    return "make private" if is_private else "make public"


def _row(found: Repository, tags: int) -> Document:
    return {
        "name": found.name,
        "private": found.is_private,
        "summary": found.summary,
        "tags": tags,
        "pulls": found.pulls,
        "created_at": moment(found.created_at),
        "updated_at": moment(found.updated_at),
    }
