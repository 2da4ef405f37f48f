"""Who visits: the session cookie, and the token that proves a form came from our own page.

Every visitor carries a random form cookie; a form's hidden field is its keyed hash together with
the session, so neither another site nor another visitor can make one. A request that says it comes
from another origin is refused before that.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from multidict import MultiDict, MultiDictProxy

from lamina.errors import Denied
from lamina.hub.access import ANONYMOUS, Caller
from lamina.hub.sessions import Sessions
from lamina.hub.tables.accounts import Account
from lamina.hub.tables.sessions import Session
from lamina.hub.web import SERVICES, client_address, host_of, is_secure

__all__ = ["FormForged", "Visit", "begin", "end", "read_form", "visit_of", "with_cookies"]

_SESSION, _FORM = "lamina_session", "lamina_form"
_FORM_LIFE_S = 30 * 86400


class FormForged(Denied):
    """The form did not come from one of our pages, or the page is too old."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One request to the site: who is signed in (maybe nobody), and its forms' token.

    `session` is what the browser holds, `session_id` what lists call it, `since` when it began.
    """

    account: Account | None
    session: str
    form_cookie: str
    is_new: bool
    form_token: str
    session_id: str = ""
    since: float = 0.0

    @property
    def caller(self) -> Caller:
        """The visitor as the one who asks."""
        if self.account is None:
            return ANONYMOUS
        return Caller(self.account.name, self.account.is_admin)


async def visit_of(request: web.Request) -> Visit:
    """Give who visits, by the cookies."""
    services = request.app[SERVICES]
    session = request.cookies.get(_SESSION, "")
    form_cookie = request.cookies.get(_FORM, "")
    is_new = not (form_cookie and form_cookie.isascii())  # bytes of no alphabet are none of ours
    if is_new:
        form_cookie = secrets.token_urlsafe(24)
    account, session_id, since = None, "", 0.0
    if session:
        address = client_address(request)
        found = await services.threads.call(_find, services.sessions, session, address)
        if found is None:
            session = ""
        else:
            account, session_id, since = found[0], found[1].id, found[1].created_at
    token = hmac.new(
        services.form_key, f"{form_cookie}\0{session}".encode(), hashlib.sha256
    ).hexdigest()
    return Visit(account, session, form_cookie, is_new, token, session_id, since)


def _find(sessions: Sessions, token: str, address: str) -> tuple[Account, Session] | None:
    return sessions.find(token, address=address)


def with_cookies(request: web.Request, visit: Visit, response: web.StreamResponse) -> None:
    """Give a new visitor their form cookie."""
    if visit.is_new and not response.prepared:
        _set(request, response, _FORM, visit.form_cookie, _FORM_LIFE_S)


async def read_form(request: web.Request, visit: Visit) -> MultiDictProxy[str]:
    """Give a form's text fields after checking that it is ours. Raises: FormForged."""
    origin = request.headers.get("Origin")
    if origin not in (None, "null") and urlsplit(origin or "").netloc != host_of(request):
        raise FormForged("this form was sent by another site")
    try:
        fields = await request.post()
        texts = MultiDict((name, value) for name, value in fields.items() if isinstance(value, str))
        # a charset such as utf-7 can say half a sign, which nothing behind here could keep
        "".join(part for each in texts.items() for part in each).encode()
    except (ValueError, LookupError, HttpProcessingError) as error:  # no parts, no charset
        raise FormForged(
            "this form cannot be read", hint="reload the page and send it again"
        ) from error
    token = texts.get("form_token", "")
    if not hmac.compare_digest(token.encode(), visit.form_token.encode()):
        raise FormForged(
            "this page was open for too long", hint="go back, reload it and send it again"
        )
    return MultiDictProxy(texts)


async def begin(request: web.Request, account: Account, response: web.Response) -> web.Response:
    """Sign `account` in on this browser."""
    services = request.app[SERVICES]
    address, agent = client_address(request), request.headers.get("User-Agent", "")

    def work() -> str:
        return services.sessions.begin(account, address=address, agent=agent)

    token = await services.threads.call(work)
    _set(request, response, _SESSION, token, services.settings.session_s)
    return response


async def end(request: web.Request, visit: Visit, response: web.Response) -> web.Response:
    """Sign out here."""
    services = request.app[SERVICES]
    if visit.session:
        await services.threads.call(services.sessions.end, visit.session)
    response.del_cookie(_SESSION, path="/")
    return response


def _set(
    request: web.Request, response: web.StreamResponse, name: str, value: str, life_s: int
) -> None:
    response.set_cookie(
        name,
        value,
        max_age=life_s,
        path="/",
        httponly=True,
        samesite="Lax",
        secure=is_secure(request),
    )
