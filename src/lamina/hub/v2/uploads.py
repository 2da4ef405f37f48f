"""Uploads over HTTP. Spec: distribution-spec, "Pushing blobs"."""

import re
from http import HTTPStatus

from aiohttp import web

from lamina.hub.access import Caller
from lamina.hub.errors import RangeDisagrees, SizeDisagrees
from lamina.hub.tables.blobs import Upload
from lamina.hub.web import SERVICES
from lamina.spec.digest import Digest, DigestInvalid

__all__ = ["cancel_upload", "finish_upload", "patch_upload", "post_upload", "upload_status"]

_SMALL = 1024 * 1024
_CONTENT_RANGE = re.compile(r"(?:bytes[ =])?(\d+)-(\d+)(?:/(?:\d+|\*))?")


def _created(name: str, digest: Digest) -> web.Response:
    return web.Response(
        status=HTTPStatus.CREATED,
        headers={
            "Location": f"/v2/{name}/blobs/{digest}",
            "Docker-Content-Digest": str(digest),
        },
    )


def _progress(name: str, upload: str, offset: int, status: int) -> web.Response:
    """Say where an upload stands. An empty one says `0-0`, as every registry does."""
    return web.Response(
        status=status,
        headers={
            "Location": f"/v2/{name}/blobs/uploads/{upload}",
            "Range": f"0-{max(0, offset - 1)}",
            "Docker-Upload-UUID": upload,
        },
    )


async def post_upload(request: web.Request, caller: Caller, name: str) -> web.StreamResponse:
    """Begin an upload; with `mount` try to link instead, with `digest` take the body at once."""
    services = request.app[SERVICES]
    call = services.threads.call
    query = request.query
    if "mount" in query:
        digest = Digest.parse(query["mount"])
        source = query.get("from", "")
        if await call(services.uploads.mount, caller, name, digest, source):
            return _created(name, digest)
    digest_text = query.get("digest")
    wanted = Digest.parse(digest_text) if digest_text else None
    length = request.content_length
    if wanted is not None and length is not None and length <= _SMALL:
        data = await request.content.read()
        await call(services.uploads.take, caller, name, wanted, data)
        return _created(name, wanted)
    upload = await call(services.uploads.begin, caller, name)
    if wanted is None:
        return _progress(name, upload, 0, HTTPStatus.ACCEPTED)
    found = await call(services.uploads.find, caller, name, upload)
    await _receive(request, found)
    await call(services.uploads.finish, found, wanted)
    return _created(name, wanted)


async def patch_upload(
    request: web.Request, caller: Caller, name: str, upload_id: str
) -> web.StreamResponse:
    """Append the body, of any length or none told; a Content-Range must begin at the end."""
    services = request.app[SERVICES]
    upload = await services.threads.call(services.uploads.find, caller, name, upload_id)
    refused = await _check_range(request, name, upload)
    if refused is not None:
        return refused
    offset = await _receive(request, upload)
    await services.threads.call(services.uploads.touch, upload)
    return _progress(name, upload_id, offset, HTTPStatus.ACCEPTED)


async def finish_upload(
    request: web.Request, caller: Caller, name: str, upload_id: str
) -> web.StreamResponse:
    """Append the body, if there is one, and turn the upload into the blob `digest`."""
    services = request.app[SERVICES]
    upload = await services.threads.call(services.uploads.find, caller, name, upload_id)
    if "digest" not in request.query:
        raise DigestInvalid("the request has no `digest`", hint="add ?digest=sha256:...")
    digest = Digest.parse(request.query["digest"])
    refused = await _check_range(request, name, upload)
    if refused is not None:
        return refused
    if request.can_read_body:
        await _receive(request, upload)
    else:
        await services.transfers.settle(upload.id)
    await services.threads.call(services.uploads.finish, upload, digest)
    return _created(name, digest)


async def upload_status(
    request: web.Request, caller: Caller, name: str, upload_id: str
) -> web.StreamResponse:
    """Say how many bytes arrived."""
    services = request.app[SERVICES]
    upload = await services.threads.call(services.uploads.find, caller, name, upload_id)
    await services.transfers.settle(upload.id)
    offset = await services.threads.call(services.storage.received, upload.id)
    return _progress(name, upload_id, offset, HTTPStatus.NO_CONTENT)


async def cancel_upload(
    request: web.Request, caller: Caller, name: str, upload_id: str
) -> web.StreamResponse:
    """Drop an upload."""
    services = request.app[SERVICES]
    upload = await services.threads.call(services.uploads.find, caller, name, upload_id)
    await services.transfers.settle(upload.id)
    await services.threads.call(services.uploads.cancel, upload)
    return web.Response(status=HTTPStatus.NO_CONTENT)


async def _check_range(request: web.Request, name: str, upload: Upload) -> web.Response | None:
    """Give the 416 for a piece that is out of order, None for one that fits."""
    header = request.headers.get("Content-Range")
    if header is None:
        return None
    match = _CONTENT_RANGE.fullmatch(header.strip())
    if match is None:
        raise RangeDisagrees(0)
    first, last = int(match[1]), int(match[2])
    length = request.content_length
    if length is not None and length != last - first + 1:
        raise SizeDisagrees(
            f"Content-Range promises {last - first + 1} bytes, Content-Length {length}"
        )
    services = request.app[SERVICES]
    await services.transfers.settle(upload.id)
    offset = await services.threads.call(services.storage.received, upload.id)
    if first == offset:
        return None
    return _progress(name, upload.id, offset, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)


async def _receive(request: web.Request, upload: Upload) -> int:
    match = _CONTENT_RANGE.fullmatch(request.headers.get("Content-Range", "").strip())
    first = int(match[1]) if match else None
    return await request.app[SERVICES].transfers.receive(upload.id, request.content, first=first)
