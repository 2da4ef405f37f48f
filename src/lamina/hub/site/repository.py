"""A repository's page, its tags, its text and its settings."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import urlencode

from aiohttp import web

from lamina.hub.admission import allowed
from lamina.hub.database import Connection
from lamina.hub.errors import FormInvalid, ManifestUnknown
from lamina.hub.names import namespace_of
from lamina.hub.notes import note
from lamina.hub.registry import visible
from lamina.hub.roles import administered
from lamina.hub.site.attachments import commands
from lamina.hub.site.chart import DAYS, chart
from lamina.hub.site.readme import markdown
from lamina.hub.site.render import go_to, render
from lamina.hub.site.sessions import Visit, read_form
from lamina.hub.tables import explorations, repositories, tag_lists
from lamina.hub.tables.explorations import Exploration
from lamina.hub.tables.manifests import Tag
from lamina.hub.tables.repositories import Repository
from lamina.hub.tables.tag_lists import Place
from lamina.hub.web import SERVICES, asked_by, host_of
from lamina.spec.digest import Digest

__all__ = [
    "delete",
    "delete_tags",
    "edit",
    "edit_page",
    "repository",
    "settings",
    "settings_page",
    "tags",
]

_PAGE = 50
_NEWEST = 10
_DAY_S = 86400
_WORD_LIMIT = 128


@dataclass(frozen=True, slots=True)
class _Overview:
    repository: Repository
    tags: tuple[Tag, ...]
    count: int
    may_change: bool
    known: Mapping[Digest, Exploration] = field(default_factory=dict)
    pulls: Mapping[int, int] = field(default_factory=dict)


async def repository(request: web.Request, visit: Visit, name: str) -> web.Response:
    """Show a repository: how to pull it, its newest tags, its README. Raises: NameUnknown, LoginRequired."""
    services = request.app[SERVICES]
    caller, now = visit.caller, services.clock()

    def work(connection: Connection) -> _Overview:
        found = visible(connection, caller, name)
        newest = tag_lists.page(connection, found.id, limit=_NEWEST)
        latest = tag_lists.latest(connection, found.id)
        rest = tuple(tag for tag in newest if latest is None or tag.name != latest.name)
        since = int(now // _DAY_S) - DAYS
        return _Overview(
            found,
            (*([latest] if latest else []), *rest)[:_NEWEST],
            tag_lists.count(connection, found.id),
            "delete" in allowed(connection, caller, name, found),
            explorations.of_tags(connection, found.id, newest),
            repositories.pulls_by_day(connection, found.id, since=since),
        )

    def draw() -> web.Response:
        found = services.database.read(work)
        first = found.tags[0] if found.tags else None
        values = {
            "repository": found.repository,
            "tags": found.tags,
            "count": found.count,
            "may_change": found.may_change,
            "known": found.known,
            "readme": markdown(found.repository.readme) if found.repository.readme else "",
            "chart": chart(found.pulls, now=now),
            "commands": commands(host_of(request), name, first.name, first.artifact_type)
            if first
            else (),
        }
        return render(request, visit, "repository.html", values)

    return await services.threads.call(draw)


async def tags(request: web.Request, visit: Visit, name: str) -> web.Response:
    """List a repository's tags, newest push first, and find them by a part of their name."""
    services = request.app[SERVICES]
    caller = visit.caller
    words = request.query.get("q", "").strip().replace("\0", "")[:_WORD_LIMIT]
    after = _place(request.query.get("after", ""))

    def work(connection: Connection) -> _Overview:
        found = visible(connection, caller, name)
        page = tag_lists.page(connection, found.id, words=words, after=after, limit=_PAGE + 1)
        is_all = after is None and len(page) <= _PAGE
        count = len(page) if is_all else tag_lists.count(connection, found.id, words=words)
        return _Overview(
            found, page, count, "delete" in allowed(connection, caller, name, found),
            explorations.of_tags(connection, found.id, page),
        )  # fmt: skip

    found = await services.threads.call(services.database.read, work)
    shown = found.tags[:_PAGE]
    older = ""
    if len(found.tags) > _PAGE:
        query = {"q": words} if words else {}
        older = urlencode({**query, "after": f"{shown[-1].pushed_at!r}~{shown[-1].name}"})
    values = {
        "repository": found.repository,
        "tags": shown,
        "count": found.count,
        "words": words,
        "known": found.known,
        "is_first": after is None,
        "older": older,
        "may_change": found.may_change,
    }
    return render(request, visit, "tags.html", values)


