"""Search as docker and podman ask for it: `GET /v1/search?q=…&n=…`."""

from aiohttp import web

from lamina.hub.database import Connection
from lamina.hub.tables import repositories
from lamina.hub.tables.repositories import Listed
from lamina.hub.web import SERVICES, authenticate
from lamina.spec.wire import encode

__all__ = ["search"]

_QUERY_LIMIT = 200
_MOST, _PAGE = 100, 25


async def search(request: web.Request) -> web.StreamResponse:
    """Find what the caller may see, as the front page does; `library/` has no special place here."""
    services = request.app[SERVICES]
    reader = (await authenticate(request)).as_reader
    words = request.query.get("q", "")[:_QUERY_LIMIT]
    asked = request.query.get("n", "")
    is_number = asked.isascii() and asked.isdigit() and len(asked) < 8  # noqa: PLR2004 - no overflow
    limit = min(_MOST, max(1, int(asked))) if is_number else _PAGE

    def work(connection: Connection) -> tuple[Listed, ...]:
        return repositories.search(connection, words, reader=reader, limit=limit)

    rows = await services.threads.call(services.database.read, work)
    results = [
        {
            "name": row.repository.name,
            "description": row.repository.summary,
            "star_count": 0,
            "is_official": False,
            "is_automated": False,
            "is_trusted": False,
        }
        for row in rows
    ]
    document = {
        "query": words, "num_results": len(results), "num_pages": 1, "page": 1,
        "page_size": limit, "results": results,
    }  # fmt: skip
    return web.Response(body=encode(document), content_type="application/json")
