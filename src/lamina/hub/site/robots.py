"""The page of a namespace's robots: make, see the token once, renew, revoke."""

from collections.abc import Mapping
from http import HTTPStatus

from aiohttp import web

from lamina.hub.errors import FormInvalid, LoginRequired, NameUnknown
from lamina.hub.notes import note
from lamina.hub.site.limits import Limits
from lamina.hub.site.render import go_to, render
from lamina.hub.site.sessions import Visit, read_form
from lamina.hub.web import SERVICES

__all__ = ["change_robot", "create_robot", "own_robots", "robots_page"]

_OWN = "/settings/robots"
_FRESH: Mapping[str, object] = {
    "name": "", **Limits().values, "fields": {}, "token": "", "login": "",
}  # fmt: skip


async def own_robots(request: web.Request, visit: Visit) -> web.Response:
    """Show the robots of one's own namespace."""
    if visit.account is None:
        return go_to(f"/signin?next={_OWN}")
    return await _show(request, visit, visit.account.name, _FRESH)


async def robots_page(request: web.Request, visit: Visit, namespace: str) -> web.Response:
    """Show the robots and the form for another. Raises: LoginRequired, NotYours, OrganisationUnknown."""
    return await _show(request, visit, namespace, _FRESH)


async def create_robot(request: web.Request, visit: Visit, namespace: str) -> web.Response:
    """Make a robot and show its token, this once; what is wrong is said beside the field."""
    services = request.app[SERVICES]
    form = await read_form(request, visit)
    _check(visit)
    name, limits = form.get("name", "").strip(), Limits.parse(form)
    try:
        token, made = await services.threads.call(
            lambda: services.robots.create(
                visit.caller,
                namespace,
                name,
                actions=limits.actions,
                targets=limits.names,
                expires_in_days=limits.days or None,
            )
        )
    except FormInvalid as error:
        values = {**_FRESH, "name": name, **limits.values, "fields": error.fields}
        return await _show(request, visit, namespace, values, status=HTTPStatus.BAD_REQUEST)
    note(request, "create robot", made.login, account=visit.caller.name)
    values = {**_FRESH, "token": token, "login": made.login}
    return await _show(request, visit, namespace, values, status=HTTPStatus.CREATED)


async def change_robot(
    request: web.Request, visit: Visit, namespace: str, name: str
) -> web.Response:
    """Renew a robot's token, or revoke it."""
    services = request.app[SERVICES]
    form = await read_form(request, visit)
    _check(visit)
    verb, days = form.get("do", ""), Limits.parse(form).days
    if verb == "revoke":
        gone = await services.threads.call(services.robots.revoke, visit.caller, namespace, name)
        note(request, "revoke robot", gone.login, account=visit.caller.name)
        is_own = visit.caller.name == namespace
        return go_to(_OWN if is_own else f"/{namespace}/-/robots")
    if verb != "renew":
        raise NameUnknown("there is no such page")
    token, made = await services.threads.call(
        lambda: services.robots.renew(visit.caller, namespace, name, expires_in_days=days or None)
    )
    note(request, "renew robot", made.login, account=visit.caller.name)
    values = {**_FRESH, "token": token, "login": made.login}
    return await _show(request, visit, namespace, values)


def _check(visit: Visit) -> None:
    if not visit.caller.name:
        raise LoginRequired("sign in first")


async def _show(
    request: web.Request,
    visit: Visit,
    namespace: str,
    values: Mapping[str, object],
    *,
    status: int = HTTPStatus.OK,
) -> web.Response:
    services = request.app[SERVICES]
    _check(visit)
    found = await services.threads.call(services.robots.of, visit.caller, namespace)
    is_own = visit.caller.name == namespace
    area = {"area": "account"} if is_own else {"area": "namespace", "of": namespace}
    shown = {
        **values, **area, "namespace": namespace, "robots": found,
        "now": services.clock(), "base": f"/{namespace}/-/robots",
    }  # fmt: skip
    return render(request, visit, "robots.html", shown, status=status)