def _place(text: str) -> Place | None:
    """Read where a list goes on; what cannot be read is its beginning."""
    moment, tilde, name = text.replace("\0", "").partition("~")
    try:
        found = float(moment)
    except ValueError:
        return None
    return Place(found, name) if tilde and math.isfinite(found) else None


async def _read(request: web.Request, work: Callable[[Connection], Repository]) -> Repository:
    services = request.app[SERVICES]
    return await services.threads.call(services.database.read, work)


async def edit_page(request: web.Request, visit: Visit, name: str) -> web.Response:
    """Show the form for a repository's summary and README."""
    found = await _read(request, lambda connection: administered(connection, visit.caller, name))
    values = {"repository": found, "summary": found.summary, "readme": found.readme, "fields": {}}
    return render(request, visit, "edit.html", values)


async def edit(request: web.Request, visit: Visit, name: str) -> web.Response:
    """Set a repository's summary and README."""
    services = request.app[SERVICES]
    form = await read_form(request, visit)
    summary, readme = form.get("summary", ""), form.get("readme", "")
    try:
        await services.threads.call(
            lambda: services.repositories.change(visit.caller, name, summary=summary, readme=readme)
        )
    except FormInvalid as error:
        found = await _read(
            request, lambda connection: administered(connection, visit.caller, name)
        )
        fields = {"summary": "", "readme": "", **error.fields}
        values = {"repository": found, "summary": summary, "readme": readme, "fields": fields}
        return render(request, visit, "edit.html", values, status=HTTPStatus.BAD_REQUEST)
    note(request, "describe", name, account=visit.caller.name)
    return go_to(f"/{name}")


async def settings_page(request: web.Request, visit: Visit, name: str) -> web.Response:
    """Show who may see a repository, its tags to delete, and how to delete it."""
    services = request.app[SERVICES]

    def work(connection: Connection) -> _Overview:
        found = administered(connection, visit.caller, name)
        newest = tag_lists.page(connection, found.id, limit=_PAGE)
        return _Overview(found, newest, tag_lists.count(connection, found.id), may_change=True)

    found = await services.threads.call(services.database.read, work)
    values = {
        "repository": found.repository,
        "tags": found.tags,
        "count": found.count,
        "trouble": "",
    }
    return render(request, visit, "settings.html", values)


async def settings(request: web.Request, visit: Visit, name: str) -> web.Response:
    """Make a repository private or public."""
    services = request.app[SERVICES]
    form = await read_form(request, visit)
    is_private = form.get("visibility") == "private"
    await services.threads.call(
        lambda: services.repositories.change(visit.caller, name, is_private=is_private)
    )
    action = "make private" if is_private else "make public"
    note(request, action, name, account=visit.caller.name)
    return go_to(f"/{name}/-/settings")


async def delete_tags(request: web.Request, visit: Visit, name: str) -> web.Response:
    """Delete the tags that were chosen; those that are gone already are passed over."""
    services = request.app[SERVICES]
    form = await read_form(request, visit)
    asked = asked_by(request)
    chosen = dict.fromkeys(tag for tag in form.getall("tag", []) if ":" not in tag)

    def work(tag: str) -> bool:
        try:
            services.registry.delete_reference(visit.caller, name, tag, asked=asked)
        except ManifestUnknown:
            return False
        return True

    if not chosen:
        await _read(request, lambda connection: administered(connection, visit.caller, name))
    for tag in chosen:
        if await services.threads.call(work, tag):
            note(request, "delete", f"{name}:{tag}", account=visit.caller.name)
    return go_to(f"/{name}/-/tags")


async def delete(request: web.Request, visit: Visit, name: str) -> web.Response:
    """Delete a whole repository, once its name was typed."""
    services = request.app[SERVICES]
    form = await read_form(request, visit)
    if form.get("confirm", "").strip() != name:
        found = await _read(
            request, lambda connection: administered(connection, visit.caller, name)
        )
        values = {
            "repository": found,
            "tags": (),
            "count": 0,
            "trouble": f"Type {name} to delete it",
        }
        return render(request, visit, "settings.html", values, status=HTTPStatus.BAD_REQUEST)
    asked = asked_by(request)
    await services.threads.call(
        lambda: services.registry.remove_repository(visit.caller, name, asked=asked)
    )
    note(request, "delete repository", name, account=visit.caller.name)
    return go_to(f"/{namespace_of(name)}")
