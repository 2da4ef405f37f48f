"""Around every request: its id, its line in the log, and its place in the metrics."""

import random
import re
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from aiohttp import web

from lamina.hub.logs import ACCOUNT, REQUEST_ID, log_request, logs_requests
from lamina.hub.web import SERVICES, client_address, is_within

__all__ = [
    "REQUEST_ID_HEADER",
    "SERVER",
    "line_of",
    "name_response",
    "request_id",
    "route_of",
    "watch",
]

REQUEST_ID_HEADER = "X-Request-Id"
SERVER = "lamina"
"""What every answer says of who gave it: no versions, which would tell what to attack it with."""
_CHANCE = random.Random()  # noqa: S311 - ids are told apart, and are no secret
_ID = re.compile(r"[A-Za-z0-9._:@=/+-]{1,128}")
_GONE = 499  # as nginx counts clients that hung up
_AGENT = 200  # of its letters
_BODILESS = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
_KINDS = {"manifests": "manifest", "blobs": "blob", "uploads": "upload", "referrers": "referrers"}
_FIRST = {
    "token": "token",
    "healthz": "health",
    "readyz": "health",
    "metrics": "metrics",
    "static": "static",
    "api": "api",
    "v1": "api",
    ".well-known": "token",
}


def route_of(path: str) -> str:
    """Give what kind of thing `path` asks for: one of a dozen words."""
    parts = path.split("/")
    first = parts[1] if len(parts) > 1 else ""
    if first != "v2":
        return _FIRST.get(first, "page")
    if path.endswith("/tags/list"):
        return "tags"
    if path.endswith("/_catalog"):
        return "catalog"
    if path in ("/v2", "/v2/"):
        return "ping"
    if path.endswith("/blobs/uploads"):
        return "upload"
    return _KINDS.get(parts[-2], "other")


@web.middleware
async def watch(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answer, then count and write down how it went.

    A proxy's own X-Request-Id is kept where it is a plain word, so that one request can be followed
    through several servers. Anyone else's is written to the log beside ours: with ids that clients
    choose, one could hide a deed among another's in the log and in the audit.
    """
    settings = request.app[SERVICES].settings
    is_proxy = is_within(request.remote or "", settings.proxies)
    REQUEST_ID.set(request_id(request.headers.get(REQUEST_ID_HEADER, ""), is_believed=is_proxy))
    ACCOUNT.set("")
    metrics = request.app[SERVICES].metrics
    metrics.in_flight += 1
    began = time.perf_counter()
    status, sent = _GONE, 0  # cancelled: nobody waits any more
    try:
        response = await handler(request)
        status, sent = response.status, _sent(request, response)
    except web.HTTPException as error:
        status = error.status
        raise
    except ConnectionError:  # the client went away in the middle
        raise
    except Exception:
        status = HTTPStatus.INTERNAL_SERVER_ERROR
        raise
    finally:
        metrics.in_flight -= 1
        _tell(request, status=int(status), took_s=time.perf_counter() - began, sent=sent)
    return response


def _tell(request: web.Request, *, status: int, took_s: float, sent: int) -> None:
    route, received = route_of(request.path), request.content.total_bytes
    request.app[SERVICES].metrics.count(
        method=request.method,
        route=route,
        status=status,
        took_s=took_s,
        received=received,
        sent=sent,
    )
    if logs_requests():
        log_request(
            line_of(
                method=request.method,
                path=request.path,
                route=route,
                status=status,
                took_s=took_s,
                received=received,
                sent=sent,
                address=client_address(request),
                agent=request.headers.get("User-Agent", ""),
                given_id=request.headers.get(REQUEST_ID_HEADER, ""),
            )
        )


def request_id(given: str, *, is_believed: bool) -> str:
    """Give the id of a request: what was `given` with it by a proxy that is believed, else a fresh one."""
    return given if is_believed and _ID.fullmatch(given) else f"{_CHANCE.getrandbits(64):016x}"


def line_of(
    *,
    method: str,
    path: str,
    route: str,
    status: int,
    took_s: float,
    received: int,
    sent: int,
    address: str,
    agent: str,
    given_id: str = "",
) -> dict[str, object]:
    """Give what the log says of a request that ended; who asked is in `ACCOUNT`.

    `given_id` is the id that came with it; it is told where it is not the request's own.
    """
    line: dict[str, object] = {
        "method": method,
        "path": path,
        "route": route,
        "status": status,
        "duration_ms": round(1000 * took_s, 3),
        "received": received,
        "sent": sent,
        "address": address,
        "account": ACCOUNT.get(),
        "agent": agent[:_AGENT],
    }
    if given_id != REQUEST_ID.get() and _ID.fullmatch(given_id):
        line["client_request_id"] = given_id
    return line


async def name_response(request: web.Request, response: web.StreamResponse) -> None:
    """Send the id back with every answer, whoever made it."""
    del request
    response.headers[REQUEST_ID_HEADER] = REQUEST_ID.get()
    response.headers["Server"] = SERVER


def _sent(request: web.Request, response: web.StreamResponse) -> int:
    if request.method == "HEAD" or response.status in _BODILESS:
        return 0
    return response.content_length or 0
