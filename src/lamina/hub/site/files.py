"""The files of an image: a directory to a page, the life of one path, and a search."""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from aiohttp import web

from lamina.errors import NotFound
from lamina.hub.exploring.finding import Explored
from lamina.hub.exploring.paths import asked, crumbs, link, number_in, path_of, shown, words_in
from lamina.hub.exploring.reading import Inside, Listed, Row, opened
from lamina.hub.site.inside import Step, address, common, explored, steps
from lamina.hub.site.render import render
from lamina.hub.site.sessions import Visit
from lamina.hub.web import SERVICES
from lamina.layer.entry import TYPE_BITS, Kind
from lamina.layer.node import Node
from lamina.study.lives import Change, Event

__all__ = ["files"]

_PAGE = 500
_FOUND = 200
_LETTERS = {"f": "", "d": "/", "l": "", "c": "", "b": "", "p": ""}


@dataclass(frozen=True, slots=True)
class _Line:
    """One row of a directory, in words."""

    name: str
    link: str
    is_folder: bool
    target: str
    mode: str
    owner: str
    size: int
    number: int
    mark: str
    aspects: str


@dataclass(frozen=True, slots=True)
class _Moment:
    """What one layer did to a path, in words."""

    number: int
    words: str
    step: str
    mode: str
    owner: str
    size: int
    is_gone: bool
    packages: tuple[str, ...]


async def files(request: web.Request, visit: Visit, name: str, reference: str) -> web.Response:
    """Show a directory, a path or what a search found. Raises: ManifestUnknown, NotFound, Invalid, …."""
    services = request.app[SERVICES]
    query = asked(request.rel_url.raw_query_string)
    path, words = path_of(query.get("path", "")), words_in(query)
    number, page = number_in(query, "layer", least=0), number_in(query, "page", least=1)

    def draw() -> web.Response:
        found = explored(services, request, visit, name, reference)
        values: dict[str, object] = {
            **common(services, found),
            "quoted": "", "leads": None, "shown_path": "/" + shown(path), "words": shown(words), "number": number,
            "page": page, "base": address(found, "files"), "lines": (), "count": 0, "pages": 1,
            "moments": (), "hits": None, "has_more": False, "steps": {}, "is_folder": True,
            "crumbs": (),
            "step": "",
        }  # fmt: skip
        if found.is_done and found.known is not None:
            made = steps(services, found)
            with opened(services.explorer.places, found.known) as image:
                if number > len(image.layers):
                    raise NotFound(f"the image has {len(image.layers)} layers")
                values["steps"] = made
                values["step"] = made[number].text if number in made else ""
                if words:
                    values |= _hits(found, image, words)
                else:
                    asked_for = _Asked(image.place(path), number, page)
                    values |= _place(found, image, asked_for, made)
        return render(request, visit, "files.html", values)

    return await services.threads.call(draw)


def _hits(found: Explored, image: Inside, words: str) -> dict[str, object]:
    hits = image.search(os.fsencode(words), limit=_FOUND)
    return {
        "hits": [
            (
                "/" + shown(row.path) + _LETTERS[row.letter],
                link(address(found, "files"), row.path),
                row.size,
                row.number,
            )
            for row in hits.rows
        ],
        "has_more": hits.has_more,
    }


@dataclass(frozen=True, slots=True)
class _Asked:
    """A path, as of which layer, and which page of it."""

    path: bytes
    number: int
    page: int


def _place(
    found: Explored, image: Inside, asked_for: _Asked, made: Mapping[int, Step]
) -> dict[str, object]:
    path, number, page = asked_for.path, asked_for.number, asked_for.page
    base = address(found, "files")
    node = image.lookup(path, number=number)
    events = image.life(path)
    if node is None and not events:
        if not path:  # the root of an image without layers
            return {}
        raise NotFound(f"no layer ever had /{shown(path)}")
    is_folder = node is not None and node.kind is Kind.DIRECTORY
    leads = image.leads(path) if node is not None and node.kind is Kind.SYMLINK else None
    values: dict[str, object] = {
        "is_folder": is_folder,
        "quoted": quote(path, safe="/"),
        "shown_path": "/" + shown(path),
        "crumbs": [(text, link(base, at, {"layer": number})) for text, at in crumbs(path)],
        "leads": None if leads is None else ("/" + shown(leads), link(base, leads)),
        "moments": [_moment(image, path, event, made) for event in reversed(events)]
        if path
        else (),
    }
    if is_folder:
        listed = image.listing(path, number=number, offset=(page - 1) * _PAGE, limit=_PAGE)
        last = -(-listed.total // _PAGE) or 1
        if page > last:  # an old address, or a number that somebody tried
            page = last
            listed = image.listing(path, number=number, offset=(page - 1) * _PAGE, limit=_PAGE)
        values |= {"page": page, "pages": last, **_lines(found, path, listed, number)}
    return values


def _lines(found: Explored, path: bytes, listed: Listed, number: int) -> dict[str, object]:
    base, prefix = address(found, "files"), path + b"/" if path else b""
    return {
        "lines": [_line(base, prefix, row, number) for row in listed.rows],
        "count": listed.total,
    }


def _line(base: str, prefix: bytes, row: Row, number: int) -> _Line:
    node = row.node
    is_folder = node.kind is Kind.DIRECTORY and row.mark != "removed"
    target = "→ " + shown(node.target) if node.kind is Kind.SYMLINK else ""
    return _Line(
        shown(row.name) + ("/" if node.kind is Kind.DIRECTORY else ""),
        link(base, prefix + row.name, {"layer": number if is_folder else 0}),
        is_folder, target, _mode(node), f"{node.uid}:{node.gid}", row.size, row.number, row.mark,
        ", ".join(row.aspects),
    )  # fmt: skip


def _mode(node: Node) -> str:
    return stat.filemode(TYPE_BITS[node.kind] | node.mode)


def _moment(image: Inside, path: bytes, event: Event, made: Mapping[int, Step]) -> _Moment:
    node = event.node or event.before
    assert node is not None  # noqa: S101 - an event has one or the other
    words = {
        Change.ADDED: "added",
        Change.CHANGED: f"changed: {', '.join(map(str, event.aspects))}",
        Change.REPEATED: "brought again, as it was",
        Change.REMOVED: "removed" if event.by == path else f"removed with /{shown(event.by)}",
    }[event.change]
    owners = image.owners(path, number=event.number) if event.node is not None else ()
    return _Moment(
        event.number,
        words,
        made[event.number].text if event.number in made else "",
        _mode(node),
        f"{node.uid}:{node.gid}",
        node.size if node.kind is Kind.FILE else 0,
        event.node is None,
        tuple(f"{one.name} {one.version}" for one in owners),
    )
