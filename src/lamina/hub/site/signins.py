"""The page of one's sessions: where one is signed in, and signing out there."""

from aiohttp import web

from lamina.hub.notes import note
from lamina.hub.site.gate import for_people
from lamina.hub.site.render import go_to, render
from lamina.hub.site.sessions import Visit, read_form
from lamina.hub.tables.accounts import Account
from lamina.hub.web import SERVICES

__all__ = ["browser", "end_others", "end_session", "sessions_page"]

_PATH = "/settings/sessions"
_BROWSERS = (
    ("Edg", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chromium/", "Chromium"),
    ("Chrome/", "Chrome"), ("Safari/", "Safari"), ("curl/", "curl"),
)  # fmt: skip
_SYSTEMS = (
    ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"),
    ("Mac OS", "macOS"), ("CrOS", "ChromeOS"), ("Linux", "Linux"),
)  # fmt: skip


def browser(agent: str) -> str:
    """Give a User-Agent in a few words: `Firefox on Linux`; what names no browser, as it is."""
    names = [
        next((name for sign, name in signs if sign in agent), "") for signs in (_BROWSERS, _SYSTEMS)
    ]
    return " on ".join(filter(None, names)) or agent or "Something that does not say"


@for_people
async def sessions_page(request: web.Request, visit: Visit, account: Account) -> web.Response:
    """List the sessions, this one marked."""
    services = request.app[SERVICES]
    found = await services.threads.call(services.sessions.of, account)
    rows = [(browser(each.agent), each) for each in found]
    return render(request, visit, "signins.html", {"rows": rows})


@for_people
async def end_session(request: web.Request, visit: Visit, account: Account) -> web.Response:
    """Sign out one browser."""
    services = request.app[SERVICES]
    form = await read_form(request, visit)
    session_id = form.get("id", "")
    await services.threads.call(services.sessions.end_one, account, session_id)
    note(request, "end session", session_id, account=account.name)
    return go_to(_PATH)


@for_people
async def end_others(request: web.Request, visit: Visit, account: Account) -> web.Response:
    """Sign out everywhere but here, and end the logins that Docker's clients keep."""
    services = request.app[SERVICES]
    await read_form(request, visit)
    await services.threads.call(services.sessions.end_others, account, visit.session)
    note(request, "end session", "all others", account=account.name)
    return go_to(_PATH)
