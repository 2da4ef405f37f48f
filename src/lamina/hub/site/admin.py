"""The admin's pages: what the hub amounts to, and its accounts."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from urllib.parse import urlencode

from aiohttp import web

from lamina.errors import Denied
from lamina.hub.database import Connection
from lamina.hub.links import INVITATION_DAYS
from lamina.hub.notes import note
from lamina.hub.services import Services
from lamina.hub.site.gate import for_admins
from lamina.hub.site.lists import page_number
from lamina.hub.site.render import go_to, render
from lamina.hub.site.sessions import Visit, read_form
from lamina.hub.tables import accounts, figures, profiles
from lamina.hub.tables.accounts import Account
from lamina.hub.tables.profiles import Profile
from lamina.hub.web import SERVICES, url_of

__all__ = ["accounts_page", "change_account", "hub_page", "invite", "withdraw_link"]

_PATH = "/admin/accounts"
_PAGE = 50
_DAMAGED = 50
"""Blobs that are not well shown at once; all of them are in `/api/v1/damaged`."""
_WORD_LIMIT = 100


@for_admins
async def hub_page(request: web.Request, visit: Visit, account: Account) -> web.Response:  # noqa: ARG001 - a page's form
    """Show the hub's figures and how it is set."""
    services = request.app[SERVICES]
    found = await services.threads.call(services.database.read, figures.count)
    damaged = await services.threads.call(services.scrubber.findings)
    settings = services.settings
    values = {
        "figures": found, "receiving": len(services.transfers.active()), "places": settings.places,
        "registration": settings.registration, "mails": services.recovery is not None,
        "read_only": settings.read_only, "damaged": damaged[:_DAMAGED], "all_damaged": len(damaged),
    }  # fmt: skip
    return render(request, visit, "admin.html", values)


@for_admins
async def accounts_page(request: web.Request, visit: Visit, account: Account) -> web.Response:  # noqa: ARG001 - a page's form
    """List accounts by name, those with the words looked for."""
    return await _show(request, visit)


@for_admins
async def change_account(request: web.Request, visit: Visit, account: Account) -> web.Response:
    """Disable or enable an account, make it an admin or no longer, or make a link for it."""
    services = request.app[SERVICES]
    form = await read_form(request, visit)
    verb, name = request.match_info["verb"], form.get("name", "")
    if verb == "reset":
        token = await services.threads.call(_reset(services, name, account.name))
        note(request, "make reset link", name, account=account.name)
        link = f"{url_of(request)}/signin/reset?token={token}"
        values = {"link": link, "link_for": name}
        return await _show(request, visit, values, status=HTTPStatus.CREATED)
    action, work = _DEEDS[verb]
    if name == account.name:
        raise Denied("that is your own account", hint="ask another admin")
    await services.threads.call(work, services, name)
    note(request, action, name, account=account.name)
    return go_to(f"{_PATH}?{urlencode({'q': form.get('q', '')[:_WORD_LIMIT]})}")


@for_admins
async def invite(request: web.Request, visit: Visit, account: Account) -> web.Response:
    """Make an invitation and show it, this once."""
    services = request.app[SERVICES]
    await read_form(request, visit)

    def work() -> str:
        return services.links.make_invitation(by=account.name)

    token = await services.threads.call(work)
    note(request, "invite", "", account=account.name)
    link = f"{url_of(request)}/register?invitation={token}"
    return await _show(request, visit, {"link": link}, status=HTTPStatus.CREATED)


@for_admins
async def withdraw_link(request: web.Request, visit: Visit, account: Account) -> web.Response:
    """End an invitation or a reset link that was given out."""
    services = request.app[SERVICES]
    form = await read_form(request, visit)
    gone = await services.threads.call(services.links.withdraw, form.get("id", ""))
    note(request, f"withdraw {gone.kind}", gone.account, account=account.name)
    return go_to(_PATH)


def _reset(services: Services, name: str, by: str) -> Callable[[], str]:
    return lambda: services.links.make_reset(name, by=by)


_DEEDS: Mapping[str, tuple[str, Callable[[Services, str], None]]] = {
    "disable": (
        "disable account",
        lambda services, name: services.accounts.set_disabled(name, is_disabled=True),
    ),
    "enable": (
        "enable account",
        lambda services, name: services.accounts.set_disabled(name, is_disabled=False),
    ),
    "make-admin": (
        "make admin",
        lambda services, name: services.accounts.set_admin(name, is_admin=True),
    ),
    "unmake-admin": (
        "unmake admin",
        lambda services, name: services.accounts.set_admin(name, is_admin=False),
    ),
}


async def _show(
    request: web.Request,
    visit: Visit,
    more: Mapping[str, object] | None = None,
    *,
    status: int = HTTPStatus.OK,
) -> web.Response:
    services = request.app[SERVICES]
    words = request.query.get("q", "").strip().replace("\0", "")[:_WORD_LIMIT]
    number = page_number(request)

    def work(connection: Connection) -> tuple[tuple[Account, Profile], ...]:
        found = accounts.search(connection, words, limit=_PAGE + 1, offset=(number - 1) * _PAGE)
        return tuple((each, profiles.of(connection, each)) for each in found)

    rows = await services.threads.call(services.database.read, work)
    given = await services.threads.call(services.links.given)
    values = {
        "given": given,
        "rows": rows[:_PAGE], "words": words, "page": number, "has_next": len(rows) > _PAGE,
        "registration": services.settings.registration, "days": INVITATION_DAYS, "link": "",
        "link_for": "", **(more or {}),
    }  # fmt: skip
    return render(request, visit, "accounts.html", values, status=status)
