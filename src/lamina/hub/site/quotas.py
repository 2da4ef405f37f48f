"""The page of what a repository, a namespace or the hub has, and may have."""

import re
from http import HTTPStatus

from aiohttp import web

from lamina.errors import Invalid
from lamina.hub.names import HUB
from lamina.hub.notes import note
from lamina.hub.quotas import Usage
from lamina.hub.site.navigation import area_of
from lamina.hub.site.render import go_to, render
from lamina.hub.site.sessions import Visit, read_form
from lamina.hub.tables.quotas import Quota
from lamina.hub.targets import require_owner
from lamina.hub.web import SERVICES

__all__ = ["own_quota", "quota", "quota_page"]

_SIZE = re.compile(r"([0-9]{1,15})(?:\.([0-9]{1,3}))?\s*([kmgtp]?)b?", re.IGNORECASE)
_UNITS = " kmgtp"


async def own_quota(request: web.Request, visit: Visit) -> web.Response:
    """Show the page of one's own namespace."""
    if visit.account is None:
        return go_to("/signin?next=/settings/storage")
    return await quota_page(request, visit, visit.account.name)


async def quota_page(request: web.Request, visit: Visit, target: str) -> web.Response:
    """Show what a target has and may have; an admin gets the form to change it."""
    await _check(request, visit, target)
    return await _show(request, visit, target, "", "")


async def quota(request: web.Request, visit: Visit, target: str) -> web.Response:
    """Set or drop a quota; for admins."""
    services = request.app[SERVICES]
    form = await read_form(request, visit)
    await _check(request, visit, HUB)
    text = form.get("size", "").strip()
    try:
        if form.get("verb") == "drop":
            await services.threads.call(services.quotas.remove, target)
            note(request, "remove quota", target, account=visit.caller.name)
        else:
            size = _bytes(text)
            await services.threads.call(services.quotas.set, target, size)
            note(request, "set quota", f"{target} ({size})", account=visit.caller.name)
    except Invalid as error:
        return await _show(request, visit, target, text, error.message)
    return go_to(request.path)


async def _check(request: web.Request, visit: Visit, target: str) -> None:
    services = request.app[SERVICES]
    await services.threads.call(
        services.database.read, lambda connection: require_owner(connection, visit.caller, target)
    )


def _bytes(text: str) -> int:
    """Read a size in decimal units, as the pages show them: 500MB, 1.5 GB. Raises: Invalid."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise Invalid(f"{text!r} is no size", hint="write it as 10GB or 500MB")
    scale: int = 1000 ** _UNITS.index(match[3].lower() or " ")
    part = match[2] or ""
    return int(match[1]) * scale + (int(part) * scale // 10 ** len(part) if part else 0)


async def _show(
    request: web.Request, visit: Visit, target: str, typed: str, trouble: str
) -> web.Response:
    services = request.app[SERVICES]

    def work() -> tuple[Usage, tuple[Quota, ...]]:
        every = services.quotas.all() if target == HUB else ()
        return services.quotas.usage(target), every

    usage, every = await services.threads.call(work)
    values = {
        "target": target,
        **area_of(visit, target),
        "usage": usage,
        "every": [each for each in every if each.target != HUB],
        "typed": typed,
        "trouble": trouble,
    }
    status = HTTPStatus.BAD_REQUEST if trouble else HTTPStatus.OK
    return render(request, visit, "quota.html", values, status=status)
