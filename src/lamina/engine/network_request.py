"""What a person asks of a container's network, as a value and as Docker's documents."""

from collections.abc import Mapping

from lamina.errors import Invalid
from lamina.spec.wire import Document
from lamina.values import dataclass, field

__all__ = ["Endpoint", "NetworkRequest"]

_ALONE = ("host", "none")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A container's place on one network. Empty `ip` and `mac`: chosen by itself."""

    network: str
    aliases: tuple[str, ...] = ()
    ip: str = ""
    mac: str = ""

    @classmethod
    def parse(cls, text: str) -> "Endpoint":
        """Read `--network NAME` or `--network name=NAME,alias=…,ip=…`. Raises: Invalid."""
        if "=" not in text:
            return cls(text)
        values: dict[str, str] = {}
        aliases = []
        for part in text.split(","):
            key, equals, value = part.strip().partition("=")
            if not equals or key not in ("name", "alias", "ip", "mac-address"):
                raise Invalid(f"invalid field {key} in --network {text!r}")
            if key == "alias":
                aliases.append(value)
            else:
                values[key] = value
        if not values.get("name"):
            raise Invalid(f"invalid --network {text!r}: it needs name=")
        return cls(
            values["name"], tuple(aliases), values.get("ip", ""), values.get("mac-address", "")
        )

    def to_json(self) -> Document:
        """Give what the container's record keeps."""
        return {"aliases": list(self.aliases), "ip": self.ip, "mac": self.mac}


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
        shared = [name for name in names if name in _ALONE or name.startswith("container:")]
        if shared and len(names) > 1:
            raise Invalid(
                f"container cannot be connected to network endpoints: {', '.join(names)}",
                hint=f"{shared[0]} stands alone",
            )
        for endpoint in self.endpoints:
            mode = endpoint.network
            plain = mode in (*_ALONE, "bridge", "default") or mode.startswith("container:")
            if endpoint.aliases and plain:
                raise Invalid("network-scoped aliases are only supported for user-defined networks")
            if endpoint.ip and plain:
                raise Invalid(
                    "invalid config for network "
                    f"{mode}: user specified IP address is supported on user defined networks only"
                )
            if endpoint.ip:
                _check_address(endpoint.ip)
        if self.mode.startswith("container:") and (self.ports or self.publish_all):
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


def _check_address(text: str) -> None:
    import socket

    try:
        socket.inet_pton(socket.AF_INET, text)
    except OSError as error:
        raise Invalid(f"invalid IPv4 address: {text}") from error
