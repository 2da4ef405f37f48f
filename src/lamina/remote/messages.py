"""One request and one response, as values: what the pure parts of this package talk about."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType

from lamina.values import NamedTuple, Protocol, dataclass, field

__all__ = [
    "Address",
    "Body",
    "Headers",
    "Request",
    "Response",
    "Stream",
    "joined",
    "origin",
    "quoted",
    "split_url",
    "without_query",
]

_NOTHING: Mapping[str, str] = MappingProxyType({})
_PORTS = {"http": 80, "https": 443}
_UNRESERVED = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-~"
# What addresses of registries are made of. Everything else is left to the standard library, which
# takes as long to load as three requests on a loopback line.
_USUAL = dict.fromkeys(map(ord, f"{_UNRESERVED}:/?=&%+,@"))
_HIGHEST_PORT = 65535


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


class Address(NamedTuple):
    """A URL in parts, none of them decoded; `path` begins with a slash or is empty."""

    scheme: str
    netloc: str
    path: str
    query: str


def split_url(url: str) -> Address:
    """Take a URL apart; its fragment is dropped. Raises: ValueError (brackets that do not match)."""
    scheme, mark, rest = url.partition("://")
    if not mark or not scheme.isalpha() or url.translate(_USUAL):
        from urllib.parse import urlsplit

        parts = urlsplit(url)
        return Address(parts.scheme, parts.netloc, parts.path, parts.query)
    before, _, query = rest.partition("?")
    netloc, slash, path = before.partition("/")
    return Address(scheme.lower(), netloc, slash + path, query)


def quoted(text: str, safe: str = "") -> str:
    """Write as percent signs and digits what is neither a letter, a digit, one of `_.-~` nor in `safe`."""
    kept = frozenset(f"{_UNRESERVED}{safe}".encode())
    return "".join(chr(byte) if byte in kept else f"%{byte:02X}" for byte in text.encode())


def joined(base: str, address: str) -> str:
    """Complete an address as a browser would that is at `base`. Raises: ValueError."""
    if not address.translate(_USUAL):
        if address.startswith(("http://", "https://")):
            return address
        if address.startswith("/") and not address.startswith("//") and "/." not in address:
            here = split_url(base)
            return f"{here.scheme}://{here.netloc}{address}"
    from urllib.parse import urljoin

    return urljoin(base, address)


def origin(url: str) -> tuple[str, str, int]:
    """Give scheme, host (lower case) and port: what decides where credentials may go.

    Raises: ValueError (no such port).
    """
    scheme, netloc, *_ = split_url(url)
    place = netloc.rpartition("@")[2]
    if "[" in place:
        from urllib.parse import urlsplit

        parts = urlsplit(url)
        return scheme, (parts.hostname or "").lower(), parts.port or _PORTS.get(scheme, 0)
    host, _, port = place.partition(":")
    if port and not (port.isascii() and port.isdigit() and int(port) <= _HIGHEST_PORT):
        raise ValueError(f"{port!r} is no port")
    return scheme, host.lower(), int(port or 0) or _PORTS.get(scheme, 0)


def without_query(url: str) -> str:
    """Give the URL as people may see it: queries carry signatures, user parts carry passwords."""
    parts = split_url(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
