"""From a container's record to what its shim does about the network."""

from lamina.engine.ports import to_bind
from lamina.errors import Invalid
from lamina.spec.wire import Document

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.engine.engine import Engine
    from lamina.engine.networks import Network
    from lamina.engine.records import ContainerRecord

__all__ = ["effective_mode", "link_order", "wiring"]

_SHARED = "container:"


def effective_mode(record: "ContainerRecord") -> str:
    """Give what the container's network mode means here.

    One of `host`, `none`, `container`, `bridge` (on networks of ours), `tunnel` (pasta or slirp4netns).
    """
    mode = str(record.host.get("NetworkMode") or "default")
    if mode in ("host", "none"):
        return mode
    if mode.startswith(_SHARED):
        return "container"
    if mode not in ("default", "bridge"):
        return "bridge"
    from lamina.runtime.net.backend import backend

    return backend().kind


def wiring(engine: "Engine", record: "ContainerRecord", run_folder: str) -> tuple[str, Document]:
    """Give the bundle's `network` and the shim's order. Raises: NetworkUnknown, Invalid."""
    mode = effective_mode(record)
    if mode in ("host", "none"):
        return mode, {}
    order: Document = {"mode": mode, "container_name": record.name}
    if mode == "container":
        order["socket"] = _other_socket(engine, record)
        return f"{run_folder}/netns", order
    host, config = record.host, record.config
    also = sorted(config.get("ExposedPorts") or {}) if host.get("PublishAllPorts") else ()
    order["ports"] = to_bind(host.get("PortBindings") or {}, also)
    links = []
    for name, endpoint in record.networks.items():
        network = engine.networks.get(name)
        if mode != "tunnel" or not network.built_in:
            links.append(link_order(engine, record, network, endpoint))
    order["links"] = links
    order |= _files(record, resolver=any(link["resolver"] for link in links))
    if mode == "tunnel":
        order["options"] = _tunnel_options(record)
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
        "mac": endpoint.get("mac") or "",
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


def _files(record: "ContainerRecord", *, resolver: bool) -> Document:
    from lamina.engine.hostfiles import base_hosts, names_of, resolver_lines

    targets = {mount["Destination"] for mount in record.mounts}
    found: Document = {}
    if "/etc/hosts" not in targets:
        found |= {"hosts": base_hosts(record), "host_names": names_of(record)}
    if "/etc/resolv.conf" not in targets:
        found["resolv"] = resolver_lines(record, resolver=resolver)
    return found


def _tunnel_options(record: "ContainerRecord") -> list[str]:
    """Give pasta's own options: the machine's loopback is shown only to who asks for it."""
    rows = record.host.get("ExtraHosts") or ()
    shown = any(str(row).endswith("host-gateway") for row in rows)
    return ["-I", "eth0", *([] if shown else ["--no-map-gw"])]
