"""What is in images by JSON: `/api/v1/repositories/NAME/…`, of a tag or digest, of an index with `?platform=`.

    GET …/inside/REFERENCE                    how far looking into it is, and the answers
    GET …/files/REFERENCE?path=&layer=&page=  a directory, or the life of a path
    GET …/files/REFERENCE?q=WORDS             paths that have WORDS in them
    GET …/diff/REFERENCE?against=REFERENCE    files and packages that are not alike

Who may pull the image may ask, by any login. Paths that are no UTF-8 have `path_base64`, too.
"""

import base64
import os
from collections.abc import Callable
from contextlib import ExitStack

from aiohttp import web

from lamina.errors import Invalid, NotFound
from lamina.hub.access import Caller
from lamina.hub.api.answers import answered, json_answer
from lamina.hub.exploring.finding import Explored, find, package_changes
from lamina.hub.exploring.kept import answers_from
from lamina.hub.exploring.paths import asked, check_names, number_in, path_of, words_in
from lamina.hub.exploring.reading import Inside, Row, opened
from lamina.hub.tables.explorations import Exploration
from lamina.hub.web import SERVICES, authenticate
from lamina.layer.entry import Kind
from lamina.spec.wire import Document
from lamina.study.lives import Event

__all__ = ["add_exploring"]

_ALL = "/api/v1/repositories/{name:.+}"
_PAGE, _FOUND, _FILES = 1000, 500, 2000


def add_exploring(app: web.Application) -> None:
    """Add the routes to the application."""
    app.router.add_get(f"{_ALL}/inside/{{image}}", answered(_inside))
    app.router.add_get(f"{_ALL}/files/{{image}}", answered(_files))
    app.router.add_get(f"{_ALL}/diff/{{image}}", answered(_diff))


async def _inside(request: web.Request) -> web.StreamResponse:
    return await _answer(request, _inside_document)


async def _files(request: web.Request) -> web.StreamResponse:
    return await _answer(request, _files_document)


async def _diff(request: web.Request) -> web.StreamResponse:
    return await _answer(request, _diff_document)


class _Question:
    """What a request asks: which image, as whom, and its query."""

    def __init__(self, request: web.Request, caller: Caller) -> None:
        self.services = request.app[SERVICES]
        self.caller = caller
        self.name: str = request.match_info["name"]
        self.query = asked(request.rel_url.raw_query_string)
        platform = self.query.get("platform", "")
        self.found = self.find(request.match_info["image"], platform, is_exact=True)

    def find(self, reference: str, platform: str, *, is_exact: bool = False) -> Explored:
        """Find an image of the repository."""
        return self.services.database.read(
            lambda connection: find(
                connection, self.caller, self.name, reference, platform=platform, is_exact=is_exact
            )
        )


async def _answer(
    request: web.Request, document: Callable[[_Question], Document]
) -> web.StreamResponse:
    caller = await authenticate(request)
    found = await request.app[SERVICES].threads.call(lambda: document(_Question(request, caller)))
    return json_answer(found)


def _inside_document(question: _Question) -> Document:
    check_names(question.query, ("platform",))
    found = question.found
    known = found.known
    state = known.state if known is not None else "waiting" if found.is_image else "none"
    document: Document = {
        "digest": found.shown.digest,
        "platform": found.platform,
        "state": state,
        "trouble": known.trouble
        if known is not None
        else _lacks(question)
        if found.is_image
        else "",
    }
    if found.is_done:
        answers = answers_from(found.packed)
        answers.pop("map", None)
        if not found.may_push:  # what they are is for those who can take them out
            answers["secrets"] = []
        for row in (*answers["waste"], *answers["secrets"]):
            row.update(_path(os.fsencode(row["path"])))
        document["answers"] = answers
    return document


def _lacks(question: _Question) -> str:
    explorer = question.services.explorer
    return explorer.lacks if explorer.is_on else ""


def _files_document(question: _Question) -> Document:
    query, found = question.query, question.found
    check_names(query, ("path", "layer", "page", "q", "platform"))
    number, page = number_in(query, "layer", least=0), number_in(query, "page", least=1)
    words = words_in(query)
    with opened(question.services.explorer.places, _known(found)) as image:
        if number > len(image.layers):
            raise NotFound(f"the image has {len(image.layers)} layers")
        if words:
            hits = image.search(os.fsencode(words), limit=_FOUND)
            rows = [
                {**_path(row.path), "kind": row.letter, "size": row.size, "layer": row.number}
                for row in hits.rows
            ]
            return {"found": rows, "has_more": hits.has_more}
        return _place(image, image.place(path_of(query.get("path", ""))), number, page)


def _place(image: Inside, path: bytes, number: int, page: int) -> Document:
    node, events = image.lookup(path, number=number), image.life(path)
    if node is None and not events and path:
        raise NotFound("no layer ever had that path")
    document: Document = {
        **_path(path),
        "life": [_event(image, path, event) for event in events],
        "entries": [],
        "entries_in_all": 0,
    }
    if node is not None and node.kind is Kind.DIRECTORY:
        listed = image.listing(path, number=number, offset=(page - 1) * _PAGE, limit=_PAGE)
        document["entries"] = [_row(row) for row in listed.rows]
        document["entries_in_all"] = listed.total
    return document


def _row(row: Row) -> Document:
    node = row.node
    return {
        **_path(row.name), "kind": str(node.kind), "mode": f"{node.mode:04o}", "uid": node.uid,
        "gid": node.gid, "size": max(row.size, 0), "layer": row.number, "mark": row.mark,
        "aspects": list(row.aspects),
    }  # fmt: skip


def _event(image: Inside, path: bytes, event: Event) -> Document:
    owners = image.owners(path, number=event.number) if event.node is not None and path else ()
    return {
        "layer": event.number,
        "change": str(event.change),
        "aspects": [str(one) for one in event.aspects],
        "packages": [f"{one.name} {one.version}" for one in owners],
    }


def _diff_document(question: _Question) -> Document:
    check_names(question.query, ("against", "platform"))
    against = question.query.get("against", "").strip()
    if not against:
        raise Invalid("`against` is missing", hint="name a tag or digest to compare with")
    found = question.found
    older = question.find(against, found.platform)
    with ExitStack() as stack:
        places = question.services.explorer.places
        new = stack.enter_context(opened(places, _known(found)))
        old = stack.enter_context(opened(places, _known(older)))
        rows, has_more = new.difference(old, limit=_FILES)
        files = [
            {
                **_path(row.path),
                "change": {"A": "added", "D": "removed", "C": "changed"}[row.letter],
                "grown": row.grown,
                "aspects": [str(one) for one in row.aspects],
            }
            for row in rows
        ]
    packages = package_changes(answers_from(older.packed), answers_from(found.packed))
    return {"files": files, "has_more": has_more, "packages": packages}


def _known(found: Explored) -> Exploration:
    if found.known is None or not found.is_done:
        raise NotFound("nobody has looked into this image yet", hint="ask for …/inside first")
    return found.known


def _path(path: bytes) -> Document:
    document: Document = {"path": path.decode("utf-8", "replace")}
    if document["path"].encode() != path:
        document["path_base64"] = base64.b64encode(path).decode()
    return document
