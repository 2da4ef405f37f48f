"""Search a registry: by its own search where it has one, else in the list of its repositories."""

from urllib.parse import quote

from lamina.errors import Invalid, NotFound, Unsupported
from lamina.remote.messages import Request
from lamina.spec.wire import decode
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.engine.engine import Engine

__all__ = ["Findings", "Found", "search"]

_SEARCH_SITE = "https://index.docker.io"
_HUB = "docker.io"
_LIMIT = 4 * 1024 * 1024
_LACKING = (400, 404, 405, 501)


@dataclass(frozen=True, slots=True)
class Found:
    """One repository. What a catalogue cannot say is empty."""

    name: str
    description: str = ""
    stars: int = 0
    is_official: bool = False


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found at `registry`; `by` is `search`, or `catalog` where it has no search."""

    registry: str
    by: str
    rows: tuple[Found, ...]


def search(engine: "Engine", term: str, *, limit: int = 25) -> Findings:
    """Find repositories: `TERM` at the default registry, `HOST/TERM` at another.

    Raises: Invalid (no term), Unauthorized, Denied, Unavailable, Unsupported (neither way works).
    """
    registry, words = _split(term)
    found = _by_search(engine, registry, words, limit)
    if found is None:
        return Findings(registry, "catalog", _by_catalog(engine, registry, words, limit))
    return Findings(registry, "search", found)


def _split(term: str) -> tuple[str, str]:
    first, slash, rest = term.partition("/")
    is_host = slash and (first == "localhost" or "." in first or ":" in first)
    registry, words = (first, rest) if is_host else (_HUB, term)
    if not words.strip() and not is_host:
        raise Invalid("search needs a word to look for")
    return registry, words.strip()


def _by_search(engine: "Engine", registry: str, words: str, limit: int) -> tuple[Found, ...] | None:
    """Ask as docker does; None where the registry does not know the question."""
    client = engine.client
    endpoint = client.endpoints.find(registry)
    site = _SEARCH_SITE if registry == _HUB else endpoint.url
    url = f"{site}/v1/search?q={quote(words)}&n={limit}"
    response = client.send(endpoint, Request("GET", url, limit=_LIMIT))
    if response.status in (*_LACKING, 401, 403):  # a login for /v2/ alone, for one
        return None
    if not response.is_success:
        from lamina.remote.errors import Purpose

        raise client.failure(response, Purpose("pull", registry, words, "repository", registry))
    try:
        rows = decode(response.body, what=f"answer of {registry}").get("results") or []
    except Invalid:  # a page for people
        return None
    return tuple(
        Found(
            str(row.get("name") or ""),
            " ".join(str(row.get("description") or "").split()),
            int(row.get("star_count") or 0),
            bool(row.get("is_official")),
        )
        for row in rows[:limit]
        if isinstance(row, dict)
    )


def _by_catalog(engine: "Engine", registry: str, words: str, limit: int) -> tuple[Found, ...]:
    from lamina.remote.catalog import catalog

    found: list[Found] = []
    try:
        for name in catalog(engine.client, registry):
            if all(word in name for word in words.lower().split()):
                found.append(Found(name))
            if len(found) == limit:
                break
    except NotFound as error:
        raise Unsupported(
            f"{registry} has neither a search nor a list of its repositories"
        ) from error
    return tuple(found)
