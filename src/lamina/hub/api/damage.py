"""Blobs that are not well by JSON, for admins.

    GET /api/v1/damaged    {"damaged": [{"digest", "size", "damage", "found_at", "repositories"}]}

Wants a full login.
"""

from aiohttp import web

from lamina.hub.access import Caller
from lamina.hub.api.answers import for_login, json_answer
from lamina.hub.names import HUB
from lamina.hub.services import Services
from lamina.hub.targets import require_owner
from lamina.hub.words import moment

__all__ = ["add_damage"]


def add_damage(app: web.Application) -> None:
    """Add the route to the application."""
    app.router.add_get("/api/v1/damaged", for_login(_list))


async def _list(_: web.Request, services: Services, caller: Caller) -> web.StreamResponse:
    await services.threads.call(
        services.database.read, lambda connection: require_owner(connection, caller, HUB)
    )
    found = await services.threads.call(services.scrubber.findings)
    rows = [
        {
            "digest": each.blob.digest,
            "size": each.blob.size,
            "damage": each.blob.damage,
            "found_at": moment(each.blob.found_at),
            "repositories": list(each.repositories),
        }
        for each in found
    ]
    return json_answer({"damaged": rows})
