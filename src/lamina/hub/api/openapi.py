"""The description of the hub's interfaces as OpenAPI 3.1: `GET /api/openapi.json`.

Each route has its operation in `described`; a test compares the two, and another sends what the
description lets expect, and what it does not, and compares the answers with it.
"""

import functools

from aiohttp import web

from lamina.hub.api.described import (
    accounts,
    exploring,
    keeping,
    organisations,
    registry,
    repositories,
    upstreams,
)
from lamina.hub.api.described.words import TEXT, Operation, array, operation_document, record
from lamina.spec.wire import Document, encode

__all__ = ["OPERATIONS", "description", "openapi"]

OPERATIONS: tuple[Operation, ...] = (
    *registry.OPERATIONS,
    *accounts.OPERATIONS,
    *organisations.OPERATIONS,
    *repositories.OPERATIONS,
    *keeping.OPERATIONS,
    *upstreams.OPERATIONS,
    *exploring.OPERATIONS,
)
_ERROR = record({"error": TEXT}, hint=TEXT, fields={"type": "object", "additionalProperties": TEXT})
_ERRORS = record(
    {
        "errors": array(
            record({"code": TEXT, "message": TEXT}, detail={"type": ["object", "array"]}),
        )
    }
)


def description() -> Document:
    """Give the whole document."""
    paths: dict[str, dict[str, Document]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = operation_document(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Lamina hub",
            "version": "1",
            "description": "Images by the OCI distribution specification 1.1, and what belongs to a hub."
            " Slashes in a repository's name may be sent as they are.",
        },
        "paths": paths,
        "components": {
            "schemas": {"Error": _ERROR, "Errors": _ERRORS},
            "securitySchemes": {
                "password": {"type": "http", "scheme": "basic"},
                "token": {"type": "http", "scheme": "bearer"},
            },
        },
    }


@functools.cache
def _body() -> bytes:
    return encode(description())


async def openapi(request: web.Request) -> web.StreamResponse:  # noqa: ARG001 - a route's form
    """Give the description."""
    return web.Response(
        body=_body(), content_type="application/json", headers={"Cache-Control": "max-age=300"}
    )
