"""A container's NetworkSettings as `docker inspect` shows them, and its ports as `ps` and `port` do."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.engine.records import ContainerRecord, ContainerState
    from lamina.spec.wire import Document

__all__ = ["network_name", "network_settings", "ports_of", "ports_text"]


def network_settings(record: "ContainerRecord", state: "ContainerState") -> "Document":
    """Give the whole NetworkSettings object."""
    found = state.network if state.is_running else {}
    networks = {name: _endpoint(row) for name, row in (found.get("Networks") or {}).items()}
    first: Document = next(iter(networks.values()), {})
    address = str(found.get("Address") or "")
    if not networks:
        name = network_name(record)
        if name == "bridge" and found == {} and state.is_running:
            name = "host"  # where the default could not be had
        networks = {name: _endpoint({"IPAddress": address})} if name else {}
    return {
        "Bridge": "",
        "SandboxID": record.id if found else "",
        "SandboxKey": f"/proc/{state.pid}/ns/net" if found else "",
        "Ports": ports_of(record, state),
        "HairpinMode": False,
        "EndpointID": "",
        "Gateway": first.get("Gateway", ""),
        "GlobalIPv6Address": "",
        "GlobalIPv6PrefixLen": 0,
        "IPAddress": first.get("IPAddress", address),
        "IPPrefixLen": first.get("IPPrefixLen", 0),
        "IPv6Gateway": "",
        "MacAddress": first.get("MacAddress", ""),
        "Networks": networks,
    }


def network_name(record: "ContainerRecord") -> str:
    """Give the network that the container was made for; empty where it shares a container's."""
    mode = str(record.host.get("NetworkMode") or "default")
    if mode.startswith("container:"):
        return ""
    return "bridge" if mode == "default" else mode


def ports_of(record: "ContainerRecord", state: "ContainerState") -> "Document":
    """Give each port that is published with where, and each that is only exposed with None."""
    found: Document = dict((state.network.get("Ports") or {}) if state.is_running else {})
    if not state.is_running:
        return found
    rest = {port: None for port in record.config.get("ExposedPorts") or {} if port not in found}
    return {**found, **rest}


def ports_text(record: "ContainerRecord", state: "ContainerState") -> str:
    """Give the column PORTS: `0.0.0.0:8080->80/tcp, [::]:8080->80/tcp, 443/tcp`."""
    rows = []
    for port, places in sorted(ports_of(record, state).items(), key=_order):
        if not places:
            rows.append(port)
        for place in places or ():
            host = place["HostIp"]
            shown = f"[{host}]" if ":" in host else host
            rows.append(f"{shown}:{place['HostPort']}->{port}")
    return ", ".join(rows)


def _order(row: "tuple[str, object]") -> tuple[int, str]:
    port, _, protocol = row[0].partition("/")
    return int(port), protocol


def _endpoint(row: "Document") -> "Document":
    return {
        "IPAMConfig": None,
        "Links": None,
        "Aliases": None,
        "MacAddress": "",
        "DriverOpts": None,
        "GwPriority": 0,
        "NetworkID": "",
        "EndpointID": "",
        "Gateway": "",
        "IPAddress": "",
        "IPPrefixLen": 0,
        "IPv6Gateway": "",
        "GlobalIPv6Address": "",
        "GlobalIPv6PrefixLen": 0,
        "DNSNames": None,
        **row,
    }
