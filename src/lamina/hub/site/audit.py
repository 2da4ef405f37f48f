"""Pages of the audit log: the whole of it for admins, also as JSON lines; of what is theirs for owners."""

from collections.abc import Callable
from dataclasses import asdict
from http import HTTPStatus
from urllib.parse import urlencode

from aiohttp import web

from lamina.hub.database import Connection
from lamina.hub.errors import NameUnknown
from lamina.hub.names import HUB
from lamina.hub.site.navigation import area_of
from lamina.hub.site.render import go_to, render
from lamina.hub.site.sessions import Visit
from lamina.hub.tables import audit
from lamina.hub.tables.audit import About, Entry
from lamina.hub.targets import require_owner
from lamina.hub.web import SERVICES
from lamina.hub.words import moment
from lamina.spec.wire import encode

__all__ = ["audit_lines", "audit_of", "audit_page", "own_audit"]

_PAGE = 50
_BATCH = 1000
_WORD_LIMIT = 100


async def audit_page(request: web.Request, visit: Visit) -> web.Response:
    """Show deeds from the newest on, by account and action."""
    if visit.account is None:
        return go_to("/signin?next=/admin/audit")
    _check(visit)
    services = request.app[SERVICES]
    account, action = _filters(request)
    before = _before(request)

    def work(connection: Connection) -> tuple[tuple[Entry, ...], tuple[str, ...]]:
        rows = audit.rows(
            connection, account=account, action=action, before=before, limit=_PAGE + 1
        )
        return rows, audit.actions(connection)

    rows, actions = await services.threads.call(services.database.read, work)
    chosen = {name: text for name, text in (("account", account), ("action", action)) if text}
    older = ""
    if len(rows) > _PAGE:
        older = urlencode({**chosen, "before": rows[_PAGE - 1].id})
    values = {
        "rows": rows[:_PAGE], "actions": actions, "account": account, "action": action,
        "older": older, "query": urlencode(chosen), "is_newest": not before, "target": HUB,
        **area_of(visit, HUB),
    }  # fmt: skip
    return render(request, visit, "audit.html", values)


async def own_audit(request: web.Request, visit: Visit) -> web.Response:
    """Show what the visitor did, and what was done in their own namespace."""
    if visit.account is None:
        return go_to("/signin?next=/settings/audit")
    return await audit_of(request, visit, visit.account.name)


async def audit_of(request: web.Request, visit: Visit, target: str) -> web.Response:
    """Show what was done to a repository, or in a namespace, to who may change everything in it."""
    services = request.app[SERVICES]
    if target == HUB:
        return go_to("/admin/audit")
    account, action = _filters(request)
    before = _before(request)
    own = visit.account.name if visit.account is not None else ""

    def work(connection: Connection) -> tuple[About, tuple[str, ...]]:
        require_owner(connection, visit.caller, target)
        found = audit.about(
            connection,
            target,
            by=own if own == target else "",
            account=account,
            action=action,
            before=before,
            limit=_PAGE,
        )
        return found, audit.actions(connection)

    found, actions = await services.threads.call(services.database.read, work)
    chosen = {name: text for name, text in (("account", account), ("action", action)) if text}
    values = {
        "rows": found.rows, "actions": actions, "account": account, "action": action,
        "older": urlencode({**chosen, "before": found.before}) if found.before else "",
        "query": urlencode(chosen), "is_newest": not before, "target": target,
        **area_of(visit, target),
    }  # fmt: skip
    return render(request, visit, "audit.html", values)


async def audit_lines(request: web.Request, visit: Visit) -> web.StreamResponse:
    """Send the log as JSON lines, the newest first, by the page's filters; any number of them."""
    _check(visit)
    services = request.app[SERVICES]
    account, action = _filters(request)
    response = web.StreamResponse(
        status=HTTPStatus.OK,
        headers={
            "Content-Type": "application/jsonl",
            "Content-Disposition": 'attachment; filename="audit.jsonl"',
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        },
    )
    await response.prepare(request)
    before = 0
    while True:
        rows = await services.threads.call(
            services.database.read, _batch(account=account, action=action, before=before)
        )
        await response.write(b"".join(encode(_line(row)) + b"\n" for row in rows))
        if len(rows) < _BATCH:
            break
        before = rows[-1].id
    await response.write_eof()
    return response


def _batch(*, account: str, action: str, before: int) -> Callable[[Connection], tuple[Entry, ...]]:
    def work(connection: Connection) -> tuple[Entry, ...]:
        return audit.rows(connection, account=account, action=action, before=before, limit=_BATCH)

    return work


def _check(visit: Visit) -> None:
    """Let admins pass; for all others there is no such page. Raises: NameUnknown."""
    if not visit.caller.is_admin:
        raise NameUnknown("there is no such page")


def _filters(request: web.Request) -> tuple[str, str]:
    account, action = (
        request.query.get(name, "").strip().replace("\0", "")[:_WORD_LIMIT]
        for name in ("account", "action")
    )
    return account.lower(), action


def _before(request: web.Request) -> int:
    text = request.query.get("before", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0  # noqa: PLR2004 - fits


def _line(entry: Entry) -> dict[str, object]:
    return {**asdict(entry), "at": moment(entry.at)}
