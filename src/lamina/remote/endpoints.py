"""Where a registry is reached, over TLS or not, and whom it may send us to.

Plain http is spoken with loopback addresses and with registries named in
LAMINA_INSECURE_REGISTRIES, after TLS was tried, and with nobody else.
"""

import threading
from collections.abc import Callable

from lamina.errors import Invalid
from lamina.remote.messages import origin
from lamina.remote.sockets import dial
from lamina.values import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.remote.memory import Memory

__all__ = ["Endpoint", "EndpointBook", "InsecureRules", "is_loopback", "speaks_tls", "split_host"]

_HUB = "docker.io"
_HUB_HOST = "registry-1.docker.io"
_HELLO_S = 0.4
_PLAIN_S = 5.0
_TLS_ALERT, _TLS_HANDSHAKE = b"\x15", b"\x16"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One registry's address: `url` is scheme and host, without a slash at the end."""

    registry: str
    url: str
    insecure: bool = False


def split_host(host: str, default_port: int) -> tuple[str, int]:
    """Split `name:port` or `[::1]:port`; brackets are dropped. Raises: Invalid."""
    name, colon, port = host.rpartition(":")
    if not colon or port.endswith("]") or (":" in name and not name.startswith("[")):
        name, port = host, ""
    if port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):  # noqa: PLR2004
        raise Invalid(f"invalid port in {host!r}")
    return name.removeprefix("[").removesuffix("]").lower(), int(port) if port else default_port


