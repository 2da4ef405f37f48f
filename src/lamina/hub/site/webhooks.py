"""Pages of webhooks: those of a repository or a namespace, and one with the log of what it was told."""

from collections.abc import Mapping
from http import HTTPStatus

from aiohttp import web

from lamina.hub.errors import FormInvalid, NameUnknown
from lamina.hub.names import is_repository
from lamina.hub.notes import note
from lamina.hub.outbox import EVENTS
from lamina.hub.site.render import go_to, render
from lamina.hub.site.sessions import Visit, read_form
from lamina.hub.web import SERVICES

__all__ = ["own_webhooks", "webhooks"]

_OWN = "/settings/webhooks"
_FRESH: Mapping[str, object] = {
    "url": "", "events": ("push",), "fields": {}, "made": None, "secret": "",
}  # fmt: skip


async def own_webhooks(request: web.Request, visit: Visit) -> web.Response:
    """Show the webhooks of one's own namespace."""
    if visit.account is None:
        return go_to(f"/signin?next={_OWN}")
    return await _list(request, visit, visit.account.name, _FRESH)


async def webhooks(request: web.Request, visit: Visit, scope: str, webhook: str) -> web.Response:
    """Answer for `/SCOPE/-/webhooks` and, with `webhook`, for one of them.

    Raises: WebhookUnknown, LoginRequired.
    """
    if request.method == "POST":
        if webhook:
            return await _act(request, visit, scope, webhook)
        return await _create(request, visit, scope)
    if request.method not in ("GET", "HEAD"):
        raise NameUnknown("there is no such page")
    if webhook:
        return await _show(request, visit, scope, webhook)
    return await _list(request, visit, scope, _FRESH)


async def _create(request: web.Request, visit: Visit, scope: str) -> web.Response:
    services = request.app[SERVICES]
    form = await read_form(request, visit)
    url, events = form.get("url", "").strip(), [each for each in EVENTS if form.get(each)]
    try:
        made = await services.threads.call(
            lambda: services.webhooks.create(visit.caller, scope, url=url, events=events)
        )
    except FormInvalid as error:
        values = {**_FRESH, "url": url, "events": events, "fields": error.fields}
        return await _list(request, visit, scope, values, status=HTTPStatus.BAD_REQUEST)
    note(request, "create webhook", f"{scope} {made.id}", account=visit.caller.name)
    values = {**_FRESH, "made": made, "secret": made.secret}
    return await _list(request, visit, scope, values, status=HTTPStatus.CREATED)


async def _act(request: web.Request, visit: Visit, scope: str, webhook: str) -> web.Response:
    """Test, rest, wake, delete, or deliver once more."""
    services = request.app[SERVICES]
    form = await read_form(request, visit)
    known, caller = services.webhooks, visit.caller
    verb, delivery = form.get("do", ""), form.get("delivery", "")
    deeds = {
        "test": lambda: known.test(caller, webhook),
        "rest": lambda: known.set_active(caller, webhook, is_active=False),
        "wake": lambda: known.set_active(caller, webhook, is_active=True),
        "delete": lambda: known.remove(caller, webhook),
        "redeliver": lambda: known.redeliver(caller, webhook, delivery),
    }
    if verb not in deeds:
        raise NameUnknown("there is no such page")
    found = await services.threads.call(deeds[verb])
    if verb in ("rest", "wake", "delete"):
        note(request, f"{verb} webhook", f"{found.scope} {found.id}", account=caller.name)
    if verb == "delete":
        return go_to(_back(visit, found.scope))
    return go_to(f"/{scope}/-/webhooks/{webhook}")


async def _list(
    request: web.Request,
    visit: Visit,
    scope: str,
    values: Mapping[str, object],
    *,
    status: int = HTTPStatus.OK,
) -> web.Response:
    services = request.app[SERVICES]
    found = await services.threads.call(services.webhooks.of, visit.caller, scope)
    shown = {
        **values, **_area(visit, scope), "scope": scope, "webhooks": found, "every": EVENTS,
    }  # fmt: skip
    return render(request, visit, "webhooks.html", shown, status=status)


async def _show(request: web.Request, visit: Visit, scope: str, webhook: str) -> web.Response:
    services = request.app[SERVICES]
    found, log = await services.threads.call(services.webhooks.get, visit.caller, webhook)
    if found.scope != scope:
        raise NameUnknown("there is no such page")
    values = {**_area(visit, scope), "webhook": found, "log": log}
    return render(request, visit, "webhook.html", values)


def _area(visit: Visit, scope: str) -> dict[str, object]:
    if is_repository(scope):
        return {"area": "repository", "of": scope}
    if visit.account is not None and visit.account.name == scope:
        return {"area": "account"}
    return {"area": "namespace", "of": scope}


def _back(visit: Visit, scope: str) -> str:
    is_own = visit.account is not None and visit.account.name == scope
    return _OWN if is_own else f"/{scope}/-/webhooks"
