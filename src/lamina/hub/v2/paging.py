"""Pages of long lists: `n`, `last` and the Link header. Spec: distribution-spec, "Listing tags"."""

from urllib.parse import urlencode

from aiohttp import web

from lamina.hub.errors import PageInvalid

__all__ = ["next_link", "wanted_page"]

_LONGEST = 1000
_DIGITS = 18


def wanted_page(request: web.Request, *, default: int) -> tuple[int, str]:
    """Give how many entries are wanted and after which; more than 1000 at once are never given.

    Raises: PageInvalid.
    """
    text = request.query.get("n")
    last = request.query.get("last", "")
    if "\0" in last:  # which PostgreSQL takes in no text
        raise PageInvalid("`last` is the name of no entry")
    if text is None:
        return default, last
    if not text.isascii() or not text.isdigit() or len(text) > _DIGITS:
        raise PageInvalid(f"n={text[:_DIGITS]!r} is not a number of entries")
    return min(int(text), _LONGEST), last


def next_link(request: web.Request, limit: int, last: str) -> str:
    """Give the Link header that leads to the entries after `last`."""
    query = {key: value for key, value in request.query.items() if key not in ("n", "last")}
    return f'<{request.path}?{urlencode({**query, "n": limit, "last": last})}>; rel="next"'
