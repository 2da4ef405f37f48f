"""Uploads over HTTP. Spec: distribution-spec, "Pushing blobs"."""

import re
import uuid
from http import HTTPStatus

from aiohttp import web

from lamina.hub.access import Caller
from lamina.hub.errors import LimitReached, RangeDisagrees, SizeDisagrees, UploadUnknown
from lamina.hub.names import is_repository
from lamina.hub.tables.blobs import Upload
from lamina.hub.v2.answers import error_response
from lamina.hub.web import SERVICES
from lamina.spec.digest import Digest, DigestInvalid

__all__ = ["cancel_upload", "finish_upload", "patch_upload", "post_upload", "upload_status"]

_SMALL = 1024 * 1024
_TINY = 64 * 1024
_CONTENT_RANGE = re.compile(r"(?:bytes[ =])?([0-9]{1,18})-([0-9]{1,18})(?:/(?:[0-9]+|\*))?")


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
    return web.Response(status=status, headers=_position(name, upload, offset))


def _position(name: str, upload: str, offset: int) -> dict[str, str]:
    return {
        "Location": f"/v2/{name}/blobs/uploads/{upload}",
        "Range": f"0-{max(0, offset - 1)}",
        "Docker-Upload-UUID": upload,
    }


async def post_upload(request: web.Request, caller: Caller, name: str) -> web.StreamResponse:
    """Begin an upload; with `mount` try to link instead, with `digest` take the body at once."""
    services = request.app[SERVICES]
    call = services.threads.call
    query = request.query
    mounted = await _mount(request, caller, name) if "mount" in query else None
    if mounted is not None:
        return _created(name, mounted)
    digest_text = query.get("digest")
    wanted = Digest.parse(digest_text) if digest_text else None
    length = request.content_length
    if wanted is not None and length is not None and length <= _SMALL:
        data = await request.content.read()
        await call(services.uploads.take, caller, name, wanted, data)
        return _created(name, wanted)
    if wanted is None:
        upload = await call(services.uploads.open, caller, name)
        return _progress(name, upload, 0, HTTPStatus.ACCEPTED)
    upload = await call(lambda: services.uploads.begin(caller, name, length=length or 0))
    found = await call(services.uploads.find, caller, name, upload)
    await _receive(request, found, name)
    await call(services.uploads.finish, found, wanted)
    return _created(name, wanted)


async def patch_upload(
    request: web.Request, caller: Caller, name: str, upload_id: str
) -> web.StreamResponse:
    """Append the body, of any length or none told; a Content-Range must begin at the end."""
    services = request.app[SERVICES]
    if _is_tiny(request, upload_id):
        data = await request.content.read()
        _, offset = await services.threads.call(
            services.uploads.append, caller, name, upload_id, data
        )
        return _progress(name, upload_id, offset, HTTPStatus.ACCEPTED)
    upload = await _find(request, caller, name, upload_id)
    try:
        offset = await _receive(request, upload, name)
    except RangeDisagrees as error:
        return _out_of_order(request, name, upload, error)
    await services.threads.call(services.uploads.touch, upload)
    return _progress(name, upload_id, offset, HTTPStatus.ACCEPTED)


async def finish_upload(
    request: web.Request, caller: Caller, name: str, upload_id: str
) -> web.StreamResponse:
    """Append the body, if there is one, and turn the upload into the blob `digest`."""
    services = request.app[SERVICES]
    if _is_tiny(request, upload_id) and "digest" in request.query:
        wanted = Digest.parse(request.query["digest"])
        data = await request.content.read()
        await services.threads.call(
            services.uploads.append_and_finish, caller, name, upload_id, data, wanted
        )
        return _created(name, wanted)
    upload = await _find(request, caller, name, upload_id)
    if "digest" not in request.query:
        raise DigestInvalid("the request has no `digest`", hint="add ?digest=sha256:...")
    digest = Digest.parse(request.query["digest"])
    try:
        if request.can_read_body:
            await _receive(request, upload, name)
        else:
            await services.transfers.settle(upload.id)
    except RangeDisagrees as error:
        return _out_of_order(request, name, upload, error)
    await services.threads.call(services.uploads.finish, upload, digest)
    return _created(name, digest)


async def upload_status(
    request: web.Request, caller: Caller, name: str, upload_id: str
) -> web.StreamResponse:
    """Say how many bytes arrived."""
    services = request.app[SERVICES]
    upload = await _find(request, caller, name, upload_id)
    await services.transfers.settle(upload.id)
    offset = await services.threads.call(services.storage.received, upload.id)
    return _progress(name, upload_id, offset, HTTPStatus.NO_CONTENT)


