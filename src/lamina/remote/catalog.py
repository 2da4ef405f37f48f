"""The repositories of a registry, where it lists them. Spec: distribution's `_catalog`."""

from collections.abc import Iterator

from lamina.errors import Invalid
from lamina.remote.described import next_page
from lamina.remote.errors import Purpose, ResponseInvalid
from lamina.remote.messages import Request
from lamina.spec.wire import decode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.remote.client import Client

__all__ = ["catalog"]

_SCOPE = "registry:catalog:*"
_MOST_PAGES = 10_000
_LIMIT = 16 * 1024 * 1024


def catalog(client: "Client", registry: str) -> Iterator[str]:
    """Give the repositories' names in the registry's order, page by page as they are asked for.

    Raises: NotFound or Unsupported (it lists none), Unauthorized, Denied, Unavailable.
    """
    endpoint = client.endpoints.find(registry)
    url = f"{endpoint.url}/v2/_catalog?n=1000"
    seen: set[str] = set()
    while url not in seen and len(seen) < _MOST_PAGES:  # a loop ends the listing
        seen.add(url)
        response = client.send(endpoint, Request("GET", url, limit=_LIMIT), scopes=(_SCOPE,))
        if not response.is_success:
            raise client.failure(
                response, Purpose("pull", registry, "the catalog", "repository", registry)
            )
        try:
            rows = decode(response.body, what="catalog").get("repositories") or []
        except Invalid as error:
            raise ResponseInvalid(f"{error}: is {registry} a registry?") from error
        yield from (row for row in rows if isinstance(row, str))
        following = next_page(response)
        if not following:
            return
        url = client.transport.resolve(response.url, following)
