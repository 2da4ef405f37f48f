"""A repository's page, its text, its settings, and the page of one tag or manifest."""

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from aiohttp import web

from lamina.errors import LaminaError
from lamina.hub.admission import allowed
from lamina.hub.database import Connection
from lamina.hub.errors import BlobUnknown, ManifestUnknown
from lamina.hub.names import namespace_of
from lamina.hub.notes import note
from lamina.hub.registry import check_reference, visible
from lamina.hub.roles import administered
from lamina.hub.services import Services
from lamina.hub.site.image import Picture, picture
from lamina.hub.site.lists import page_number
from lamina.hub.site.render import go_to, markdown, render
from lamina.hub.site.sessions import Visit, read_form
from lamina.hub.tables import manifests, repositories
from lamina.hub.tables.manifests import StoredManifest, Tag
from lamina.hub.tables.repositories import Repository
from lamina.hub.web import SERVICES, asked_by
from lamina.spec.descriptor import MediaType
from lamina.spec.digest import Digest

__all__ = [
    "delete",
    "delete_tag",
    "edit",
    "edit_page",
    "image",
    "repository",
    "settings",
    "settings_page",
]

_PAGE = 50
_SUMMARY_LIMIT, _README_LIMIT = 160, 100_000
_PREFERRED = "linux/amd64"


@dataclass(frozen=True, slots=True)
class _Overview:
    repository: Repository
    tags: tuple[Tag, ...]
    count: int
    may_change: bool


@dataclass(frozen=True, slots=True)
class _Image:
    repository: Repository
    top: StoredManifest
    shown: StoredManifest
    names: tuple[str, ...]
    platforms: tuple[str, ...]
    platform: str
    may_change: bool


async def repository(request: web.Request, visit: Visit, name: str) -> web.Response:
    """Show a repository. Raises: NameUnknown, LoginRequired."""
    services = request.app[SERVICES]
    number = page_number(request)
    caller = visit.caller

    def work(connection: Connection) -> _Overview:
        found = visible(connection, caller, name)
        offset = (number - 1) * _PAGE
        return _Overview(
            found,
            manifests.tags(connection, found.id, limit=_PAGE + 1, offset=offset),
            manifests.count_tags(connection, found.id),
            "delete" in allowed(connection, caller, name, found),
        )

    found = await services.threads.call(services.database.read, work)
    values = {
        "repository": found.repository,
        "tags": found.tags[:_PAGE],
        "count": found.count,
        "page": number,
        "has_next": len(found.tags) > _PAGE,
        "may_change": found.may_change,
        "readme": markdown(found.repository.readme) if found.repository.readme else "",
    }
    return render(request, visit, "repository.html", values)


async def image(request: web.Request, visit: Visit, name: str, reference: str) -> web.Response:
    """Show one tag or manifest: configuration and layers. Raises: ManifestUnknown, …."""
    services = request.app[SERVICES]
    caller = visit.caller
    check_reference(reference)
    wanted = request.query.get("platform", "")

    def work(connection: Connection) -> _Image:
        found = visible(connection, caller, name)
        top = manifests.get(connection, found.id, reference)
        names = manifests.tags_of(connection, top.id)
        shown, platform, platforms = _choose(connection, top, wanted)
        may_change = "delete" in allowed(connection, caller, name, found)
        return _Image(found, top, shown, names, platforms, platform, may_change)

    def draw() -> tuple[_Image, Picture]:
        found = services.database.read(work)
        return found, _picture(services, found.shown)

    found, drawn = await services.threads.call(draw)
    values = {
        "repository": found.repository,
        "reference": reference,
        "is_tag": ":" not in reference,
        "top": found.top,
        "shown": found.shown,
        "is_index": found.top.media_type in MediaType.INDEXES,
        "names": found.names,
        "platforms": found.platforms,
        "platform": found.platform,
        "picture": drawn,
        "may_change": found.may_change,
    }
    return render(request, visit, "image.html", values)