def is_loopback(host: str) -> bool:
    """Tell whether a host name or literal (no port) is this machine itself."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    if ":" not in host and not host.startswith("127."):
        return False
    if host.isascii() and host.startswith("127.") and _are_octets(host.split(".")):
        return True
    from ipaddress import ip_address

    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _are_octets(words: list[str]) -> bool:
    """Tell whether these are the four numbers of an address, without a zero before any."""
    return len(words) == 4 and all(  # noqa: PLR2004
        word.isdigit() and str(int(word)) == word and int(word) < 256  # noqa: PLR2004
        for word in words
    )


@dataclass(frozen=True, slots=True)
class InsecureRules:
    """Registries one may speak plain http with: hosts, hosts with a port, networks (CIDR)."""

    names: frozenset[str] = frozenset()
    networks: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "InsecureRules":
        """Read the list, separated by commas or blanks. Raises: Invalid (a malformed network)."""
        if not text:
            return cls()
        from ipaddress import ip_network

        names, networks = [], []
        for word in text.replace(",", " ").split():
            entry = word.partition("://")[2] or word
            if "/" in entry.rstrip("/"):
                try:
                    networks.append(str(ip_network(entry, strict=False)))
                except ValueError as error:
                    raise Invalid(
                        f"LAMINA_INSECURE_REGISTRIES: {word!r} is neither a host nor a network"
                    ) from error
            else:
                names.append(entry.rstrip("/").lower())
        return cls(frozenset(names), tuple(networks))

    def allow(self, host: str, port: int) -> bool:
        """Tell whether plain http is allowed with `host` (without brackets) at `port`."""
        shown = f"[{host}]" if ":" in host else host
        if is_loopback(host) or {host, shown, f"{shown}:{port}"} & self.names:
            return True
        if not self.networks:
            return False
        from ipaddress import ip_address, ip_network

        try:
            address = ip_address(host)
        except ValueError:
            return False
        return any(address in ip_network(network) for network in self.networks)


class EndpointBook:
    """The endpoints of one client; each registry is probed at most once. Thread-safe.

    `probe(host, port)` tells whether TLS is spoken there; it is asked for insecure registries only,
    and not where `memory` has the answer: whoever finds that wrong calls `doubt`.
    """

    def __init__(
        self,
        rules: InsecureRules,
        probe: Callable[[str, int], bool],
        memory: "Memory | None" = None,
    ) -> None:
        self._rules = rules
        self._probe = probe
        self._memory = memory
        self._known: dict[str, Endpoint] = {}
        self._remembered: set[str] = set()
        self._found_out: set[str] = set()
        self._lock = threading.Lock()

    def find(self, registry: str) -> Endpoint:
        """Give the endpoint of `registry` as references name it. Raises: RegistryUnreachable."""
        with self._lock:
            if registry not in self._known:
                self._known[registry] = self._resolve(registry)
            return self._known[registry]

    def _resolve(self, registry: str) -> Endpoint:
        host = _HUB_HOST if registry in (_HUB, f"index.{_HUB}") else registry
        name, port = split_host(host, 443)
        if not self._rules.allow(name, port):
            return Endpoint(registry, f"https://{host}")
        scheme = self._memory.scheme(registry) if self._memory else ""
        if scheme:
            self._remembered.add(registry)
        else:
            scheme = "https" if self._probe(name, port) else "http"
            self._found_out.add(registry)
        return Endpoint(registry, f"{scheme}://{host}", insecure=True)

    def trust(self, endpoint: Endpoint) -> None:
        """Note that the registry answered there."""
        with self._lock:
            self._remembered.discard(endpoint.registry)
            is_new = endpoint.registry in self._found_out
            self._found_out.discard(endpoint.registry)
        if is_new and self._memory:
            self._memory.note_scheme(endpoint.registry, endpoint.url.partition(":")[0])

    def doubt(self, endpoint: Endpoint) -> Endpoint | None:
        """Give where the registry is reached really, if what was remembered is wrong; else None."""
        with self._lock:
            if endpoint.registry not in self._remembered or self._memory is None:
                return None
            self._remembered.discard(endpoint.registry)
            self._memory.note_scheme(endpoint.registry, "")
            found = self._known[endpoint.registry] = self._resolve(endpoint.registry)
        return found if found != endpoint else None

    def may_be_plain(self, url: str) -> bool:
        """Tell whether this http address is one that plain http is allowed with."""
        _, host, port = origin(url)
        return self._rules.allow(host, port)

    def realm_refusal(self, endpoint: Endpoint, realm: str) -> str:
        """Say why credentials for the endpoint must not go to `realm`; empty when they may.

        A registry on the internet that names a private address as its token service would make us
        its proxy into our own network.
        """
        scheme, host, _ = origin(realm)
        if scheme not in ("http", "https") or not host:
            return "that is no web address"
        if origin(realm) == origin(endpoint.url):
            return ""
        if scheme == "http" and (endpoint.url.startswith("https:") or not self.may_be_plain(realm)):
            return "that address is not encrypted"
        if _is_private(host) and not _is_private(origin(endpoint.url)[1]) and not endpoint.insecure:
            return "that is an address in a private network"
        return ""


def _is_private(host: str) -> bool:
    from ipaddress import ip_address

    if is_loopback(host):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return not address.is_global


def speaks_tls(host: str, port: int) -> bool:
    """Find out by a hello whether a port speaks TLS; quick also with servers that stay silent.

    A TLS server answers with a record, be it an alert. A plain http server complains about the
    hello; one that says nothing is asked in plain http. A refused connection counts as "no": the
    first real request will say it better. The hello is written by hand, because loading TLS for
    a registry that has none costs more than the question.
    """
    try:
        with dial(host, port, _PLAIN_S) as plain:
            plain.settimeout(_HELLO_S)
            plain.sendall(_hello())
            return plain.recv(1) in (_TLS_ALERT, _TLS_HANDSHAKE)
    except TimeoutError:
        return not _speaks_http(host, port)
    except OSError:
        return False


def _hello() -> bytes:
    """Write a ClientHello (RFC 5246, 7.4.1.2) that ends a line or two for whoever waits for that."""

    def sized(width: int, data: bytes) -> bytes:
        return len(data).to_bytes(width, "big") + data

    suites = bytes.fromhex("c02fc030c02bc02ccca8cca913011302009c009d002f0035")
    extensions = b"".join(
        bytes.fromhex(kind) + sized(2, data)
        for kind, data in (
            ("000a", bytes.fromhex("0006001d00170018")),  # groups: x25519, P-256, P-384
            ("000b", b"\1\0"),  # point formats
            ("000d", bytes.fromhex("000c040308040401050306010201")),  # signatures
        )
    )
    random = b"lamina asks" + b"\r\n\r\n" + bytes(17)
    body = b"\3\3" + random + sized(1, b"") + sized(2, suites) + b"\1\0" + sized(2, extensions)
    return b"\x16\3\1" + sized(2, b"\1" + sized(3, body))


def _speaks_http(host: str, port: int) -> bool:
    shown = f"[{host}]" if ":" in host else host
    try:
        with dial(host, port, _PLAIN_S) as plain:
            plain.sendall(f"GET /v2/ HTTP/1.0\r\nHost: {shown}:{port}\r\n\r\n".encode())
            return plain.recv(5) == b"HTTP/"
    except OSError:
        return False
