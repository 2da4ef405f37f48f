"""Lists of names: the tags of a repository, the repositories of a hub."""

from aiohttp import web

from lamina.hub.access import Caller
from lamina.hub.remembered import may_be_kept
from lamina.hub.v2.answers import json_response
from lamina.hub.v2.paging import next_link, wanted_page
from lamina.hub.web import SERVICES

__all__ = ["list_repositories", "list_tags"]

_TAGS_PAGE = 1000
_CATALOG_PAGE = 100


async def list_tags(request: web.Request, caller: Caller, name: str) -> web.StreamResponse:
    """List tags in byte order."""
    services = request.app[SERVICES]
    limit, last = wanted_page(request, default=_TAGS_PAGE)

    def work() -> tuple[str, ...]:
        return services.registry.tag_names(caller, name, last=last, limit=limit + 1)

    names = await services.threads.call(work)
    may_be_kept(request)
    response = json_response({"name": name, "tags": list(names[:limit])})
    return _with_link(request, response, names, limit)


async def list_repositories(request: web.Request, caller: Caller) -> web.StreamResponse:
    """List the repositories the caller may see, in byte order."""
    services = request.app[SERVICES]
    limit, last = wanted_page(request, default=_CATALOG_PAGE)

    def work() -> tuple[str, ...]:
        return services.registry.catalog(caller, last=last, limit=limit + 1)

    names = await services.threads.call(work)
    may_be_kept(request)
    response = json_response({"repositories": list(names[:limit])})
    return _with_link(request, response, names, limit)


def _with_link(
    request: web.Request, response: web.Response, names: tuple[str, ...], limit: int
) -> web.Response:
    if len(names) > limit > 0:
        response.headers["Link"] = next_link(request, limit, names[limit - 1])
    return response
