"""One request and one response, as values: what the pure parts of this package talk about."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType

from lamina.values import Protocol, dataclass, field

__all__ = ["Body", "Headers", "Request", "Response", "Stream", "origin", "without_query"]

_NOTHING: Mapping[str, str] = MappingProxyType({})
_PORTS = {"http": 80, "https": 443}


class Stream(Protocol):
    """A response body that is still on the wire: a connection's, or a test's own."""

    def read1(self, size: int) -> bytes:
        """Give the next bytes that come, at most `size`; none at the end."""

    def release(self) -> None:
        """Give the connection back for the next request; only after the last byte."""

    def close(self) -> None:
        """Drop the connection."""


class Headers(Mapping[str, str]):
    """Header fields by name, whose case does not matter; several of one name joined by commas."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Iterable[tuple[str, str]]) -> None:
        self._fields: dict[str, str] = {}
        for name, value in fields:
            key = name.lower()
            before = self._fields.get(key)
            self._fields[key] = value if before is None else f"{before}, {value}"

    def __getitem__(self, name: str) -> str:
        return self._fields[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)


@dataclass(frozen=True, slots=True)
class Body:
    """`size` bytes to send; every call of `pieces` gives them from the start, so they can be sent again.

    Without a size they go in chunks, for servers that take that.
    """

    size: int | None
    pieces: Callable[[], Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class Request:
    """What to ask. `limit` bounds a body that is read whole; `stream` leaves a good one on the wire.

    `retry` says that asking twice does no harm beyond asking once.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    body: bytes | Body | None = None
    stream: bool = False
    retry: bool = True
    limit: int = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Response:
    """What came. `headers` ignore case; `url` is where the last redirect led; `body` may be cut at limit + 1."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    url: str = ""
    method: str = "GET"
    stream: Stream | None = None

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300  # noqa: PLR2004

    def header(self, name: str) -> str:
        """Give a header's value, several joined by a comma, empty when there is none."""
        return self.headers.get(name) or ""


def origin(url: str) -> tuple[str, str, int]:
    """Give scheme, host (lower case) and port: what decides where credentials may go."""
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    return scheme, (parts.hostname or "").lower(), parts.port or _PORTS.get(scheme, 0)


def without_query(url: str) -> str:
    """Give the URL as people may see it: queries carry signatures, user parts carry passwords."""
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
