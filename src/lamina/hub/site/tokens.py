"""The page of one's personal access tokens: make, see once, list, revoke."""

from collections.abc import Mapping
from http import HTTPStatus

from aiohttp import web

from lamina.hub.errors import FormInvalid
from lamina.hub.notes import note
from lamina.hub.site.limits import Limits
from lamina.hub.site.render import go_to, render
from lamina.hub.site.sessions import Visit, read_form
from lamina.hub.tables.accounts import Account
from lamina.hub.web import SERVICES

__all__ = ["create_token", "revoke_token", "tokens_page"]

_PATH = "/settings/tokens"
_FRESH: Mapping[str, object] = {"name": "", **Limits().values, "fields": {}, "token": ""}


async def tokens_page(request: web.Request, visit: Visit) -> web.Response:
    """Show the tokens and the form for another."""
    if visit.account is None:
        return go_to(f"/signin?next={_PATH}")
    return await _show(request, visit, visit.account, _FRESH)


async def create_token(request: web.Request, visit: Visit) -> web.Response:
    """Make a token and show it, this once; what is wrong is said beside the field."""
    if visit.account is None:
        return go_to(f"/signin?next={_PATH}")
    services, account = request.app[SERVICES], visit.account
    form = await read_form(request, visit)
    name, limits = form.get("name", "").strip(), Limits.parse(form)

    def work() -> str:
        return services.access_tokens.create(
            account.name,
            name,
            actions=limits.actions,
            targets=limits.names,
            expires_in_days=limits.days or None,
        )[0]

    try:
        token = await services.threads.call(work)
    except FormInvalid as error:
        values = {**_FRESH, "name": name, **limits.values, "fields": error.fields}
        return await _show(request, visit, account, values, status=HTTPStatus.BAD_REQUEST)
    note(request, "create token", name, account=account.name)
    return await _show(
        request, visit, account, {**_FRESH, "token": token}, status=HTTPStatus.CREATED
    )


async def revoke_token(request: web.Request, visit: Visit) -> web.Response:
    """End a token of one's own."""
    if visit.account is None:
        return go_to(f"/signin?next={_PATH}")
    services = request.app[SERVICES]
    form = await read_form(request, visit)
    revoked = await services.threads.call(
        services.access_tokens.revoke, visit.account.name, form.get("id", "")
    )
    note(request, "revoke token", revoked.name, account=visit.account.name)
    return go_to(_PATH)


async def _show(
    request: web.Request,
    visit: Visit,
    account: Account,
    values: Mapping[str, object],
    *,
    status: int = HTTPStatus.OK,
) -> web.Response:
    services = request.app[SERVICES]
    found = await services.threads.call(services.access_tokens.of, account.name)
    shown = {**values, "tokens": found, "now": services.clock()}
    return render(request, visit, "tokens.html", shown, status=status)
