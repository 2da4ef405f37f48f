"""Requests for what another registry has: seen to before they are answered as all others are.

A manifest is brought here first; a blob that is not here yet is sent while it comes, and one fetch
serves everyone who waits for it.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from aiohttp import web

from lamina.errors import LaminaError
from lamina.hub.access import Caller
from lamina.hub.blob_source import AlreadyHere
from lamina.hub.errors import CacheWritten, UpstreamLoop
from lamina.hub.fetches import Fetch
from lamina.hub.passing import Outcome
from lamina.hub.remembered import TELLS
from lamina.hub.tables.caches import Cache
from lamina.hub.v2.blobs import blob_headers, get_blob, head_blob, is_known, wanted_range
from lamina.hub.v2.manifests import get_manifest, list_referrers
from lamina.hub.v2.notices import STALE, add_notices
from lamina.hub.web import SERVICES
from lamina.spec.digest import Digest

__all__ = ["locate", "pass_on", "refuse_push"]

_PIECE = 256 * 1024
_Route = Callable[..., Awaitable[web.StreamResponse]]


async def locate(request: web.Request, name: str) -> tuple[Cache | None, str]:
    """Give the cache a request is for, if any, and the repository's name there.

    Raises: UpstreamLoop.
    """
    caches = request.app[SERVICES].caches
    if not caches.is_any:
        return None, name
    registry = request.query.get("ns", "")
    cache, inside = caches.locate(name, registry)
    if cache is None and caches.may_adopt(registry):
        cache, inside = await request.app[SERVICES].threads.call(caches.adopt, name)
    if cache is not None and caches.via in request.headers.get("Via", ""):
        raise UpstreamLoop(
            f"{cache.namespace} stands for {cache.upstream}, which is this very hub",
            hint="an admin can remove the cache: lamina hub cache rm",
        )
    return cache, inside


def refuse_push(cache: Cache, request: web.Request) -> None:
    """Let pulls and deletions pass. Raises: CacheWritten."""
    if request.method not in ("GET", "HEAD", "DELETE"):
        raise CacheWritten(
            f"{cache.namespace} stands for {cache.upstream}: nothing is pushed to it here",
            hint="push to that registry, or under another name",
        )


async def pass_on(
    route: _Route, request: web.Request, caller: Caller, cache: Cache, name: str, *rest: str
) -> web.StreamResponse:
    """Answer a request for what is in a cache."""
    if request.method in ("GET", "HEAD"):
        if route is get_manifest:
            return await _manifest(request, caller, cache, name, rest[0])
        if route is list_referrers:
            return await _attached(request, caller, cache, name, rest[0])
        if route in (get_blob, head_blob):
            return await _blob(request, caller, cache, name, rest[0])
    return await route(request, caller, name, *rest)


async def _manifest(
    request: web.Request, caller: Caller, cache: Cache, name: str, reference: str
) -> web.StreamResponse:
    """Bring a manifest here, once for all who ask at a time, and answer."""
    services = request.app[SERVICES]
    outcome = Outcome.HIT
    passing = services.passing
    if not await services.threads.call(passing.look, caller, cache, name, reference):
        outcome = await services.together.call(
            (name, reference),
            lambda: services.together.threads.submit(passing.bring, cache, name, reference),
        )
    response = await get_manifest(request, caller, name, reference)
    if ":" not in reference:
        request.pop(TELLS, None)  # it is as true as the registry says, not as the database does
    if outcome is Outcome.STALE:
        add_notices(response, (STALE,))
    return response


async def _attached(
    request: web.Request, caller: Caller, cache: Cache, name: str, reference: str
) -> web.StreamResponse:
    """List what is attached to a manifest there; what is known of it, where that cannot be asked."""
    services, subject = request.app[SERVICES], Digest.parse(reference)
    passing = services.passing
    with contextlib.suppress(LaminaError):  # who may not pull is told so below
        if not await services.threads.call(passing.look_for_attached, caller, cache, name, subject):
            await services.together.call(
                (name, "attached", subject),
                lambda: services.together.threads.submit(
                    passing.bring_attached, cache, name, subject
                ),
            )
    response = await list_referrers(request, caller, name, reference)
    request.pop(TELLS, None)
    return response


async def _blob(
    request: web.Request, caller: Caller, cache: Cache, name: str, reference: str
) -> web.StreamResponse:
    """Send a blob from here, or while it comes."""
    route = head_blob if request.method == "HEAD" else get_blob
    services = request.app[SERVICES]
    digest = Digest.parse(reference)
    wanted = await services.threads.call(services.passing.wanted, caller, cache, name, digest)
    if wanted is None:
        return await route(request, caller, name, reference)
    headers = blob_headers(digest)
    if is_known(request, digest):
        return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
    size = wanted.descriptor.size
    if request.method == "HEAD":
        return web.Response(headers={**headers, "Content-Length": str(size)})
    fetch = services.fetches.join(
        (name, digest), size, lambda: services.passing.source(cache, wanted)
    )
    with fetch.held():
        try:
            return await _send(request, digest, fetch)
        except AlreadyHere:
            return await route(request, caller, name, reference)


async def _send(request: web.Request, digest: Digest, fetch: Fetch) -> web.StreamResponse:
    """Send a blob as it comes; the status waits for the first byte, so that failures can be said."""
    headers, size = blob_headers(digest), fetch.size
    part = None
    if request.headers.get("If-Range", f'"{digest}"') == f'"{digest}"':
        part = wanted_range(request.headers.get("Range", ""), size)
    first, length = part or (0, size)
    status = HTTPStatus.OK
    if part is not None:
        if length == 0:
            return web.Response(
                status=HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
                headers={**headers, "Content-Range": f"bytes */{size}"},
            )
        status = HTTPStatus.PARTIAL_CONTENT
        headers["Content-Range"] = f"bytes {first}-{first + length - 1}/{size}"
    await fetch.reach(first)
    response = web.StreamResponse(status=status, headers=headers)
    response.content_length = length
    await response.prepare(request)
    try:
        await _follow(request, response, fetch, first=first, last=first + length)
        await response.write_eof()
    except asyncio.CancelledError:
        raise
    except Exception as error:
        if request.transport is not None:
            request.transport.abort()  # the status is out: only a cut says that this is not all
        raise ConnectionResetError("the blob broke off") from error
    return response


async def _follow(
    request: web.Request, response: web.StreamResponse, fetch: Fetch, *, first: int, last: int
) -> None:
    """Send what comes from `first` to before `last`."""
    call = request.app[SERVICES].threads.call
    offset = end = first
    while offset < last:
        if end <= offset:
            end = await fetch.reach(offset)
        piece = await call(fetch.read, offset, min(_PIECE, end - offset, last - offset))
        await response.write(piece)
        offset += len(piece)
