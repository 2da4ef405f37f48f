"""Networks and containers' NetworkSettings as `docker inspect` shows them; ports as `ps` and `port` do."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from lamina.engine.networks import Network
    from lamina.engine.records import ContainerRecord, ContainerState
    from lamina.spec.wire import Document

__all__ = ["network_document", "network_name", "network_settings", "ports_of", "ports_text"]


def network_settings(record: "ContainerRecord", state: "ContainerState") -> "Document":
    """Give the whole NetworkSettings object."""
    found = state.network if state.is_running else {}
    networks = {name: _endpoint(row) for name, row in (found.get("Networks") or {}).items()}
    first: Document = next(iter(networks.values()), {})
    address, address6 = str(found.get("Address") or ""), str(found.get("Address6") or "")
    if not networks:
        name = network_name(str(record.host.get("NetworkMode") or ""))
        if name == "bridge" and found == {} and state.is_running:
            name = "host"  # where the default could not be had
        networks = (
            {name: _endpoint({"IPAddress": address, "GlobalIPv6Address": address6})} if name else {}
        )
    return {
        "Bridge": "",
        "SandboxID": record.id if found else "",
        "SandboxKey": f"/proc/{state.pid}/ns/net" if found else "",
        "Ports": ports_of(record.config.get("ExposedPorts") or (), state),
        "HairpinMode": False,
        "EndpointID": "",
        "Gateway": first.get("Gateway", ""),
        "GlobalIPv6Address": first.get("GlobalIPv6Address", address6),
        "GlobalIPv6PrefixLen": first.get("GlobalIPv6PrefixLen", 0),
        "IPAddress": first.get("IPAddress", address),
        "IPPrefixLen": first.get("IPPrefixLen", 0),
        "IPv6Gateway": first.get("IPv6Gateway", ""),
        "MacAddress": first.get("MacAddress", ""),
        "Networks": networks,
    }


def network_name(mode: str) -> str:
    """Give the network that a container of this NetworkMode is on; empty for a container's."""
    if mode.startswith("container:"):
        return ""
    return "bridge" if mode in ("default", "") else mode


def ports_of(exposed: "Iterable[str]", state: "ContainerState") -> "Document":
    """Give each port that is published with where, and each that is only exposed with None."""
    found: Document = dict((state.network.get("Ports") or {}) if state.is_running else {})
    if not state.is_running:
        return found
    rest = {port: None for port in exposed if port not in found}
    return {**found, **rest}


def ports_text(exposed: "Iterable[str]", state: "ContainerState") -> str:
    """Give the column PORTS: `0.0.0.0:80-81->80-81/tcp, 443/tcp, [::]:8080->80/tcp`.

    As Docker does, ports in a row that are only exposed, or published under their own numbers, are
    one range; those published under other numbers come last, one by one.
    """
    if not state.is_running:
        return ""
    rows: list[tuple[int, str, int, str]] = []
    for port, places in ports_of(exposed, state).items():
        inner = int(port.partition("/")[0])
        rows += [(inner, place["HostIp"], int(place["HostPort"]), port) for place in places or ()]
        if not places:
            rows.append((inner, "", 0, port))
    ended: list[str] = []
    open_ranges: dict[tuple[str, str], tuple[int, int]] = {}
    moved = []
    for inner, host, outer, port in sorted(rows):
        protocol = port.partition("/")[2]
        if host and outer != inner:
            moved.append(f"{_host(host)}:{outer}->{port}")
            continue
        first, last = open_ranges.get((host, protocol), (inner, inner - 1))
        if inner != last + 1:
            ended.append(_range(host, protocol, first, last))
            first = inner
        open_ranges[host, protocol] = (first, inner)
    ended += [_range(*key, *ends) for key, ends in open_ranges.items()]
    return ", ".join(ended + moved)


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _range(host: str, protocol: str, first: int, last: int) -> str:
    numbers = str(first) if first == last else f"{first}-{last}"
    return f"{_host(host)}:{numbers}->{numbers}/{protocol}" if host else f"{numbers}/{protocol}"


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


def network_document(network: "Network", facts: "Document") -> "Document":
    """Give a network as docker's `network inspect` shapes it; `facts` is what its keeper knows."""
    subnet = facts.get("subnet") or network.subnet
    pools = [
        _pool(subnet, facts.get("gateway") or network.gateway, network.ip_range),
        _pool(network.subnet6, network.gateway6, network.ip_range6),
    ]
    for pool in pools:
        six = ":" in pool.get("Subnet", "")
        own = {name: a for name, a in network.auxiliary.items() if (":" in a) == six}
        if own:
            pool["AuxiliaryAddresses"] = own
    return {
        "Name": network.name,
        "Id": network.id,
        "Created": network.created,
        "Scope": "local",
        "Driver": network.driver,
        "EnableIPv4": True,
        "EnableIPv6": bool(network.subnet6),
        "IPAM": {
            "Driver": "default",
            "Options": {},
            "Config": [pool for pool in pools if pool.get("Subnet")],
        },
        "Internal": network.internal,
        "Attachable": False,
        "Ingress": False,
        "ConfigFrom": {"Network": ""},
        "ConfigOnly": False,
        "Containers": {
            row["container"]: {
                "Name": row["name"],
                "EndpointID": "",
                "MacAddress": row["mac"],
                "IPv4Address": f"{row['address']}/{facts['prefix']}",
                "IPv6Address": f"{row['address6']}/{facts['prefix6']}" if row["address6"] else "",
            }
            for row in facts.get("members", ())
        },
        "Options": dict(network.options),
        "Labels": dict(network.labels),
    }


def _pool(subnet: str, gateway: str, span: str) -> "Document":
    found: Document = {"Subnet": subnet, "Gateway": gateway}
    if span:
        found["IPRange"] = span
    return found
