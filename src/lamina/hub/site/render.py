"""Pages: templates, and the headers every page carries."""

import functools
from collections.abc import Mapping
from http import HTTPStatus

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from lamina.hub import words
from lamina.hub.site import navigation
from lamina.hub.site.sessions import Visit
from lamina.hub.tables.repositories import MANY_TAGS
from lamina.hub.web import SERVICES, host_of, is_secure

__all__ = ["SECURITY", "go_to", "render"]

SECURITY = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
        " form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("lamina.hub.site", "templates"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.globals.update(navigation=navigation.items)
    environment.filters.update(
        size=words.size, count=words.count, moment=words.moment, tags=_tags, visible=words.visible
    )
    return environment


def render(
    request: web.Request,
    visit: Visit,
    template: str,
    values: Mapping[str, object],
    *,
    status: int = HTTPStatus.OK,
) -> web.Response:
    """Answer with a page. Templates also get `host`, `path`, `visit`, `ago` and `is_secure`."""
    now = request.app[SERVICES].clock()

    def ago(since: float) -> str:
        return words.age(now - since)

    known = {
        "host": host_of(request), "path": request.path, "visit": visit, "ago": ago,
        "is_secure": is_secure(request),
    }  # fmt: skip
    text = _environment().get_template(template).render(**known, **values)
    return web.Response(
        text=text,
        status=status,
        content_type="text/html",
        headers={"Cache-Control": "no-store" if visit.account else "no-cache", "Vary": "Cookie"},
    )


def go_to(path: str) -> web.Response:
    """Answer with where to go on, by GET."""
    return web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": path})


def _tags(count: int) -> str:
    """Give how many tags a list counted, which goes no further than `MANY_TAGS`."""
    if count >= MANY_TAGS:
        return f"{MANY_TAGS} tags or more"
    return f"{count} tag{'' if count == 1 else 's'}"
