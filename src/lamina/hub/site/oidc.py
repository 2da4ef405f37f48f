"""Pages to sign in by way of another site, and to connect an account with one.

What belongs to one attempt lies in a cookie that we signed, together with the form cookie: only the
browser that began comes to an end, on whichever replica. To connect wants a form of ours and the
password, or somebody signed in there as themselves could be made to open their account to a stranger.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from http import HTTPStatus

from aiohttp import web

from lamina.errors import Invalid, LaminaError, NotFound
from lamina.hub.errors import FormInvalid, NameTaken
from lamina.hub.names import name_trouble
from lamina.hub.notes import note
from lamina.hub.oidc import Claims, Flow, Provider, SignInRefused, SiteUnavailable
from lamina.hub.site.accounts import safe_next, show_sign_in
from lamina.hub.site.gate import confirm, for_people
from lamina.hub.site.render import go_to, render
from lamina.hub.site.sessions import Visit, begin, read_form
from lamina.hub.tables.accounts import Account
from lamina.hub.web import SERVICES, is_secure, url_of
from lamina.spec.wire import decode, encode

__all__ = ["connect", "disconnect", "identities_page", "oidc_back", "oidc_name", "oidc_start"]

_COOKIE = "lamina_oidc"
_PATH = "/settings/identities"
_LIFE_S = 600
_FLOW, _CLAIMS = "flow", "claims"


async def oidc_start(request: web.Request, visit: Visit) -> web.Response:
    """Send the person to the other site."""
    provider, target = _provider(request), safe_next(request.query.get("next", "/"))
    if visit.account:
        return go_to(target)
    try:
        return await _leave(request, visit, provider, {"next": target})
    except SiteUnavailable as error:
        return show_sign_in(
            request, visit, trouble=_words(error), target=target, status=HTTPStatus.BAD_GATEWAY
        )


async def oidc_back(request: web.Request, visit: Visit) -> web.Response:
    """Take the person back: sign in, connect the account, or ask a newcomer for a name."""
    services, provider = request.app[SERVICES], _provider(request)
    target = "/"
    try:
        kept = _open(request, visit, _FLOW)
        target = safe_next(kept.get("next", "/"))
        claims = await _redeem(request, provider, kept)
        if kept.get("account"):
            return await _connected(request, visit, claims, kept["account"])
        account = await services.threads.call(services.identities.find, claims)
        if account is not None:
            note(request, "sign in", account.name, account=account.name)
            return _forget(await begin(request, account, go_to(target)))
        if not provider.settings.registers:
            raise SignInRefused(
                f"no account here is connected to {claims.label}",
                hint="sign in with your password and connect it in the settings",
            )
    except SiteUnavailable as error:
        trouble, status = _words(error), HTTPStatus.BAD_GATEWAY
    except LaminaError as error:
        note(request, "login refused", f"by {provider.settings.issuer}", account="")
        trouble, status = _words(error), HTTPStatus.FORBIDDEN
    else:
        return _name_page(request, visit, claims, name=_suggest(claims), target=target)
    return _forget(show_sign_in(request, visit, trouble=trouble, target=target, status=status))


async def oidc_name(request: web.Request, visit: Visit) -> web.Response:
    """Make a newcomer's account under the name they chose, and sign in."""
    services, provider = request.app[SERVICES], _provider(request)
    form = await read_form(request, visit)
    kept = _open(request, visit, _CLAIMS)
    claims = Claims(*(kept[part] for part in ("issuer", "subject", "name", "email", "nickname")))
    name, target = form.get("name", "").strip(), safe_next(kept.get("next", "/"))
    if not provider.settings.registers or claims.issuer != provider.settings.issuer:
        raise SignInRefused("nobody registers here that way")
    try:
        account = await services.threads.call(services.identities.register, claims, name)
    except FormInvalid as error:
        fields, status = error.fields, HTTPStatus.BAD_REQUEST
    except NameTaken as error:
        fields, status = {"name": _words(error)}, HTTPStatus.CONFLICT
    else:
        note(request, "register", account.name, account=account.name)
        where = f"/{account.name}" if target == "/" else target
        return _forget(await begin(request, account, go_to(where)))
    return _name_page(
        request, visit, claims, name=name, target=target, fields=fields, status=status
    )


@for_people
async def identities_page(request: web.Request, visit: Visit, account: Account) -> web.Response:
    """Show by way of what sites an account signs in."""
    return await _identities(request, visit, account, {})


@for_people
async def connect(request: web.Request, visit: Visit, account: Account) -> web.Response:
    """Show the way to the other site, from where one comes back connected.

    A link, since no form of ours may lead elsewhere: the content policy says so.
    """
    provider = _provider(request)
    form = await read_form(request, visit)
    try:
        await confirm(request, visit, account, form)
        answer = await _leave(request, visit, provider, {"account": account.name})
    except FormInvalid as error:
        return await _identities(
            request, visit, account, error.fields, status=HTTPStatus.BAD_REQUEST
        )
    page = await _identities(request, visit, account, {}, way=answer.headers["Location"])
    for name, morsel in answer.cookies.items():
        page.cookies[name] = morsel
    return page


@for_people
async def disconnect(request: web.Request, visit: Visit, account: Account) -> web.Response:
    """End a way to sign in."""
    services = request.app[SERVICES]
    form = await read_form(request, visit)
    issuer = form.get("issuer", "")
    try:
        await services.threads.call(services.identities.disconnect, account, issuer)
    except FormInvalid as error:
        return await _identities(
            request, visit, account, error.fields, status=HTTPStatus.BAD_REQUEST
        )
    note(request, "disconnect identity", issuer, account=account.name)
    return go_to(_PATH)


