"""From a container's record to what its shim does about the network."""

import os

from lamina.engine.hostfiles import needs_forwarder
from lamina.engine.network_request import is_tunnel
from lamina.engine.ports import to_bind
from lamina.errors import Invalid
from lamina.spec.wire import Document
from lamina.values import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.engine.engine import Engine
    from lamina.engine.networks import Network
    from lamina.engine.records import ContainerRecord

__all__ = ["effective_mode", "link_order", "network_owner", "wiring"]

_SHARED, _PATH = "container:", "ns:"


def effective_mode(record: "ContainerRecord", tunnel: str = "") -> str:
    """Give what the container's network mode means here.

    One of `host`, `none`, `container`, `path` (a namespace that somebody else made), `bridge` (on
    networks of ours), `tunnel` (pasta or slirp4netns).
    """
    mode = str(record.host.get("NetworkMode") or "default")
    if mode in ("host", "none"):
        return mode
    if mode.startswith(_SHARED):
        return "container"
    if mode.startswith(_PATH):
        return "path"
    if is_tunnel(mode):
        return "tunnel"
    if mode not in ("default", "bridge"):
        return "bridge"
    from lamina.runtime.net.backend import backend

    return backend(tunnel).kind


def network_owner(engine: "Engine", mode: str) -> "ContainerRecord | None":
    """Give the container whose network a mode of `container:NAME` shares. Raises: ContainerUnknown."""
    if not mode.startswith(_SHARED):
        return None
    return engine.containers.record(mode.removeprefix(_SHARED))


def wiring(engine: "Engine", record: "ContainerRecord", run_folder: str) -> tuple[str, Document]:
    """Give the bundle's `network` and the shim's order. Raises: NetworkUnknown, Invalid."""
    mode = effective_mode(record, engine.settings.tunnel)
    if mode in ("host", "none"):
        return mode, {}
    if mode == "path":
        path = str(record.host["NetworkMode"]).removeprefix(_PATH)
        if not os.path.exists(path):
            raise Invalid(f"cannot find specified network namespace path: {path}")
        return f"{run_folder}/netns", {"mode": mode, "path": path}
    order: Document = {"mode": mode, "container_name": record.name}
    if mode == "container":
        order["socket"] = _other_socket(engine, record)
        return f"{run_folder}/netns", order
    host, config = record.host, record.config
    extra = host.get("ExtraHosts") or ()
    also = sorted(config.get("ExposedPorts") or {}) if host.get("PublishAllPorts") else ()
    links = []
    address = ""
    for name, endpoint in record.networks.items():
        network = engine.networks.get(name)
        if mode != "tunnel" or not network.built_in:
            links.append(link_order(engine, record, network, endpoint))
            address = address or network.binding
    order["ports"] = to_bind(host.get("PortBindings") or {}, also, address=address)
    order["links"] = links
    record = replace(record, host={**host, "ExtraHosts": [*_linked(engine, record), *extra]})
    asks = needs_forwarder(record)
    order |= _files(record, resolver=any(link["resolver"] or asks for link in links))
    if mode == "tunnel":
        rows = host.get("ExtraHosts") or ()
        # The machine's loopback is shown only to who asks for it.
        order["shows_host"] = any(str(row).endswith("host-gateway") for row in rows)
        wanted = str(host.get("NetworkMode"))
        order["forwards"] = asks
        order["tunnel"] = wanted if is_tunnel(wanted) else engine.settings.tunnel
    return f"{run_folder}/netns", order


def link_order(
    engine: "Engine", record: "ContainerRecord", network: "Network", endpoint: Document
) -> Document:
    """Give the order for one network of a container."""
    return {
        **engine.networks.order(network),
        "container_name": record.name,
        "aliases": list(endpoint.get("aliases") or ()),
        "ip": endpoint.get("ip") or "",
        "ip6": endpoint.get("ip6") or "",
        "mac": endpoint.get("mac") or "",
        "links": dict(endpoint.get("links") or {}),
        "gw_priority": int(endpoint.get("gw_priority") or 0),
        "asks": needs_forwarder(record),
        "dns": list(record.host.get("Dns") or ()),
    }


def _other_socket(engine: "Engine", record: "ContainerRecord") -> str:
    from lamina.engine.run_folders import shim_socket

    other = engine.containers.record(str(record.host["NetworkMode"]).removeprefix(_SHARED))
    if other.id == record.id:
        raise Invalid("cannot join own network")
    if not engine.containers.is_running(other.id):
        raise Invalid(
            f"cannot join network of a non running container: {other.id}",
            hint=f"`lamina start {other.name}` first",
        )
    return shim_socket(engine, other)


def _linked(engine: "Engine", record: "ContainerRecord") -> list[str]:
    """Give the lines of /etc/hosts that stand for `--link` on the default network, which has no names.

    Raises: Invalid (a container of them does not run).
    """
    rows = []
    for name, endpoint in record.networks.items():
        network = engine.networks.get(name)
        for alias, other in (endpoint.get("links") or {}).items() if network.built_in else ():
            found = engine.containers.record(other)
            state = engine.containers.state(found.id)
            places = (state.network or {}).get("Networks") or {}
            if not state.is_running or network.name not in places:
                raise Invalid(
                    f"Cannot link to a non running container: /{found.name} AS /{record.name}/{alias}",
                    hint=f"`lamina start {found.name}` first",
                )
            address = places[network.name]["IPAddress"]
            rows += [f"{known}:{address}" for known in dict.fromkeys((alias, found.name))]
    return rows


def _files(record: "ContainerRecord", *, resolver: bool) -> Document:
    from lamina.engine.hostfiles import base_hosts, names_of, resolver_lines

    targets = {mount["Destination"] for mount in record.mounts}
    found: Document = {}
    if "/etc/hosts" not in targets:
        found |= {"hosts": base_hosts(record), "host_names": names_of(record)}
    if "/etc/resolv.conf" not in targets:
        found["resolv"] = resolver_lines(record, resolver=resolver)
    return found
