"""What there is below `/NAME/-/`, as data: `/alice/app/-/edit`, `/acme/-/teams/devs`.

The authorisation matrix (docs/hub/authorisation.md) has a row for each.
"""

from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from lamina.errors import NotFound
from lamina.hub.names import is_repository
from lamina.hub.site import (
    audit,
    difference,
    files,
    inside,
    organisations,
    quotas,
    repository,
    retention,
    robots,
    roles,
    tag,
    teams,
    webhooks,
)
from lamina.hub.site.sessions import Visit

__all__ = ["OF_NAMESPACES", "OF_REPOSITORIES", "ONE_OF_NAMESPACES", "ONE_OF_REPOSITORIES", "answer"]

_Below = Callable[[web.Request, Visit, str], Awaitable[web.Response]]
_BelowOne = Callable[[web.Request, Visit, str, str], Awaitable[web.Response]]


async def _webhooks(request: web.Request, visit: Visit, name: str) -> web.Response:
    return await webhooks.webhooks(request, visit, name, "")


_BOTH: Mapping[tuple[str, str], _Below] = {
    ("GET", "audit"): audit.audit_of,
    ("GET", "quota"): quotas.quota_page,  # `/hub/-/quota` is the whole hub's, as the next
    ("POST", "quota"): quotas.quota,
    ("GET", "retention"): retention.retention_page,
    ("POST", "retention"): retention.retention,
    ("GET", "webhooks"): _webhooks,
    ("POST", "webhooks"): _webhooks,
}
_ONE_OF_BOTH: Mapping[tuple[str, str], _BelowOne] = {
    ("GET", "webhooks"): webhooks.webhooks,
    ("POST", "webhooks"): webhooks.webhooks,
}
OF_REPOSITORIES: Mapping[tuple[str, str], _Below] = {
    **_BOTH,
    ("GET", "tags"): repository.tags,
    ("POST", "delete-tags"): repository.delete_tags,
    ("GET", "settings"): repository.settings_page,
    ("POST", "settings"): repository.settings,
    ("POST", "delete"): repository.delete,
    ("GET", "edit"): repository.edit_page,
    ("POST", "edit"): repository.edit,
    ("GET", "members"): roles.roles_page,
    ("POST", "members"): roles.change_roles,
}
"""By method and word: `/NAME/-/WORD`."""
ONE_OF_REPOSITORIES: Mapping[tuple[str, str], _BelowOne] = {
    **_ONE_OF_BOTH,
    ("GET", "tag"): tag.tag,
    ("GET", "manifest"): tag.tag,
    ("GET", "inside"): inside.inside,
    ("POST", "inside"): inside.look_again,
    ("GET", "files"): files.files,
    ("GET", "diff"): difference.difference,
}
"""By method and word: `/NAME/-/WORD/ONE`."""
OF_NAMESPACES: Mapping[tuple[str, str], _Below] = {
    **_BOTH,
    ("GET", "settings"): organisations.settings_page,
    ("POST", "settings"): organisations.settings,
    ("POST", "delete"): organisations.delete,
    ("GET", "members"): teams.members_page,
    ("POST", "members"): teams.change_members,
    ("GET", "teams"): teams.teams_page,
    ("POST", "teams"): teams.create_team,
    ("GET", "robots"): robots.robots_page,
    ("POST", "robots"): robots.create_robot,
}
ONE_OF_NAMESPACES: Mapping[tuple[str, str], _BelowOne] = {
    **_ONE_OF_BOTH,
    ("GET", "teams"): teams.team_page,
    ("POST", "teams"): teams.change_team,
    ("POST", "robots"): robots.change_robot,
}


async def answer(
    request: web.Request, visit: Visit, name: str, what: str, one: str
) -> web.Response:
    """Answer for `/NAME/-/WHAT` and, unless `one` is empty, `/NAME/-/WHAT/ONE`.

    Raises: NotFound, what the page does.
    """
    of_repository = is_repository(name)
    key = ("GET" if request.method == "HEAD" else request.method, what)
    if one:
        page_of_one = (ONE_OF_REPOSITORIES if of_repository else ONE_OF_NAMESPACES).get(key)
        if page_of_one is not None:
            return await page_of_one(request, visit, name, one)
    else:
        page = (OF_REPOSITORIES if of_repository else OF_NAMESPACES).get(key)
        if page is not None:
            return await page(request, visit, name)
    raise NotFound("there is no such page")
