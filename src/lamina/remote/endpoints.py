"""Where a registry is reached, over TLS or not, and whom it may send us to.

Plain http is spoken with loopback addresses and with registries named in
LAMINA_INSECURE_REGISTRIES, after TLS was tried, and with nobody else.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from lamina.errors import Invalid
from lamina.remote.messages import origin

__all__ = ["Endpoint", "EndpointBook", "InsecureRules", "is_loopback", "speaks_tls", "split_host"]

_HUB = "docker.io"
_HUB_HOST = "registry-1.docker.io"
_HELLO_S = 0.4
_PLAIN_S = 5.0


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
    from ipaddress import ip_address

    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class InsecureRules:
    """Registries one may speak plain http with: hosts, hosts with a port, networks (CIDR)."""

    names: frozenset[str] = frozenset()
    networks: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "InsecureRules":
        """Read the list, separated by commas or blanks. Raises: Invalid (a malformed network)."""
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
        from ipaddress import ip_address, ip_network

        shown = f"[{host}]" if ":" in host else host
        if is_loopback(host) or {host, shown, f"{shown}:{port}"} & self.names:
            return True
        try:
            address = ip_address(host)
        except ValueError:
            return False
        return any(address in ip_network(network) for network in self.networks)


class EndpointBook:
    """The endpoints of one client; each registry is probed at most once. Thread-safe.

    `probe(host, port)` tells whether TLS is spoken there; it is asked for insecure registries only.
    """

    def __init__(self, rules: InsecureRules, probe: Callable[[str, int], bool]) -> None:
        self._rules = rules
        self._probe = probe
        self._known: dict[str, Endpoint] = {}
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
        if self._probe(name, port):
            return Endpoint(registry, f"https://{host}", insecure=True)
        return Endpoint(registry, f"http://{host}", insecure=True)

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

    A plain http server either complains about the hello or waits for the end of a line that never
    comes: then it is asked in plain http. A refused connection counts as "no": the first real
    request will say it better.
    """
    import socket
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # only the protocol is asked for; nothing is sent
    try:
        with socket.create_connection((host, port), timeout=_PLAIN_S) as plain:
            plain.settimeout(_HELLO_S)
            with context.wrap_socket(plain, server_hostname=host):
                return True
    except TimeoutError:
        return not _speaks_http(host, port)
    except ssl.SSLError as error:
        # An alert comes from a TLS server that dislikes our hello (it may want a certificate).
        return "ALERT" in (error.reason or "")
    except OSError:
        return False


def _speaks_http(host: str, port: int) -> bool:
    import socket

    shown = f"[{host}]" if ":" in host else host
    try:
        with socket.create_connection((host, port), timeout=_PLAIN_S) as plain:
            plain.sendall(f"GET /v2/ HTTP/1.0\r\nHost: {shown}:{port}\r\n\r\n".encode())
            return plain.recv(5) == b"HTTP/"
    except OSError:
        return False
