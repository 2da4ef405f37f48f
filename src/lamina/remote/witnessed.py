"""What a witness hears of the wire: enough to learn from, and nothing that lets anybody in."""

from collections.abc import Mapping

from lamina.events import Admitted, Exchanged
from lamina.remote.messages import Body, Request, Response, split_url, without_query

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.remote.challenge import Challenge
    from lamina.remote.credentials import Credentials

__all__ = ["admitted", "exchanged"]

_HARMLESS = ("digest", "from", "last", "mount", "n", "ns", "scope", "service")
_HEADERS = (
    "content-length", "content-range", "content-type", "docker-content-digest", "www-authenticate",
)  # fmt: skip


def exchanged(request: Request, headers: Mapping[str, str], response: Response) -> Exchanged:
    """Tell of a request, sent with `headers`, and its answer.

    Of a query only what is known to be harmless is told: addresses of uploads and of storage behind
    a registry let in whoever has them.
    """
    url = response.url or request.url
    told = {name: response.header(name) for name in _HEADERS if response.header(name)}
    if location := response.header("Location"):
        told["location"] = without_query(location) if "://" in location else location.split("?")[0]
    return Exchanged(
        method=request.method,
        url=without_query(url),
        status=response.status,
        query=_harmless(split_url(url).query),
        headers=told,
        scheme=_scheme(headers),
        sent=_size(request),
    )


def admitted(
    registry: str,
    challenge: "Challenge",
    scopes: tuple[str, ...],
    credentials: "Credentials | None",
    lifetime_s: float,
) -> Admitted:
    """Tell of a token that the challenge's realm gave, without the token."""
    return Admitted(
        registry=registry,
        realm=without_query(challenge.parameters["realm"]),
        service=challenge.parameters.get("service", ""),
        scopes=scopes,
        account=credentials.username if credentials else "",
        lifetime_s=lifetime_s,
    )


def _harmless(query: str) -> dict[str, str]:
    if not query:
        return {}
    from urllib.parse import parse_qsl

    return {key: value for key, value in parse_qsl(query) if key in _HARMLESS}


def _scheme(headers: Mapping[str, str]) -> str:
    sent = next((value for name, value in headers.items() if name.lower() == "authorization"), "")
    return sent.partition(" ")[0]


def _size(request: Request) -> int:
    body = request.body
    if isinstance(body, Body):
        return -1 if body.size is None else body.size
    return len(body or b"")
