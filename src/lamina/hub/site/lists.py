"""The front page with its search, and a person's page."""

from dataclasses import dataclass

from aiohttp import web

from lamina.hub.access import Caller
from lamina.hub.database import Connection
from lamina.hub.site.readme import markdown
from lamina.hub.site.render import render
from lamina.hub.site.sessions import Visit
from lamina.hub.tables import accounts, organisations, profiles, repositories
from lamina.hub.tables.accounts import Account
from lamina.hub.tables.profiles import Profile
from lamina.hub.tables.repositories import Listed
from lamina.hub.web import SERVICES

__all__ = ["front", "page_number", "person"]

_PAGE = 30
_POPULAR = 6
_QUERY_LIMIT = 100


@dataclass(frozen=True, slots=True)
class _Person:
    name: str
    account: Account | None
    profile: Profile
    rows: tuple[Listed, ...]
    organisations: tuple[str, ...]


def page_number(request: web.Request) -> int:
    """Give which page of a list is asked for, from 1."""
    text = request.query.get("page", "1")
    return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 8 else 1  # noqa: PLR2004 - no overflow


async def front(request: web.Request, visit: Visit) -> web.Response:
    """List and search what the visitor may see; before the newest, what is pulled most."""
    services = request.app[SERVICES]
    words = request.query.get("q", "")[:_QUERY_LIMIT]
    number = page_number(request)
    reader = visit.caller.as_reader

    def work(connection: Connection) -> tuple[tuple[Listed, ...], tuple[Listed, ...]]:
        rows = repositories.search(
            connection, words, reader=reader, limit=_PAGE + 1, offset=(number - 1) * _PAGE
        )
        is_first = number == 1 and not words.strip()
        return rows, repositories.popular(
            connection, reader=reader, limit=_POPULAR
        ) if is_first else ()

    rows, popular = await services.threads.call(services.database.read, work)
    values = {
        "words": words,
        "rows": rows[:_PAGE],
        "page": number,
        "has_next": len(rows) > _PAGE,
        "popular": popular if len(rows) > _POPULAR else (),
    }
    return render(request, visit, "front.html", values)


async def person(request: web.Request, visit: Visit, name: str) -> web.Response | None:
    """Show an account with its repositories; None if there is none of that name."""
    services = request.app[SERVICES]
    caller = visit.caller
    number = page_number(request)

    def work(connection: Connection) -> _Person:
        return _find_person(connection, caller, name, number)

    def draw() -> web.Response | None:
        found = services.database.read(work)
        if found.account is None and not found.rows:
            return None
        values = {
            "name": name,
            "account": found.account,
            "profile": found.profile,
            "about": markdown(found.profile.about),
            "rows": found.rows[:_PAGE],
            "page": number,
            "has_next": len(found.rows) > _PAGE,
            "is_self": caller.name == name,
            "organisations": found.organisations,
        }
        return render(request, visit, "person.html", values)

    return await services.threads.call(draw)


def _find_person(connection: Connection, caller: Caller, name: str, number: int) -> _Person:
    rows = repositories.of_namespace(
        connection, name, reader=caller.as_reader, limit=_PAGE + 1, offset=(number - 1) * _PAGE
    )
    account = accounts.find(connection, name)
    profile = profiles.of(connection, account) if account else Profile()
    own = organisations.of_account(connection, name) if caller.name == name else ()  # no one else's
    return _Person(name, account, profile, rows, tuple(each.name for each, _ in own))
