"""The pages of a password: change it, ask for a link to choose another, choose one."""

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web

from lamina.hub.errors import CredentialsRefused, FormInvalid, LinkInvalid, TooManyAttempts
from lamina.hub.notes import note, note_refused
from lamina.hub.site.gate import for_people
from lamina.hub.site.render import go_to, render
from lamina.hub.site.sessions import Visit, begin, read_form
from lamina.hub.tables.accounts import Account
from lamina.hub.web import SERVICES, client_address

if TYPE_CHECKING:
    from asyncio import Future

__all__ = ["change_password", "forgot", "forgot_page", "password_page", "reset", "reset_page"]


@for_people
async def password_page(request: web.Request, visit: Visit, account: Account) -> web.Response:
    """Show the form to change one's password."""
    values = {
        "fields": {}, "has_password": bool(account.password), "is_saved": "saved" in request.query,
    }  # fmt: skip
    return render(request, visit, "password.html", values)


@for_people
async def change_password(request: web.Request, visit: Visit, account: Account) -> web.Response:
    """Change it; every session ends, and this browser gets a new one."""
    services = request.app[SERVICES]
    form = await read_form(request, visit)
    old, new, ends_tokens = form.get("old", ""), form.get("new", ""), bool(form.get("ends_tokens"))
    address = client_address(request)

    def work() -> Account:
        return services.accounts.change_password(
            account.name, old, new, address=address, ends_tokens=ends_tokens
        )

    try:
        await services.threads.call_slow(work)
    except CredentialsRefused:
        note_refused(request, account.name)
        fields, status = {"old": "This is not your password"}, HTTPStatus.BAD_REQUEST
    except TooManyAttempts as error:
        fields = {"old": f"Too many wrong passwords: {error.hint}"}
        status = HTTPStatus.TOO_MANY_REQUESTS
    except FormInvalid as error:
        fields, status = error.fields, HTTPStatus.BAD_REQUEST
    else:
        note(request, "change password", account.name, account=account.name)
        return await begin(request, account, go_to("/settings/password?saved"))
    values = {"fields": fields, "has_password": bool(account.password), "is_saved": False}
    return render(request, visit, "password.html", values, status=status)


async def forgot_page(request: web.Request, visit: Visit) -> web.Response:
    """Show the form to ask for a link, or say whom to ask where the hub sends no mail."""
    return _forgot(request, visit)


async def forgot(request: web.Request, visit: Visit) -> web.Response:
    """Send a link if there is somebody to send it to; the answer is the same, and comes as soon."""
    services = request.app[SERVICES]
    form = await read_form(request, visit)
    words = form.get("who", "").strip()
    recovery = services.recovery
    if recovery is None or not words:
        return _forgot(request, visit, status=HTTPStatus.BAD_REQUEST)
    try:
        await services.threads.call(recovery.admit, words, client_address(request))
    except TooManyAttempts as error:
        trouble = f"That was asked too often: {error.hint}"
        return _forgot(request, visit, trouble=trouble, status=HTTPStatus.TOO_MANY_REQUESTS)
    note(request, "ask for a link", words, account="")
    services.threads.call_away(recovery.send, words).add_done_callback(_log_failure)
    return _forgot(request, visit, is_sent=True)


async def reset_page(request: web.Request, visit: Visit) -> web.Response:
    """Show the form to choose a password, to who has a link that works."""
    services = request.app[SERVICES]
    token = request.query.get("token", "")
    try:
        name = await services.threads.call(services.links.account_of, token)
    except LinkInvalid as error:
        return _dead_link(request, visit, error)
    return _reset(request, visit, token=token, name=name)


async def reset(request: web.Request, visit: Visit) -> web.Response:
    """Set the password and sign in; the link is used up."""
    services = request.app[SERVICES]
    form = await read_form(request, visit)
    token, password = form.get("token", ""), form.get("password", "")
    try:
        account = await services.threads.call_slow(services.links.use_reset, token, password)
    except LinkInvalid as error:
        return _dead_link(request, visit, error)
    except FormInvalid as error:
        name = await services.threads.call(services.links.account_of, token)
        return _reset(
            request, visit, token=token, name=name, fields=error.fields,
            status=HTTPStatus.BAD_REQUEST,
        )  # fmt: skip
    note(request, "reset password", account.name, account=account.name)
    return await begin(request, account, go_to(f"/{account.name}"))


def _forgot(
    request: web.Request,
    visit: Visit,
    *,
    is_sent: bool = False,
    trouble: str = "",
    status: int = HTTPStatus.OK,
) -> web.Response:
    mails = request.app[SERVICES].recovery is not None
    values = {"mails": mails, "is_sent": is_sent, "trouble": trouble}
    return render(request, visit, "forgot.html", values, status=status)


def _reset(
    request: web.Request,
    visit: Visit,
    *,
    token: str,
    name: str,
    fields: dict[str, str] | None = None,
    status: int = HTTPStatus.OK,
) -> web.Response:
    values = {"token": token, "name": name, "fields": fields or {}}
    response = render(request, visit, "reset.html", values, status=status)
    response.headers["Cache-Control"] = "no-store"
    return response


def _dead_link(request: web.Request, visit: Visit, error: LinkInvalid) -> web.Response:
    values = {
        "title": "This link does not work",
        "text": f"It was used, or its time is over: {error.hint}",
    }
    return render(request, visit, "trouble.html", values, status=HTTPStatus.NOT_FOUND)


def _log_failure(sent: "Future[tuple[str, ...]]") -> None:
    if not sent.cancelled() and sent.exception() is not None:
        logging.getLogger("lamina.hub").error("a link was not sent", exc_info=sent.exception())
