"""One request and one response, as values: what the pure parts of this package talk about."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

__all__ = ["Body", "Request", "Response", "Stream", "origin", "without_query"]

_NOTHING: Mapping[str, str] = MappingProxyType({})
_PORTS = {"http": 80, "https": 443}


class Stream(Protocol):
    """A response body that is still on the wire. urllib3's response and tests' fakes have it."""

    def read1(self, amt: int | None = None, decode_content: bool | None = None) -> bytes:
        """Give the next bytes that come, at most `amt`; none at the end."""

    def release_conn(self) -> None:
        """Give the connection back for the next request; only after the last byte."""

    def close(self) -> None:
        """Drop the connection."""


@dataclass(frozen=True, slots=True)
class Body:
    """`size` bytes to send; every call of `pieces` gives them from the start, so they can be sent again."""

    size: int
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
