"""What a person asks of a container's network, as a value and as Docker's documents."""

from collections.abc import Iterable, Mapping

from lamina.errors import Invalid
from lamina.spec.wire import Document
from lamina.values import dataclass, field

__all__ = [
    "Endpoint",
    "NetworkRequest",
    "check_extra_hosts",
    "check_servers",
    "is_tunnel",
    "stands_alone",
]

_ALONE = ("host", "none")
_PATH = "ns:"
_HEX = frozenset("0123456789abcdef")
_FIELDS = ("ip", "ip6", "mac-address")


def is_tunnel(mode: str) -> bool:
    """Tell whether a network mode is a plain user's pasta or slirp4netns, options after a colon."""
    return mode.partition(":")[0] in ("pasta", "slirp4netns")


def stands_alone(mode: str) -> bool:
    """Tell whether a network mode is one that takes part in no network of ours."""
    return mode in _ALONE or is_tunnel(mode) or mode.startswith(("container:", _PATH))


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A container's place on one network. Empty `ip`, `ip6` and `mac`: chosen by itself.

    `links` are names that only this container has for others, by name. Of several networks the one of
    the highest `gw_priority` leads out, else the first.
    """

    network: str
    aliases: tuple[str, ...] = ()
    ip: str = ""
    mac: str = ""
    ip6: str = ""
    links: Mapping[str, str] = field(default_factory=dict)
    gw_priority: int = 0

    @classmethod
    def parse(cls, text: str) -> "Endpoint":
        """Read `--network NAME` or `--network name=NAME,alias=…,ip=…,gw-priority=…`. Raises: Invalid."""
        if "=" not in text or is_tunnel(text) or text.startswith(_PATH):
            return cls(text)
        values: dict[str, str] = {}
        aliases = []
        for part in text.split(","):
            key, equals, value = part.strip().partition("=")
            if key == "driver-opt":
                raise Invalid(
                    f"invalid field {key} in --network {text!r}: a place on a network has no options",
                    hint="`lamina network create -o` sets those of a network, --sysctl a container's",
                )
            if not equals or key not in ("name", "alias", "gw-priority", *_FIELDS):
                raise Invalid(f"invalid field {key} in --network {text!r}")
            if key == "alias":
                aliases.append(value)
            else:
                values[key] = value
        if not values.get("name"):
            raise Invalid(f"invalid --network {text!r}: it needs name=")
        ip, ip6, mac = (values.get(name, "") for name in _FIELDS)
        priority = _priority(values.get("gw-priority", "0"))
        return cls(values["name"], tuple(aliases), ip=ip, ip6=ip6, mac=mac, gw_priority=priority)

    def to_json(self) -> Document:
        """Give what the container's record keeps."""
        return {
            "aliases": list(self.aliases),
            "ip": self.ip,
            "ip6": self.ip6,
            "mac": self.mac,
            "links": dict(self.links),
            **({"gw_priority": self.gw_priority} if self.gw_priority else {}),
        }


@dataclass(frozen=True, slots=True)
class NetworkRequest:
    """Networks, ports and names of a container to make.

    `ports` is Docker's PortBindings, `exposed` has `80/tcp`. `endpoints` is empty for the default;
    the first one is the container's NetworkMode.
    """

    endpoints: tuple[Endpoint, ...] = ()
    ports: Mapping[str, object] = field(default_factory=dict)
    exposed: tuple[str, ...] = ()
    publish_all: bool = False
    dns_search: tuple[str, ...] = ()
    dns_options: tuple[str, ...] = ()

    @property
    def mode(self) -> str:
        """Docker's NetworkMode."""
        return self.endpoints[0].network if self.endpoints else "default"

    def check(self) -> None:
        """Refuse what contradicts itself, in Docker's words. Raises: Invalid."""
        names = [endpoint.network for endpoint in self.endpoints]
        shared = [name for name in names if stands_alone(name)]
        if shared and len(names) > 1:
            raise Invalid(
                f"container cannot be connected to network endpoints: {', '.join(names)}",
                hint=f"{shared[0]} stands alone",
            )
        for endpoint in self.endpoints:
            mode = endpoint.network
            plain = mode in ("bridge", "default") or stands_alone(mode)
            if endpoint.aliases and plain:
                raise Invalid("network-scoped aliases are only supported for user-defined networks")
            if (endpoint.ip or endpoint.ip6) and plain:
                raise Invalid(
                    "invalid config for network "
                    f"{mode}: user specified IP address is supported on user defined networks only"
                )
            _check_endpoint(endpoint)
        if self.mode.startswith("ns:") and not self.mode.startswith("ns:/"):
            raise Invalid(f"invalid --network {self.mode}: ns: takes the path of a namespace")
        if self.mode.startswith(("container:", _PATH)) and (self.ports or self.publish_all):
            raise Invalid(
                "conflicting options: port publishing and the container type network mode"
            )

    def host_values(self) -> Document:
        """Give the part of HostConfig that is about networks."""
        return {
            "NetworkMode": self.mode,
            "PortBindings": dict(self.ports),
            "PublishAllPorts": self.publish_all,
            "DnsSearch": list(self.dns_search),
            "DnsOptions": list(self.dns_options),
        }

    def all_exposed(self, image: Mapping[str, object]) -> Document:
        """Give Config's ExposedPorts: the image's, those of `--expose`, those published."""
        return {port: {} for port in (*image, *self.exposed, *self.ports)}


def _priority(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise Invalid(f"invalid gw-priority ({text}): it is a whole number") from None


def check_extra_hosts(rows: Iterable[str]) -> None:
    """Refuse what is no line of /etc/hosts, of `host:address`. Raises: Invalid."""
    for row in rows:
        host, colon, address = row.replace("=", ":", 1).partition(":")
        if not (host and colon and address):
            raise Invalid(f"bad format for add-host: {row!r}", hint="write --add-host host:ip")
        if address != "host-gateway" and not _is_address(address.strip("[]")):
            raise Invalid(
                f'invalid IP address in add-host: "{address}"',
                hint="write --add-host host:ip, or host:host-gateway for this machine",
            )


def check_servers(servers: Iterable[str]) -> None:
    """Refuse DNS servers that are no addresses. Raises: Invalid."""
    for server in servers:
        if not _is_address(server):
            raise Invalid(
                f"IP address is not correctly formatted: {server}",
                hint="--dns takes an address: a name needs a server to be found",
            )


def _is_address(text: str) -> bool:
    import socket

    address, _, zone = text.partition("%")  # fe80::1%eth0
    try:
        socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
    except OSError:
        return False
    return ":" in address or not zone


def _check_endpoint(endpoint: Endpoint) -> None:
    """Refuse what is no address. Raises: Invalid."""
    import socket

    families = ((endpoint.ip, socket.AF_INET, "IPv4"), (endpoint.ip6, socket.AF_INET6, "IPv6"))
    for text, family, name in families:
        try:
            if text:
                socket.inet_pton(family, text)
        except OSError as error:
            raise Invalid(f"invalid {name} address: {text}") from error
    parts = endpoint.mac.replace("-", ":").split(":") if endpoint.mac else []
    pairs = all(len(part) == 2 and not set(part.lower()) - _HEX for part in parts)  # noqa: PLR2004
    if parts and (len(parts) != 6 or not pairs):  # noqa: PLR2004
        raise Invalid(f"{endpoint.mac} is not a valid mac address")
    if parts and int(parts[0], 16) & 1:
        raise Invalid(f"{endpoint.mac} is not a valid mac address", hint="it is one of a group's")
