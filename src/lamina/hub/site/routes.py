"""Paths of the site. Repository names hold slashes; `/-/` parts them from what is asked of them."""

import functools
import re
from http import HTTPStatus
from importlib import resources

from aiohttp import web

from lamina.errors import NotFound
from lamina.hub.names import is_repository, part_trouble
from lamina.hub.site import (
    accounts,
    admin,
    audit,
    below,
    lists,
    mirrors,
    new_repository,
    oidc,
    organisations,
    password,
    profile,
    quotas,
    repository,
    retention,
    robots,
    signins,
    tokens,
    webhooks,
)
from lamina.hub.site.framing import framed as _page
from lamina.hub.site.render import SECURITY, go_to
from lamina.hub.site.sessions import Visit

__all__ = ["add_site"]

_BELOW = re.compile(r"/(.+)/-/([a-z-]+)(?:/([^/]+))?")
_STATIC = {
    "style.css": "text/css",
    "copy.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}


def add_site(app: web.Application) -> None:
    """Add the pages to the application."""
    router = app.router
    router.add_get("/", _page(lists.front))
    router.add_get("/register", _page(accounts.register_page))
    router.add_post("/register", _page(accounts.register))
    router.add_get("/signin", _page(accounts.sign_in_page))
    router.add_post("/signin", _page(accounts.sign_in))
    router.add_post("/signout", _page(accounts.sign_out))
    _add_password(router)
    _add_settings(router)
    router.add_get("/settings/tokens", _page(tokens.tokens_page))
    router.add_post("/settings/tokens", _page(tokens.create_token))
    router.add_post("/settings/tokens/revoke", _page(tokens.revoke_token))
    router.add_get("/settings/webhooks", _page(webhooks.own_webhooks))
    router.add_get("/settings/audit", _page(audit.own_audit))
    router.add_get("/settings/retention", _page(retention.own_retention))
    router.add_get("/settings/storage", _page(quotas.own_quota))
    router.add_get("/settings/robots", _page(robots.own_robots))
    router.add_get("/settings/organisations", _page(organisations.own_page))
    router.add_get("/orgs/new", _page(organisations.new_page))
    router.add_post("/orgs/new", _page(organisations.create))
    router.add_get(new_repository.PATH, _page(new_repository.new_page))
    router.add_post(new_repository.PATH, _page(new_repository.create))
    router.add_get("/admin", _page(admin.hub_page))
    router.add_get("/admin/accounts", _page(admin.accounts_page))
    router.add_get("/admin/organisations", _page(organisations.admin_page))
    router.add_post(
        "/admin/accounts/{verb:reset|disable|enable|make-admin|unmake-admin}",
        _page(admin.change_account),
    )
    router.add_post("/admin/invite", _page(admin.invite))
    router.add_post("/admin/withdraw", _page(admin.withdraw_link))
    router.add_get("/admin/mirrors", _page(mirrors.mirrors_page))
    router.add_post("/admin/mirrors/{verb}", _page(mirrors.change_mirrors))
    router.add_get("/admin/audit", _page(audit.audit_page))
    router.add_get("/admin/audit.jsonl", _page(audit.audit_lines), allow_head=False)
    router.add_get("/static/{name}", _static)
    router.add_get("/favicon.ico", _static)
    router.add_route("*", "/{path:.*}", _page(_below))


def _add_password(router: web.UrlDispatcher) -> None:
    router.add_get("/signin/forgot", _page(password.forgot_page))
    router.add_post("/signin/forgot", _page(password.forgot))
    router.add_get("/signin/reset", _page(password.reset_page))
    router.add_post("/signin/reset", _page(password.reset))
    router.add_get("/signin/oidc", _page(oidc.oidc_start))
    router.add_get("/signin/oidc/back", _page(oidc.oidc_back))
    router.add_post("/signin/oidc/name", _page(oidc.oidc_name))


def _add_settings(router: web.UrlDispatcher) -> None:
    router.add_get("/settings", _page(profile.profile_page))
    router.add_get("/settings/profile", _page(profile.profile_page))
    router.add_post("/settings/profile", _page(profile.change_profile))
    router.add_get("/settings/password", _page(password.password_page))
    router.add_post("/settings/password", _page(password.change_password))
    router.add_get("/settings/sessions", _page(signins.sessions_page))
    router.add_post("/settings/sessions/end", _page(signins.end_session))
    router.add_post("/settings/sessions/end-others", _page(signins.end_others))
    router.add_get("/settings/identities", _page(oidc.identities_page))
    router.add_post("/settings/identities", _page(oidc.connect))
    router.add_post("/settings/identities/disconnect", _page(oidc.disconnect))
    router.add_get("/settings/delete", _page(profile.departure_page))
    router.add_post("/settings/delete", _page(profile.delete_account))


async def _below(request: web.Request, visit: Visit) -> web.Response:
    """Answer for people, repositories and what is in them."""
    path = request.path
    match = _BELOW.fullmatch(path)
    if match is None:
        return await _named(request, visit, path.strip("/"))
    name, what, rest = match[1], match[2], match[3] or ""
    return await below.answer(request, visit, name, what, rest)


async def _named(request: web.Request, visit: Visit, name: str) -> web.Response:
    if request.method not in ("GET", "HEAD"):
        raise NotFound("there is no such page")
    if is_repository(name):
        return await repository.repository(request, visit, name)
    namespace, plus, _ = name.partition("+")
    if plus and not part_trouble(namespace):  # a robot, as it stands beside what it pushed
        return go_to(f"/{namespace}")
    found = await organisations.organisation(request, visit, name)
    if found is None:
        found = await lists.person(request, visit, name)
    if found is None:
        raise NotFound("there is no such page")
    return found


async def _static(request: web.Request) -> web.StreamResponse:
    """Send one of our three files, from memory."""
    name = request.match_info.get("name", "icon.svg")
    if name not in _STATIC:
        raise web.HTTPNotFound
    body, tag = _file(name)
    headers = {"Cache-Control": "max-age=300", "ETag": tag, **SECURITY}
    if request.headers.get("If-None-Match") == tag:
        return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
    return web.Response(body=body, content_type=_STATIC[name], charset="utf-8", headers=headers)


@functools.cache
def _file(name: str) -> tuple[bytes, str]:
    import hashlib

    body = resources.files("lamina.hub.site").joinpath("static", name).read_bytes()
    return body, f'"{hashlib.sha256(body).hexdigest()[:16]}"'