def _choose(
    connection: Connection, top: StoredManifest, wanted: str
) -> tuple[StoredManifest, str, tuple[str, ...]]:
    """Give which manifest of an index to show, its platform, and all platforms."""
    if top.media_type not in MediaType.INDEXES:
        return top, ",".join(top.platforms), top.platforms
    by_platform = {
        child.platforms[0]: child
        for child in manifests.children(connection, top)
        if child.platforms
    }
    if not by_platform:
        return top, "", ()
    platforms = tuple(sorted(by_platform))
    platform = next(p for p in (wanted, _PREFERRED, platforms[0]) if p in by_platform)
    return by_platform[platform], platform, platforms


def _picture(services: Services, manifest: StoredManifest) -> Picture:
    config = b""
    if manifest.config:
        try:
            config = services.registry.config(Digest(manifest.config))
        except BlobUnknown:
            config = b""  # swept with its manifest a moment ago
    try:
        return picture(manifest.raw, manifest.media_type, config)
    except LaminaError as error:
        raise ManifestUnknown("this manifest cannot be shown") from error


async def _read(request: web.Request, work: Callable[[Connection], Repository]) -> Repository:
    services = request.app[SERVICES]
    return await services.threads.call(services.database.read, work)


async def _write(request: web.Request, work: Callable[[Connection], None]) -> None:
    services = request.app[SERVICES]
    await services.threads.call(services.database.write, work)


async def edit_page(request: web.Request, visit: Visit, name: str) -> web.Response:
    """Show the form for a repository's summary and README."""
    found = await _read(request, lambda connection: administered(connection, visit.caller, name))
    values = {"repository": found, "summary": found.summary, "readme": found.readme, "fields": {}}
    return render(request, visit, "edit.html", values)


async def edit(request: web.Request, visit: Visit, name: str) -> web.Response:
    """Set a repository's summary and README."""
    form = await read_form(request, visit)
    summary = " ".join(form.get("summary", "").split())
    readme = form.get("readme", "").replace("\r\n", "\n")
    found = await _read(request, lambda connection: administered(connection, visit.caller, name))
    fields = {}
    if len(summary) > _SUMMARY_LIMIT:
        fields["summary"] = f"At most {_SUMMARY_LIMIT} characters; this has {len(summary)}"
    if len(readme) > _README_LIMIT:
        fields["readme"] = f"At most {_README_LIMIT:,} characters; this has {len(readme):,}"
    if fields:
        values = {"repository": found, "summary": summary, "readme": readme, "fields": fields}
        return render(request, visit, "edit.html", values, status=HTTPStatus.BAD_REQUEST)
    await _write(
        request,
        lambda connection: repositories.describe(
            connection, administered(connection, visit.caller, name), summary=summary, readme=readme
        ),
    )
    note(request, "describe", name, account=visit.caller.name)
    return go_to(f"/{name}")


async def settings_page(request: web.Request, visit: Visit, name: str) -> web.Response:
    """Show who may see a repository, its tags to delete, and how to delete it."""
    services = request.app[SERVICES]

    def work(connection: Connection) -> _Overview:
        found = administered(connection, visit.caller, name)
        tags = manifests.tags(connection, found.id, limit=_PAGE)
        return _Overview(found, tags, manifests.count_tags(connection, found.id), may_change=True)

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
    form = await read_form(request, visit)
    is_private = form.get("visibility") == "private"
    await _write(
        request,
        lambda connection: repositories.set_private(
            connection, administered(connection, visit.caller, name), is_private=is_private
        ),
    )
    action = "make private" if is_private else "make public"
    note(request, action, name, account=visit.caller.name)
    return go_to(f"/{name}/-/settings")


async def delete_tag(request: web.Request, visit: Visit, name: str) -> web.Response:
    """Delete one tag."""
    services = request.app[SERVICES]
    form = await read_form(request, visit)
    tag = form.get("tag", "")
    asked = asked_by(request)
    await services.threads.call(
        lambda: services.registry.delete_reference(visit.caller, name, tag, asked=asked)
    )
    subject = f"{name}{'@' if ':' in tag else ':'}{tag}"
    note(request, "delete", subject, account=visit.caller.name)
    return go_to(f"/{name}/-/settings")


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
