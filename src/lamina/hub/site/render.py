"""Pages: templates, Markdown and the headers every page carries."""

import functools
from collections.abc import Mapping
from http import HTTPStatus

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from lamina.hub.site import navigation, words
from lamina.hub.site.sessions import Visit
from lamina.hub.web import SERVICES, host_of, is_secure

__all__ = ["SECURITY", "go_to", "markdown", "render"]

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
    environment.filters.update(size=words.size, count=words.count, moment=words.moment)
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


def markdown(text: str) -> Markup:
    """Give Markdown as HTML that can do no harm: no scripts, no styles, links without referrer."""
    import nh3
    from markdown_it import MarkdownIt

    html = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).render(text)
    clean = nh3.clean(
        html,
        tags={
            "a", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr",
            "img", "li", "ol", "p", "pre", "s", "strong", "table", "tbody", "td", "th", "thead",
            "tr", "ul",
        },
        attributes={"a": {"href", "title"}, "img": {"src", "alt", "title"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
    )  # fmt: skip
    return Markup(clean)  # noqa: S704 - just cleaned
