"""What clients are told beside an answer that is fine: Warning headers of code 299 (distribution-spec, Warnings)."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from aiohttp import web

from lamina.hub import words
from lamina.hub.access import Caller
from lamina.hub.tables.quotas import Quota

__all__ = ["STALE", "add_notices", "of_push"]

STALE = "the registry does not answer: this is what was known of it"
_SOON_S = 7 * 86400.0
_FULL = 0.9


def add_notices(response: web.StreamResponse, texts: Iterable[str]) -> None:
    """Add a Warning header for each of `texts`, which are ours: ASCII, without quotes."""
    for text in texts:
        response.headers.add("Warning", f'299 - "{text}"')


def of_push(caller: Caller, standing: Sequence[Quota], *, now: float) -> tuple[str, ...]:
    """Give what whoever pushes has to know before it refuses them: a quota nearly used up, a login that ends."""
    found = [
        f"{each.target} has {words.size(each.used)} of the {words.size(each.size)} that it may have"
        for each in standing
        if each.used >= _FULL * each.size
    ]
    if caller.until <= now + _SOON_S:
        day = datetime.fromtimestamp(caller.until, UTC).date()
        kind = "robot's token" if caller.robot_of else "access token"
        found.append(f"this {kind} ends on {day}: make another in time")
    return tuple(found)