def _provider(request: web.Request) -> Provider:
    provider = request.app[SERVICES].provider
    if provider is None:
        raise NotFound("there is no such page")
    return provider


async def _leave(
    request: web.Request, visit: Visit, provider: Provider, kept: Mapping[str, str]
) -> web.Response:
    """Answer with the way to the other site, and the cookie of this attempt. Raises: SiteUnavailable."""
    flow = Flow.begin()

    def work() -> str:
        return provider.address(flow, redirect=_redirect(request))

    response = go_to(await request.app[SERVICES].threads.call_away(work))
    parts = {"state": flow.state, "nonce": flow.nonce, "verifier": flow.verifier, **kept}
    _seal(request, visit, response, _FLOW, parts)
    return response


async def _redeem(request: web.Request, provider: Provider, kept: Mapping[str, str]) -> Claims:
    """Give whom the other site vouches for. Raises: SignInRefused, SiteUnavailable."""
    query, state = request.query, request.query.get("state", "")
    if not hmac.compare_digest(state.encode(), kept["state"].encode()):
        raise SignInRefused("this answer belongs to another attempt to sign in", hint="try again")
    if query.get("iss", provider.settings.issuer) != provider.settings.issuer:  # RFC 9207
        raise SignInRefused("another site than the one that was asked has answered")
    if "error" in query:
        raise SignInRefused(f"the other site says: {query['error'][:100]}")
    flow = Flow(kept["state"], kept["nonce"], kept["verifier"])

    def work() -> Claims:
        if "iss" not in query and provider.says_who_it_is:
            raise SignInRefused("the answer does not say which site it is of")
        return provider.redeem(query.get("code", ""), flow, redirect=_redirect(request))

    return await request.app[SERVICES].threads.call_away(work)


async def _connected(request: web.Request, visit: Visit, claims: Claims, name: str) -> web.Response:
    services = request.app[SERVICES]
    if visit.account is None or visit.account.name != name:
        raise SignInRefused("somebody else is signed in by now", hint="try again")
    await services.threads.call(services.identities.connect, claims, visit.account)
    note(request, "connect identity", claims.label, account=name)
    return _forget(go_to(_PATH))


def _name_page(
    request: web.Request,
    visit: Visit,
    claims: Claims,
    *,
    name: str,
    target: str,
    fields: Mapping[str, str] | None = None,
    status: int = HTTPStatus.OK,
) -> web.Response:
    values = {"name": name, "label": claims.label, "fields": fields or {}}
    response = render(request, visit, "oidc.html", values, status=status)
    parts = {
        "issuer": claims.issuer, "subject": claims.subject, "name": claims.name,
        "email": claims.email, "nickname": claims.nickname, "next": target,
    }  # fmt: skip
    _seal(request, visit, response, _CLAIMS, parts)
    return response


async def _identities(
    request: web.Request,
    visit: Visit,
    account: Account,
    fields: Mapping[str, str],
    *,
    way: str = "",
    status: int = HTTPStatus.OK,
) -> web.Response:
    services = request.app[SERVICES]
    oidc = services.settings.oidc
    found = await services.threads.call(services.identities.of, account)
    values = {
        "identities": found, "other": oidc.name if oidc else "", "fields": fields, "way": way,
        "is_connected": oidc is not None and any(each.issuer == oidc.issuer for each in found),
    }  # fmt: skip
    return render(request, visit, "identities.html", values, status=status)


def _redirect(request: web.Request) -> str:
    return f"{url_of(request)}/signin/oidc/back"


def _suggest(claims: Claims) -> str:
    """Give a name that the person may want, if one of theirs can be one here."""
    for text in (claims.nickname, claims.email.partition("@")[0]):
        if not name_trouble(text.lower()):
            return text.lower()
    return ""


def _words(error: LaminaError) -> str:
    text = error.message[:1].upper() + error.message[1:]
    return f"{text}: {error.hint}" if error.hint else text


def _seal(
    request: web.Request,
    visit: Visit,
    response: web.StreamResponse,
    purpose: str,
    parts: Mapping[str, str],
) -> None:
    """Have the browser hold `parts` for some minutes, signed by us for it and this purpose."""
    services = request.app[SERVICES]
    ends = str(services.clock() + _LIFE_S)
    payload = base64.urlsafe_b64encode(encode({**parts, "ends": ends})).decode()
    response.set_cookie(
        _COOKIE,
        f"{payload}.{_mark(request, visit, purpose, payload)}",
        max_age=_LIFE_S,
        path="/signin/oidc",
        httponly=True,
        samesite="Lax",
        secure=is_secure(request),
    )


def _open(request: web.Request, visit: Visit, purpose: str) -> dict[str, str]:
    """Give what this browser holds for us. Raises: SignInRefused."""
    services = request.app[SERVICES]
    payload, _, mark = request.cookies.get(_COOKIE, "").partition(".")
    try:
        if hmac.compare_digest(mark.encode(), _mark(request, visit, purpose, payload).encode()):
            parts = decode(base64.urlsafe_b64decode(payload), what="cookie")
            if float(parts["ends"]) > services.clock():
                return {name: str(value) for name, value in parts.items()}
    except (ValueError, Invalid):
        pass
    raise SignInRefused("that took too long, or began in another browser", hint="try again")


def _mark(request: web.Request, visit: Visit, purpose: str, payload: str) -> str:
    text = f"oidc {purpose}\0{visit.form_cookie}\0{payload}".encode("utf-8", "surrogatepass")
    return hmac.new(request.app[SERVICES].form_key, text, hashlib.sha256).hexdigest()


def _forget(response: web.Response) -> web.Response:
    response.del_cookie(_COOKIE, path="/signin/oidc")
    return response