async def cancel_upload(
    request: web.Request, caller: Caller, name: str, upload_id: str
) -> web.StreamResponse:
    """Drop an upload."""
    services = request.app[SERVICES]
    upload = await _find(request, caller, name, upload_id)
    await services.transfers.settle(upload.id)
    await services.threads.call(services.uploads.cancel, upload)
    return web.Response(status=HTTPStatus.NO_CONTENT)


async def _mount(request: web.Request, caller: Caller, name: str) -> Digest | None:
    """Link what is asked for; what is not here or cannot be is uploaded, as the spec would have it."""
    services = request.app[SERVICES]
    source = request.query.get("from", "")
    try:
        digest = Digest.parse(request.query["mount"])
    except DigestInvalid:
        return None
    if source and not is_repository(source):
        return None
    is_here = await services.threads.call(services.uploads.mount, caller, name, digest, source)
    return digest if is_here else None


def _is_tiny(request: web.Request, upload_id: str) -> bool:
    """Tell whether a body is small and all here, so that it is taken in one turn of one thread.

    One that is still on its way is received as it comes: should it break off, what came is kept.
    """
    length = request.content_length or 0
    return (
        0 < length <= _TINY
        and request.content.total_bytes == length
        and "Content-Range" not in request.headers
        and _is_id(upload_id)
        and upload_id not in request.app[SERVICES].transfers.active()
    )


def _is_id(upload_id: str) -> bool:
    try:
        return str(uuid.UUID(upload_id)) == upload_id
    except ValueError:
        return False


async def _find(request: web.Request, caller: Caller, name: str, upload_id: str) -> Upload:
    """Give an upload one may push to. Raises: UploadUnknown, what `Uploads.find` does."""
    services = request.app[SERVICES]
    if not _is_id(upload_id):
        await services.threads.call(services.registry.check_push, caller, name)
        raise UploadUnknown("no upload has this id")
    return await services.threads.call(services.uploads.find, caller, name, upload_id)


async def _receive(request: web.Request, upload: Upload, name: str) -> int:
    """Append the body; give the offset after it. A Content-Range must fit the upload and the body.

    Raises: RangeDisagrees, SizeDisagrees, QuotaExceeded, what `Transfers.receive` does.
    """
    services = request.app[SERVICES]
    header = request.headers.get("Content-Range")
    limit = await _room(request, upload, name)
    if header is None:
        return await _append(request, upload, name, limit)
    match = _CONTENT_RANGE.fullmatch(header.strip())
    first, last = (int(match[1]), int(match[2])) if match else (-1, -1)
    length = request.content_length
    if match and length is not None and length != last - first + 1:
        raise SizeDisagrees(
            f"Content-Range promises {last - first + 1} bytes, Content-Length {length}"
        )
    await services.transfers.settle(upload.id)
    offset = await services.threads.call(services.storage.received, upload.id)
    if first != offset:
        raise RangeDisagrees(offset)
    offset = await _append(request, upload, name, limit, first=first)
    if offset != last + 1:
        raise SizeDisagrees(
            f"Content-Range promises {last - first + 1} bytes, {offset - first} came"
        )
    return offset


async def _room(request: web.Request, upload: Upload, name: str) -> int | None:
    """Give how many bytes the upload may have; None: any number. Raises: QuotaExceeded."""
    services = request.app[SERVICES]
    await services.transfers.settle(upload.id)
    length = request.content_length or 0
    return await services.threads.call(lambda: services.uploads.room(upload, name, length=length))


async def _append(
    request: web.Request, upload: Upload, name: str, limit: int | None, *, first: int | None = None
) -> int:
    """Append the body up to `limit`; an upload that would grow beyond is dropped.

    Raises: QuotaExceeded, what `Transfers.receive` does.
    """
    services = request.app[SERVICES]
    try:
        return await services.transfers.receive(
            upload.id, request.content, first=first, limit=limit
        )
    except LimitReached:
        beyond = (limit or 0) + 1
        await services.threads.call(lambda: services.uploads.room(upload, name, total=beyond))
        raise  # room was made meanwhile: the client may go on


def _out_of_order(
    request: web.Request, name: str, upload: Upload, error: RangeDisagrees
) -> web.Response:
    """Say where the upload stands, to a piece that does not begin there."""
    response = error_response(request, error)
    response.headers.update(_position(name, upload.id, error.offset))
    return response
