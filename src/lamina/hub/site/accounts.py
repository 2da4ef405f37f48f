"""Pages to register, sign in and sign out."""

from http import HTTPStatus

from aiohttp import web

from lamina.hub.errors import (
    AccountDisabled,
    CredentialsRefused,
    FormInvalid,
    LinkInvalid,
    NameTaken,
    TooManyAttempts,
)
from lamina.hub.notes import note, note_refused
from lamina.hub.site.render import go_to, render
from lamina.hub.site.sessions import Visit, begin, end, read_form
from lamina.hub.tables.accounts import Account
from lamina.hub.web import SERVICES, client_address

__all__ = [
    "register",
    "register_page",
    "safe_next",
    "show_sign_in",
    "sign_in",
    "sign_in_page",
    "sign_out",
]


def safe_next(target: str) -> str:
    """Give where to go on: a path of ours, never another site."""
    is_ours = target.startswith("/") and not target.startswith(("//", "/\\"))
    return target if is_ours and target.isprintable() and "\\" not in target else "/"


async def register_page(request: web.Request, visit: Visit) -> web.Response:
    """Show the form to register."""
    if visit.account:
        return go_to(f"/{visit.account.name}")
    invitation = request.query.get("invitation", "")
    if invitation and not await _is_good(request, invitation):
        words = {
            "title": "This link does not work",
            "text": "It was used, or its time is over: ask for another",
        }
        return render(request, visit, "trouble.html", words, status=HTTPStatus.NOT_FOUND)
    values = {**_open(request, invitation),
        "name": "", "fields": {}, "invitation": invitation,
        "next": safe_next(request.query.get("next", "/")),
    }  # fmt: skip
    return render(request, visit, "register.html", values)


async def register(request: web.Request, visit: Visit) -> web.Response:
    """Make an account and sign it in; what is wrong is said beside the field."""
    services = request.app[SERVICES]
    form = await read_form(request, visit)
    name, password = form.get("name", "").strip(), form.get("password", "")
    invitation = form.get("invitation", "")

    def work() -> Account:
        return services.links.enter(
            name, password, invitation=invitation, mode=services.settings.registration
        )

    try:
        account = await services.threads.call_slow(work)
    except FormInvalid as error:
        fields, status = error.fields, HTTPStatus.BAD_REQUEST
    except NameTaken:
        fields = {"name": f"The name {name!r} is taken; choose another"}
        status = HTTPStatus.CONFLICT
    else:
        target = safe_next(form.get("next", "/"))
        note(request, "register", account.name, account=account.name)
        where = f"/{account.name}" if target == "/" else target
        return await begin(request, account, go_to(where))
    values = {**_open(request, invitation),
        "name": name, "fields": fields, "invitation": invitation,
        "next": safe_next(form.get("next", "/")),
    }  # fmt: skip
    return render(request, visit, "register.html", values, status=status)


def _open(request: web.Request, invitation: str) -> dict[str, object]:
    mode = request.app[SERVICES].settings.registration
    return {
        "is_open": mode == "open" or (mode == "invitation" and bool(invitation)),
        "by_invitation": mode == "invitation",
    }


async def _is_good(request: web.Request, invitation: str) -> bool:
    services = request.app[SERVICES]
    try:
        await services.threads.call(services.links.check_invitation, invitation)
    except LinkInvalid:
        return False
    return True


async def sign_in_page(request: web.Request, visit: Visit) -> web.Response:
    """Show the form to sign in."""
    target = safe_next(request.query.get("next", "/"))
    if visit.account:
        return go_to(target)
    return show_sign_in(request, visit, target=target)


def show_sign_in(
    request: web.Request,
    visit: Visit,
    *,
    name: str = "",
    trouble: str = "",
    target: str = "/",
    status: int = HTTPStatus.OK,
) -> web.Response:
    """Give the page to sign in, with what went wrong before; `target` is where to go on."""
    oidc = request.app[SERVICES].settings.oidc
    values = {
        "name": name, "trouble": trouble, "next": target, "other": oidc.name if oidc else "",
    }  # fmt: skip
    return render(request, visit, "signin.html", values, status=status)


async def sign_in(request: web.Request, visit: Visit) -> web.Response:
    """Check the password and sign in."""
    services = request.app[SERVICES]
    form = await read_form(request, visit)
    name, target = form.get("name", ""), safe_next(form.get("next", "/"))
    try:
        account = await services.threads.call_slow(
            services.accounts.login, name, form.get("password", ""), client_address(request)
        )
    except AccountDisabled:
        note_refused(request, name)
        trouble, status = "This account is disabled: ask the hub's admin", HTTPStatus.UNAUTHORIZED
    except CredentialsRefused:
        note_refused(request, name)
        trouble, status = "The name and the password do not match", HTTPStatus.UNAUTHORIZED
    except TooManyAttempts as error:
        trouble, status = f"Too many wrong passwords: {error.hint}", HTTPStatus.TOO_MANY_REQUESTS
    else:
        note(request, "sign in", account.name, account=account.name)
        return await begin(request, account, go_to(target))
    return show_sign_in(request, visit, name=name, trouble=trouble, target=target, status=status)


async def sign_out(request: web.Request, visit: Visit) -> web.Response:
    """End this session."""
    await read_form(request, visit)
    if visit.account:
        note(request, "sign out", visit.account.name, account=visit.account.name)
    return await end(request, visit, go_to("/"))
