"""Manifests over HTTP. Spec: distribution-spec, "Pushing manifests", "Listing referrers"."""

import functools
from http import HTTPStatus

from aiohttp import web

from lamina.errors import Invalid
from lamina.hub.access import Caller
from lamina.hub.documents import Facts
from lamina.hub.errors import ManifestTooLarge
from lamina.hub.notes import note
from lamina.hub.outbox import NOBODY
from lamina.hub.remembered import may_be_kept
from lamina.hub.tables.manifests import StoredManifest
from lamina.hub.tables.quotas import Quota
from lamina.hub.v2.answers import json_response
from lamina.hub.v2.notices import add_notices, of_push
from lamina.hub.v2.paging import next_link, wanted_page
from lamina.hub.web import SERVICES, asked_by
from lamina.spec.descriptor import MediaType
from lamina.spec.digest import Digest
from lamina.spec.manifest import MANIFEST_LIMIT
from lamina.spec.wire import Document, decode

__all__ = ["delete_manifest", "get_manifest", "list_referrers", "put_manifest"]

_REFERRERS_PAGE = 500


async def get_manifest(
    request: web.Request, caller: Caller, name: str, reference: str
) -> web.StreamResponse:
    """Send a manifest byte for byte, whatever the client says it accepts.

    Clients spread what they accept over many headers, or forget a type; a 404 helps none of them.
    """
    services = request.app[SERVICES]
    is_pull = request.method == "GET"
    asked = asked_by(request) if is_pull and services.outbox.wants_pulls(name) else NOBODY

    def work() -> StoredManifest:
        return services.registry.manifest(caller, name, reference, is_pull=is_pull, asked=asked)

    found = await services.threads.call(work)
    headers = {
        "Content-Type": found.media_type,
        "Docker-Content-Digest": str(found.digest),
        "ETag": f'"{found.digest}"',
    }
    known = request.headers.get("If-None-Match", "")
    if known.strip() == "*" or f'"{found.digest}"' in known:
        return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
    if is_pull:
        if asked is NOBODY:  # else each pull is told with the request that it came with
            tells = functools.partial(services.registry.note_pull, caller, name, reference, found)
            may_be_kept(request, tells)
        return web.Response(body=found.raw, headers=headers)
    may_be_kept(request, functools.partial(services.registry.note_asked, found.id))
    return web.Response(headers={**headers, "Content-Length": str(len(found.raw))})


async def put_manifest(
    request: web.Request, caller: Caller, name: str, reference: str
) -> web.StreamResponse:
    """Keep a manifest; by tag it becomes what the tag names."""
    services = request.app[SERVICES]
    await services.threads.call(services.registry.check_push, caller, name)
    raw = await _read_manifest(request)
    media_type, asked = request.headers.get("Content-Type", ""), asked_by(request)

    def work() -> tuple[Facts, tuple[Quota, ...]]:
        kept = services.registry.push_manifest(
            caller, name, reference, raw, media_type, asked=asked
        )
        return kept, services.quotas.of_repository(name)

    facts, standing = await services.threads.call(work)
    note(request, "push", _subject(name, reference), account=caller.name, token=caller.token_id)
    headers = {
        "Location": f"/v2/{name}/manifests/{facts.digest}",
        "Docker-Content-Digest": str(facts.digest),
    }
    if facts.subject is not None:
        headers["OCI-Subject"] = str(facts.subject)
    response = web.Response(status=HTTPStatus.CREATED, headers=headers)
    add_notices(response, of_push(caller, standing, now=services.clock()))
    return response


async def _read_manifest(request: web.Request) -> bytes:
    if (request.content_length or 0) > MANIFEST_LIMIT:
        raise ManifestTooLarge(f"a manifest has at most {MANIFEST_LIMIT} bytes")
    raw = bytearray()
    async for piece in request.content.iter_any():
        raw += piece
        if len(raw) > MANIFEST_LIMIT:
            raise ManifestTooLarge(f"a manifest has at most {MANIFEST_LIMIT} bytes")
    return bytes(raw)


async def delete_manifest(
    request: web.Request, caller: Caller, name: str, reference: str
) -> web.StreamResponse:
    """Delete a tag alone, or a manifest with every tag on it."""
    services = request.app[SERVICES]
    asked = asked_by(request)
    await services.threads.call(
        lambda: services.registry.delete_reference(caller, name, reference, asked=asked)
    )
    note(request, "delete", _subject(name, reference), account=caller.name, token=caller.token_id)
    return web.Response(status=HTTPStatus.ACCEPTED)


def _subject(name: str, reference: str) -> str:
    return f"{name}{'@' if ':' in reference else ':'}{reference}"


async def list_referrers(
    request: web.Request, caller: Caller, name: str, reference: str
) -> web.StreamResponse:
    """List what is attached to a manifest, as an index; empty when nothing is."""
    services = request.app[SERVICES]
    subject = Digest.parse(reference)
    kind = request.query.get("artifactType", "")
    if "\0" in kind:  # which PostgreSQL takes in no text
        raise Invalid("`artifactType` is not a media type")
    limit, last = wanted_page(request, default=_REFERRERS_PAGE)
    limit = max(1, limit)  # what `n` is not for: a page of nothing would be the last

    def work() -> tuple[tuple[StoredManifest, ...], bool]:
        return services.registry.referrers(
            caller, name, subject, artifact_type=kind, last=last, limit=limit
        )

    rows, has_more = await services.threads.call(work)
    descriptors = [_referrer(row) for row in rows]
    document = {
        "schemaVersion": 2,
        "mediaType": MediaType.OCI_INDEX,
        "manifests": [each for each in descriptors if kind in ("", each.get("artifactType"))],
    }
    response = json_response(document, content_type=MediaType.OCI_INDEX)
    if kind:
        response.headers["OCI-Filters-Applied"] = "artifactType"
    if has_more:
        response.headers["Link"] = next_link(request, limit, rows[-1].digest)
    return response


def _referrer(row: StoredManifest) -> Document:
    descriptor: Document = {
        "mediaType": row.media_type,
        "digest": str(row.digest),
        "size": len(row.raw),
    }
    fields = decode(row.raw)
    kind = row.artifact_type or (fields["config"]["mediaType"] if row.config else "")
    if kind:
        descriptor["artifactType"] = kind
    annotations = fields.get("annotations")
    if isinstance(annotations, dict) and annotations:
        descriptor["annotations"] = annotations
    return descriptor
