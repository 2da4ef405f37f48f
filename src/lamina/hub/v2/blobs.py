"""Blobs over HTTP: whole or in part, straight from the file to the socket."""

import contextlib
import io
import re
from collections.abc import Awaitable
from dataclasses import dataclass
from http import HTTPStatus
from typing import BinaryIO

from aiohttp import web

from lamina.hub.access import Caller
from lamina.hub.notes import note
from lamina.hub.remembered import FILE, UNTIL, KeptFile, may_be_kept
from lamina.hub.sending import send_file
from lamina.hub.uploads import Blob
from lamina.hub.web import SERVICES
from lamina.spec.digest import Digest

__all__ = ["blob_headers", "delete_blob", "get_blob", "head_blob", "is_known", "wanted_range"]

_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")
_TYPE = "application/octet-stream"
_PIECE = 1024 * 1024
_SMALL = 64 * 1024
_FOREVER = "private, max-age=31536000, immutable"


def wanted_range(header: str, size: int) -> tuple[int, int] | None:
    """Give (first byte, length) of a Range header; None means the whole; length 0: nothing fits.

    Several ranges or another unit mean the whole. Spec: RFC 9110, 14.2.
    """
    match = _RANGE.fullmatch(header.strip())
    if not match or match[1] == match[2] == "":
        return None
    if not match[1]:
        length = min(int(match[2]), size)
        return (size - length, length)
    first = int(match[1])
    last = min(int(match[2]), size - 1) if match[2] else size - 1
    if match[2] and int(match[2]) < first:
        return None
    return (first, max(0, last - first + 1))


def blob_headers(digest: Digest) -> dict[str, str]:
    """Give the headers of every answer about a blob."""
    return {
        "Content-Type": _TYPE,
        "Docker-Content-Digest": str(digest),
        "ETag": f'"{digest}"',
        "Accept-Ranges": "bytes",
        "Cache-Control": _FOREVER,
    }


def is_known(request: web.Request, digest: Digest) -> bool:
    """Tell whether the client says that it has a blob."""
    wanted = request.headers.get("If-None-Match", "")
    return wanted.strip() == "*" or f'"{digest}"' in wanted


async def head_blob(
    request: web.Request, caller: Caller, name: str, reference: str
) -> web.StreamResponse:
    """Say whether a blob is here, and its size."""
    services = request.app[SERVICES]
    digest = Digest.parse(reference)
    size, is_held = await services.threads.call(services.uploads.size, caller, name, digest)
    if is_known(request, digest):
        return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=blob_headers(digest))
    if is_held:
        may_be_kept(request)
    return web.Response(headers={**blob_headers(digest), "Content-Length": str(size)})


async def _look_up(request: web.Request, caller: Caller, name: str, digest: Digest) -> Blob:
    """Give a blob that `caller` may pull, known from the last time if nothing was committed since."""
    services = request.app[SERVICES]

    def ask() -> Awaitable[Blob]:
        return services.threads.call(services.uploads.blob, caller, name, digest)

    login = request.headers.get("Authorization", "")
    if login and UNTIL not in request:  # a password is not kept
        return await ask()
    return await services.known.get(("blob", login, name, digest), ask)


@dataclass(frozen=True, slots=True)
class _Found:
    """How a blob is to be had: by a link, whole in memory, or as a file that is open."""

    link: str = ""
    data: bytes | None = None
    file: BinaryIO | None = None


async def get_blob(
    request: web.Request, caller: Caller, name: str, reference: str
) -> web.StreamResponse:
    """Send a blob, or the part asked for; never compressed: its digest is of these bytes."""
    services = request.app[SERVICES]
    digest = Digest.parse(reference)
    has_it, in_part = is_known(request, digest), "Range" in request.headers

    blob = await _look_up(request, caller, name, digest)

    def work() -> _Found:
        link = "" if has_it else services.storage.link(digest, blob.place)
        if has_it or link:
            return _Found(link)
        file = services.storage.open(digest, blob.place)
        if in_part or blob.size > _SMALL:
            return _Found(file=file)
        with file:
            data = file.read(blob.size)
        if len(data) == blob.size:
            return _Found(data=data)
        return _Found(file=services.storage.open(digest, blob.place))  # and tell of what lacks

    found = await services.threads.call(work)
    headers = blob_headers(digest)
    if has_it:
        return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
    if found.link:  # the client repeats its Range there
        headers = {
            "Location": found.link,
            "Docker-Content-Digest": digest,
            "Cache-Control": "no-store",
        }
        return web.Response(status=HTTPStatus.TEMPORARY_REDIRECT, headers=headers)
    if found.file is None:
        may_be_kept(request)
        return web.Response(body=found.data, headers=headers)
    try:
        return await _send(request, blob, found.file)
    finally:
        found.file.close()


async def _send(request: web.Request, blob: Blob, file: BinaryIO) -> web.StreamResponse:
    headers = blob_headers(blob.digest)
    wanted = None
    if request.headers.get("If-Range", f'"{blob.digest}"') == f'"{blob.digest}"':
        wanted = wanted_range(request.headers.get("Range", ""), blob.size)
    first, length = wanted or (0, blob.size)
    status = HTTPStatus.OK
    if wanted is not None:
        if length == 0:
            return web.Response(
                status=HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
                headers={**headers, "Content-Range": f"bytes */{blob.size}"},
            )
        status = HTTPStatus.PARTIAL_CONTENT
        headers["Content-Range"] = f"bytes {first}-{first + length - 1}/{blob.size}"
    response = web.StreamResponse(status=status, headers=headers)
    response.content_length = length
    if isinstance(file, io.FileIO):
        if status == HTTPStatus.OK:
            may_be_kept(request)
            with contextlib.suppress(OSError):  # no descriptor to spare
                request[FILE] = KeptFile(file, blob.size)
        await _send_file(request, response, file, first, length)
    else:
        await _relay(request, response, file, first, length)
    return response


async def _send_file(
    request: web.Request, response: web.StreamResponse, file: io.FileIO, first: int, length: int
) -> None:
    """Have the kernel send a part of a file."""
    await response.prepare(request)
    if length:
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("the client has gone")
        await send_file(transport, file, first, length)
    await response.write_eof()


async def _relay(
    request: web.Request, response: web.StreamResponse, file: BinaryIO, first: int, length: int
) -> None:
    """Send what a distant storage has, piece by piece; the first piece comes before the status."""
    call = request.app[SERVICES].threads.call
    await call(file.seek, first)
    piece = await call(file.read, min(length, _PIECE))
    await response.prepare(request)
    while piece:
        await response.write(piece)
        length -= len(piece)
        piece = await call(file.read, min(length, _PIECE)) if length else b""
    await response.write_eof()


async def delete_blob(
    request: web.Request, caller: Caller, name: str, reference: str
) -> web.StreamResponse:
    """Take a blob from a repository that names it no more."""
    services = request.app[SERVICES]
    digest = Digest.parse(reference)
    await services.threads.call(services.registry.delete_blob, caller, name, digest)
    note(request, "delete blob", f"{name}@{digest}", account=caller.name, token=caller.token_id)
    return web.Response(status=HTTPStatus.ACCEPTED)
