"""Pages for those who are signed in, and for admins; and the password once more for what is final."""

import functools
from collections.abc import Awaitable, Callable
from urllib.parse import quote

from aiohttp import web
from multidict import MultiDictProxy

from lamina.hub.errors import CredentialsRefused, FormInvalid, NameUnknown, TooManyAttempts
from lamina.hub.notes import note_refused
from lamina.hub.site.render import go_to
from lamina.hub.site.sessions import Visit
from lamina.hub.tables.accounts import Account
from lamina.hub.web import SERVICES, client_address

__all__ = ["confirm", "for_admins", "for_people"]

_Page = Callable[[web.Request, Visit], Awaitable[web.StreamResponse]]
_OwnPage = Callable[[web.Request, Visit, Account], Awaitable[web.StreamResponse]]
_FRESH_S = 600.0


def for_people(page: _OwnPage) -> _Page:
    """Give the page to who is signed in; others sign in first and come back."""

    @functools.wraps(page)
    async def answer(request: web.Request, visit: Visit) -> web.StreamResponse:
        if visit.account is None:
            target = request.path_qs if request.method in ("GET", "HEAD") else request.path
            return go_to(f"/signin?next={quote(target)}")
        return await page(request, visit, visit.account)

    return answer


def for_admins(page: _OwnPage) -> _Page:
    """Give the page to admins; for all others who are signed in there is none."""

    async def checked(request: web.Request, visit: Visit, account: Account) -> web.StreamResponse:
        if not account.is_admin:
            raise NameUnknown("there is no such page")
        return await page(request, visit, account)

    return for_people(checked)


async def confirm(
    request: web.Request, visit: Visit, account: Account, form: MultiDictProxy[str]
) -> None:
    """Let pass who knows the account's password, or has no password and just signed in.

    Raises: FormInvalid, with what to say beside the field `password`.
    """
    services = request.app[SERVICES]
    if not account.password:
        if visit.since < services.clock() - _FRESH_S:
            raise FormInvalid({"password": "Sign out and in again: that was some time ago"})
        return
    try:
        await services.threads.call_slow(
            services.accounts.login,
            account.name,
            form.get("password", ""),
            client_address(request),
        )
    except CredentialsRefused as error:
        note_refused(request, account.name)
        raise FormInvalid({"password": "This is not your password"}) from error
    except TooManyAttempts as error:
        raise FormInvalid({"password": f"Too many wrong passwords: {error.hint}"}) from error
