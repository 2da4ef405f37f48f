"""The audit log: who did what, when, from where and with which token.

A route notes what it did; the note is durable before the answer is sent, so whoever was told of
a success finds it in the log. Pulls are not noted.
"""

import logging
from collections.abc import Awaitable, Callable

from aiohttp import web

from lamina.hub.database import Connection
from lamina.hub.logs import REQUEST_ID
from lamina.hub.notes import NOTES
from lamina.hub.tables import audit
from lamina.hub.tables.audit import Entry
from lamina.hub.web import SERVICES, client_address

__all__ = ["keep_notes"]


@web.middleware
async def keep_notes(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answer, after what was noted is in the database."""
    response = await handler(request)
    notes = request.get(NOTES)
    if notes is None:
        return response
    services = request.app[SERVICES]
    now, address, request_id = services.clock(), client_address(request), REQUEST_ID.get()

    def work(connection: Connection) -> None:
        for account, action, subject, token in notes:
            audit.add(connection, Entry(now, account, action, subject, address, token, request_id))

    try:
        await services.threads.call(services.database.write, work)
    except Exception:  # what was done is done: an error now would tell otherwise
        logging.getLogger("lamina.hub").exception("not in the audit log: %r by %s", notes, address)
    return response
