"""What balancers and Prometheus ask: readiness and metrics."""

import hmac
import os
from http import HTTPStatus

from aiohttp import web

from lamina.hub.metrics import CONTENT_TYPE
from lamina.hub.web import SERVICES
from lamina.spec.wire import encode

__all__ = ["metrics", "metrics_by_token", "ready"]

_UNCACHED = {"Cache-Control": "no-store"}


async def ready(request: web.Request) -> web.StreamResponse:
    """Say whether anyone should be sent here: 200, or 503 with what is wrong by subject."""
    services = request.app[SERVICES]
    problems = await services.threads.call(services.readiness.problems)
    if not problems:
        return web.Response(text="ok\n", headers=_UNCACHED)
    return web.Response(
        body=encode(problems),
        status=HTTPStatus.SERVICE_UNAVAILABLE,
        content_type="application/json",
        headers=_UNCACHED,
    )


async def metrics(request: web.Request) -> web.StreamResponse:
    """Give the metrics to whoever can reach this address."""
    services = request.app[SERVICES]
    settings = services.settings
    free = None if settings.storage else await services.threads.call(_free, settings.root)
    text = services.metrics.render(uploads=len(services.transfers.active()), free=free)
    text += services.passing.families()
    headers = {**_UNCACHED, "Content-Type": CONTENT_TYPE}
    return web.Response(body=text.encode(), headers=headers)


async def metrics_by_token(request: web.Request) -> web.StreamResponse:
    """Give the metrics to who brings the token; without one in the settings there is no such page."""
    expected = request.app[SERVICES].settings.metrics_token
    if not expected:
        raise web.HTTPNotFound
    kind, _, given = request.headers.get("Authorization", "").partition(" ")
    is_right = hmac.compare_digest(given.strip().encode(errors="replace"), expected.encode())
    if kind.lower() != "bearer" or not is_right:
        headers = {"WWW-Authenticate": 'Bearer realm="metrics"'}
        return web.Response(
            text="these metrics want the token of LAMINA_HUB_METRICS_TOKEN\n",
            status=HTTPStatus.UNAUTHORIZED,
            headers=headers,
        )
    return await metrics(request)


def _free(root: str) -> int:
    found = os.statvfs(root)
    return found.f_bavail * found.f_frsize
