"""The admin's page of other registries: namespaces that stand for one, and rules that copy from one."""

from collections.abc import Mapping
from http import HTTPStatus

from aiohttp import web
from multidict import MultiDictProxy

from lamina.hub.access import Caller
from lamina.hub.caches import FRESH_S, KEEP_DAYS
from lamina.hub.errors import FormInvalid, NameTaken, NameUnknown
from lamina.hub.mirrors import EVERY_HOURS
from lamina.hub.notes import note
from lamina.hub.services import Services
from lamina.hub.site.gate import for_admins
from lamina.hub.site.render import go_to, render
from lamina.hub.site.sessions import Visit, read_form
from lamina.hub.tables.accounts import Account
from lamina.hub.tables.mirrors import Mirror, Run
from lamina.hub.web import SERVICES

__all__ = ["change_mirrors", "mirrors_page"]

_PATH = "/admin/mirrors"
_FRESH: Mapping[str, object] = {
    "cache": {}, "rule": {}, "cache_fields": {}, "rule_fields": {}, "fresh_s": FRESH_S,
    "keep_days": KEEP_DAYS, "every_hours": EVERY_HOURS,
}  # fmt: skip


@for_admins
async def mirrors_page(request: web.Request, visit: Visit, account: Account) -> web.Response:  # noqa: ARG001 - a page's form
    """Show caches and rules, how the last runs went, and the forms for more."""
    return await _show(request, visit, {})


@for_admins
async def change_mirrors(request: web.Request, visit: Visit, account: Account) -> web.Response:
    """Make or remove a cache or a rule, or have a rule run now."""
    services, caller = request.app[SERVICES], visit.caller
    form = await read_form(request, visit)
    verb = request.match_info["verb"]
    try:
        action, subject = await services.threads.call(_change, services, caller, verb, form)
    except FormInvalid as error:
        typed = {name: value for name, value in form.items() if name != "password"}
        kind = "cache" if verb == "create-cache" else "rule"
        values = {kind: typed, f"{kind}_fields": error.fields}
        return await _show(request, visit, values, status=HTTPStatus.BAD_REQUEST)
    note(request, action, subject, account=account.name)
    return go_to(_PATH)


def _change(
    services: Services, caller: Caller, verb: str, form: MultiDictProxy[str]
) -> tuple[str, str]:
    """Do what a form says; give action and subject for the audit log. Raises: FormInvalid, …."""
    if verb == "create-cache":
        return "create cache", _create_cache(services, caller, form)
    if verb == "remove-cache":
        gone = services.caches.remove(caller, form.get("namespace", ""))
        return "remove cache", f"{gone.namespace} of {gone.upstream}"
    if verb == "create":
        rule = services.mirrors.create(
            caller,
            form.get("target", "").strip(),
            form.get("source", "").strip(),
            tags=form.get("tags", "").replace(",", " ").split() or ("*",),
            every_hours=_whole(form, "every_hours"),
            deletes=bool(form.get("deletes")),
            username=form.get("username", "").strip(),
            password=form.get("password", ""),
        )
    elif verb == "run":
        rule = services.mirrors.run_now(caller, form.get("id", ""))
    elif verb == "remove":
        rule = services.mirrors.remove(caller, form.get("id", ""))
    else:
        raise NameUnknown("there is no such page")
    return f"{verb} mirror", f"{rule.target} of {rule.source}"


def _create_cache(services: Services, caller: Caller, form: MultiDictProxy[str]) -> str:
    namespace = form.get("namespace", "").strip()
    try:
        made = services.caches.create(
            caller,
            namespace,
            form.get("upstream", ""),
            username=form.get("username", "").strip(),
            password=form.get("password", ""),
            is_private=bool(form.get("is_private")),
            is_default=bool(form.get("is_default")),
            fresh_s=_whole(form, "fresh_s"),
            keep_days=_whole(form, "keep_days"),
        )
    except NameTaken as error:
        raise FormInvalid({"namespace": error.message[:1].upper() + error.message[1:]}) from error
    return f"{made.namespace} of {made.upstream}"


def _whole(form: MultiDictProxy[str], field: str) -> int:
    text = form.get(field, "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else -1  # noqa: PLR2004 - fits


async def _show(
    request: web.Request,
    visit: Visit,
    more: Mapping[str, object],
    *,
    status: int = HTTPStatus.OK,
) -> web.Response:
    services, caller = request.app[SERVICES], visit.caller

    def work() -> list[tuple[Mirror, tuple[Run, ...]]]:
        return [services.mirrors.get(caller, rule.id) for rule, _ in services.mirrors.all(caller)]

    caches = await services.threads.call(services.caches.all, caller)
    rules = await services.threads.call(work)
    values = {
        **_FRESH, **more, "caches": caches, "rules": rules, "limits": services.caches.limits(),
    }  # fmt: skip
    return render(request, visit, "mirrors.html", values, status=status)
