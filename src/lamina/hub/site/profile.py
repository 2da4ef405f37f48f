"""The pages of one's profile, and of the end of one's account."""

from collections.abc import Mapping
from http import HTTPStatus

from aiohttp import web

from lamina.hub.errors import (
    FormInvalid,
    LastAdmin,
    LastOwner,
    RepositoriesRemain,
    TagImmutable,
)
from lamina.hub.notes import note
from lamina.hub.profiles import ABOUT_LIMIT
from lamina.hub.site.gate import confirm, for_people
from lamina.hub.site.render import go_to, render
from lamina.hub.site.sessions import Visit, end, read_form
from lamina.hub.tables.accounts import Account
from lamina.hub.tables.profiles import Profile
from lamina.hub.web import SERVICES

__all__ = ["change_profile", "delete_account", "departure_page", "profile_page"]

_PATH = "/settings/profile"


@for_people
async def profile_page(request: web.Request, visit: Visit, account: Account) -> web.Response:
    """Show what a person says of themselves, as a form."""
    services = request.app[SERVICES]
    profile = await services.threads.call(services.profiles.of, account.name)
    return _profile(request, visit, profile, is_saved=request.query.get("saved") == "yes")


@for_people
async def change_profile(request: web.Request, visit: Visit, account: Account) -> web.Response:
    """Keep it; another e-mail wants the password, since links to choose a new one go there."""
    services = request.app[SERVICES]
    form = await read_form(request, visit)
    profile = Profile(
        display_name=form.get("display_name", "").strip(),
        email=form.get("email", "").strip(),
        shows_email=bool(form.get("shows_email")),
        about=form.get("about", "").replace("\r\n", "\n").strip(),
    )
    old = await services.threads.call(services.profiles.of, account.name)
    try:
        if profile.email != old.email:
            await confirm(request, visit, account, form)
        await services.threads.call(services.profiles.change, account.name, profile)
    except FormInvalid as error:
        return _profile(request, visit, profile, fields=error.fields, status=HTTPStatus.BAD_REQUEST)
    note(request, "change profile", account.name, account=account.name)
    return go_to(f"{_PATH}?saved=yes")


@for_people
async def departure_page(request: web.Request, visit: Visit, account: Account) -> web.Response:
    """Say what goes with the account, and ask."""
    return await _departure(request, visit, account, {})


@for_people
async def delete_account(request: web.Request, visit: Visit, account: Account) -> web.Response:
    """Delete it, repositories along if its name was typed; what is wrong is said beside the field."""
    services = request.app[SERVICES]
    form = await read_form(request, visit)
    try:
        await confirm(request, visit, account, form)
        is_typed = form.get("name", "").strip() == account.name

        def work() -> tuple[str, ...]:
            return services.departures.remove(account.name, with_repositories=is_typed)

        removed = await services.threads.call(work)
    except FormInvalid as error:
        fields = error.fields
    except RepositoriesRemain:
        fields = {"name": f"Type {account.name} to delete what is listed above along with it"}
    except (LastAdmin, LastOwner, TagImmutable) as error:
        fields = {"name": f"{error.message[:1].upper()}{error.message[1:]}: {error.hint}"}
    else:
        for name in removed:
            note(request, "delete repository", name, account=account.name)
        note(request, "delete account", account.name, account=account.name)
        return await end(request, visit, go_to("/"))
    return await _departure(request, visit, account, fields, status=HTTPStatus.BAD_REQUEST)


def _profile(
    request: web.Request,
    visit: Visit,
    profile: Profile,
    *,
    fields: Mapping[str, str] | None = None,
    is_saved: bool = False,
    status: int = HTTPStatus.OK,
) -> web.Response:
    values = {
        "profile": profile, "fields": fields or {}, "is_saved": is_saved, "limit": ABOUT_LIMIT,
        "mails": request.app[SERVICES].recovery is not None,
    }  # fmt: skip
    return render(request, visit, "profile.html", values, status=status)


async def _departure(
    request: web.Request,
    visit: Visit,
    account: Account,
    fields: Mapping[str, str],
    *,
    status: int = HTTPStatus.OK,
) -> web.Response:
    services = request.app[SERVICES]
    names = await services.threads.call(services.departures.repositories_of, account.name)
    values = {"names": names, "fields": fields}
    return render(request, visit, "departure.html", values, status=status)
