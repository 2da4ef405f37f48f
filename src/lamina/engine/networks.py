"""Networks: what they were made as, kept on disk; who is on them, asked of their keepers."""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from lamina.engine.journal import note_network, note_prune
from lamina.errors import AlreadyExists, InUse, Invalid, LaminaError, NotFound
from lamina.spec.wire import Document, decode, encode
from lamina.values import dataclass, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping

    from lamina.engine.engine import Engine
    from lamina.engine.network_addresses import AddressRequest

__all__ = ["BUILT_IN", "Network", "NetworkInUse", "NetworkUnknown", "Networks"]

BUILT_IN = ("bridge", "host", "none")
"""Networks that are always there."""

_BRIDGE_SUBNET = "172.17.0.0/16"
_BRIDGE = "com.docker.network.bridge."
_LEAVING_S = 10.0
_SHORT = 16


class NetworkUnknown(NotFound):
    """There is no such network."""


class NetworkInUse(InUse):
    """Containers run on the network."""


@dataclass(frozen=True, slots=True)
class Network:
    """A network as it was made. `fixed`: the IPv4 subnet was asked for, and does not change by itself.

    `created` is RFC 3339. Names that end in 6 are of IPv6, the others IPv4; empty for host and none.
    Containers get addresses of `ip_range`, or of the whole subnet, but none of `auxiliary`'s.
    """

    id: str
    name: str
    created: str
    driver: str = "bridge"
    subnet: str = ""
    gateway: str = ""
    fixed: bool = False
    internal: bool = False
    labels: "Mapping[str, str]" = field(default_factory=dict)
    options: "Mapping[str, str]" = field(default_factory=dict)
    ip_range: str = ""
    subnet6: str = ""
    gateway6: str = ""
    ip_range6: str = ""
    auxiliary: "Mapping[str, str]" = field(default_factory=dict)

    @property
    def binding(self) -> str:
        """The machine's address that ports are published on unless told otherwise; empty: all."""
        return self.options.get(f"{_BRIDGE}host_binding_ipv4", "")

    @property
    def built_in(self) -> bool:
        """Whether it is always there."""
        return self.name in BUILT_IN

    def to_json(self) -> Document:
        """Give the network's file."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


class Networks:
    """The networks of one engine."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._folder = os.path.join(engine.settings.root, "networks")
        self._held: list[socket.socket] = []

    def create(
        self,
        name: str,
        *,
        driver: str = "bridge",
        addresses: "AddressRequest | None" = None,
        subnet: str = "",
        gateway: str = "",
        internal: bool = False,
        labels: "Mapping[str, str] | None" = None,
        options: "Mapping[str, str] | None" = None,
    ) -> Network:
        """Make a network; nothing runs for it until a container does.

        `addresses` says more than `subnet` and `gateway` do. Raises: AlreadyExists (the name, the
        subnet), Invalid, NotFound (the driver), Unsupported (the driver; IPv6 without the kernel's).
        """
        import secrets

        from lamina.engine.clock import now_ns, rfc3339
        from lamina.engine.network_addresses import AddressRequest
        from lamina.engine.network_driver import check_driver, check_ipv6, check_options

        _check_name(name)
        check_driver(driver)
        check_options(options or {})
        wanted = addresses or AddressRequest(
            (subnet,) if subnet else (), (gateway,) if gateway else ()
        )
        with self._locked():
            known = self.list()
            if any(network.name == name for network in known):
                raise AlreadyExists(f"network with name {name} already exists")
            chosen = wanted.choose(known)
            if chosen.get("subnet6"):
                check_ipv6()
            network = Network(
                id=secrets.token_hex(32),
                name=name,
                created=rfc3339(now_ns()),
                internal=internal,
                labels=dict(labels or {}),
                options=dict(options or {}),
                **chosen,
            )
            self._save(network)
        note_network(self._engine, network.id, "create", name=name, type=network.driver)
        return network

    def list(self) -> tuple[Network, ...]:
        """Give every network, sorted by name."""
        found = [_built_in(name, self._engine.settings.root) for name in BUILT_IN]
        with suppress(FileNotFoundError):
            for name in os.listdir(self._folder):
                network = _load(f"{self._folder}/{name}") if name.endswith(".json") else None
                found += [network] if network else []
        return tuple(sorted(found, key=lambda network: network.name))

    def get(self, name: str) -> Network:
        """Give one network by name, ID or the start of an ID. Raises: NetworkUnknown, Invalid."""
        known = self.list()
        for network in known:
            if name in (network.name, network.id):
                return network
        found = [network for network in known if name and network.id.startswith(name)]
        if len(found) > 1:
            raise Invalid(f"network {name} is ambiguous ({len(found)} matches found on ID prefix)")
        if not found:
            raise NetworkUnknown(f"network {name} not found", hint="`lamina network ls` lists them")
        return found[0]

    def remove(self, name: str) -> Network:
        """Remove a network. Raises: NetworkUnknown, NetworkInUse, Invalid (it is built in)."""
        network = self.get(name)
        if network.built_in:
            raise Invalid(
                f"error while removing network: {network.name} is a pre-defined network "
                "and cannot be removed"
            )
        with self._locked():
            if self._is_used(network):
                raise NetworkInUse(
                    f"error while removing network: network {network.name} id {network.id} "
                    "has active endpoints",
                    hint="stop or disconnect the containers on it first",
                )
            with suppress(FileNotFoundError):
                os.unlink(f"{self._folder}/{network.id}.json")
        note_network(self._engine, network.id, "destroy", name=network.name, type=network.driver)
        return network

    def prune(self, accepts: "Callable[[Network], bool]" = lambda _: True) -> tuple[str, ...]:
        """Remove the networks that no container uses, running or not; give their names."""
        used = {name for record in self._engine.containers.records() for name in record.networks}
        removed = []
        for network in self.list():
            if network.built_in or network.id in used or not accepts(network):
                continue
            with suppress(NetworkInUse, NetworkUnknown):
                self.remove(network.id)
                removed.append(network.name)
        note_prune(self._engine, "network", 0)
        return tuple(removed)

    def _is_used(self, network: Network) -> bool:
        """Tell whether a container runs on it; one that just ended is given the time to leave."""
        from time import monotonic, sleep

        deadline = monotonic() + _LEAVING_S
        while found := self.members(network):
            ours = self._engine.containers
            if monotonic() > deadline or any(ours.is_running(row["container"]) for row in found):
                return True
            sleep(0.02)
        return False

    def members(self, network: Network) -> tuple[Document, ...]:
        """List who runs on it: `container`, `name`, `address`, `mac`."""
        from lamina.runtime.net.keeper import members

        return members(self.folder(network))

    def facts(self, network: Network) -> Document:
        """Give what its keeper knows (`members`, `subnet`, `gateway`, `host`); empty when down."""
        from lamina.runtime.net.keeper import tell

        return tell(self.folder(network), {"op": "members"})

    def folder(self, network: Network) -> str:
        """Give where its keeper listens while it is up; short, for the socket's sake."""
        return f"{self._engine.settings.run_root}/n/{network.id[:_SHORT]}"

    def order(self, network: Network) -> Document:
        """Give the network as its keeper needs it."""
        from lamina.engine.network_driver import driver_order

        return {
            "id": network.id,
            "name": network.name,
            "subnet": network.subnet,
            "gateway": network.gateway,
            "fixed": network.fixed,
            "internal": network.internal,
            "ip_range": network.ip_range,
            "subnet6": network.subnet6,
            "gateway6": network.gateway6,
            "ip_range6": network.ip_range6,
            "reserved": list(network.auxiliary.values()),
            "resolver": not network.built_in,
            "folder": self.folder(network),
            "firewall": self._engine.settings.firewall,
            "tunnel": self._engine.settings.tunnel,
            **driver_order(network.options),
        }

    def hold(self, network: Network) -> None:
        """Keep a network up until `release`; a container of its own keeps it from then on."""
        from lamina.runtime.net.keeper import hold

        self._held.append(hold(self.order(network)))

    def release(self) -> None:
        """Let go of the networks held."""
        while self._held:
            self._held.pop().close()

    def connect(
        self,
        name: str,
        container: str,
        *,
        aliases: Sequence[str] = (),
        ip: str = "",
        ip6: str = "",
        links: "Mapping[str, str] | None" = None,
        gw_priority: int = 0,
    ) -> None:
        """Put a container, running or not, on one more network. See `engine.network_joining`."""
        from lamina.engine.network_joining import connect
        from lamina.engine.network_request import Endpoint

        connect(
            self._engine,
            Endpoint(
                name,
                tuple(aliases),
                ip=ip,
                ip6=ip6,
                links=dict(links or {}),
                gw_priority=gw_priority,
            ),
            container,
        )

    def disconnect(self, name: str, container: str, *, force: bool = False) -> None:
        """Take a container off a network. See `engine.network_joining`."""
        from lamina.engine.network_joining import disconnect

        disconnect(self._engine, name, container, force=force)

    def inspect(self, name: str) -> Document:
        """Give a network as docker's `network inspect` shapes it. Raises: NetworkUnknown."""
        from lamina.engine.network_document import network_document

        network = self.get(name)
        return network_document(network, self.facts(network))

    def rename_member(self, networks: Sequence[str], container: str, name: str) -> None:
        """Tell keepers of a running container's new name."""
        from lamina.runtime.net.keeper import tell

        for network_id in networks:
            with suppress(NetworkUnknown):
                folder = self.folder(self.get(network_id))
                tell(folder, {"op": "rename", "container": container, "name": name})

    @contextmanager
    def _locked(self) -> Iterator[None]:
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        lock = os.open(f"{self._folder}/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _save(self, network: Network) -> None:
        from lamina.stream.files import replace

        path = f"{self._folder}/{network.id}.json"
        replace(path, encode(network.to_json()), mode=0o600)


def _load(path: str) -> Network | None:
    try:
        with open(path, "rb") as file:
            return Network(**decode(file.read(), what="network"))
    except (FileNotFoundError, LaminaError, TypeError):
        return None


def _built_in(name: str, root: str) -> Network:
    from lamina.spec.digest import Digest  # `hashlib` would load libcrypto

    number = Digest.of(f"{name} {root}".encode()).hex
    subnet = _BRIDGE_SUBNET if name == "bridge" else ""
    driver = "null" if name == "none" else name
    gateway = "172.17.0.1" if subnet else ""
    return Network(number, name, "1970-01-01T00:00:00Z", driver, subnet, gateway)


def _check_name(name: str) -> None:
    plain = name.replace("_", "").replace(".", "").replace("-", "")
    if not name or not (plain.isascii() and plain.isalnum() and name[0].isalnum()):
        raise Invalid(
            f"invalid network name: {name!r}: only [a-zA-Z0-9][a-zA-Z0-9_.-]* are allowed"
        )
    if name in (*BUILT_IN, "default", "container"):
        raise AlreadyExists(f"operation is not permitted on predefined {name} network")
