"""What `run` and `create` take about networks, ports and names."""

from __future__ import annotations

from lamina.cli import refused
from lamina.cli.flags import BOOL, LIST, Flag, FlagInvalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments
    from lamina.engine.network_request import NetworkRequest
    from lamina.engine.records import ContainerRecord

__all__ = ["FLAGS", "links_of", "request_of", "warn"]

FLAGS = (
    Flag("add-host", kind=LIST, help="Add a custom host-to-IP mapping (host:ip)"),
    Flag("dns", kind=LIST, help="Set custom DNS servers"),
    Flag("dns-opt", kind=LIST, hidden=True),
    Flag("dns-option", kind=LIST, help="Set DNS options"),
    Flag("dns-search", kind=LIST, help="Set custom DNS search domains"),
    Flag("expose", kind=LIST, help="Expose a port or a range of ports"),
    Flag("ip", help="IPv4 address (e.g., 172.30.100.104)"),
    Flag("ip6", help="IPv6 address (e.g., 2001:db8::33)"),
    Flag("link", kind=LIST, help="Add link to another container"),
    *refused.LINK_LOCAL,
    Flag("mac-address", help="Container MAC address (e.g., 92:d0:c6:0a:29:33)"),
    Flag("net", kind=LIST, help="Connect a container to a network", hidden=True),
    Flag("net-alias", kind=LIST, hidden=True),
    Flag("network", kind=LIST, help="Connect a container to a network"),
    Flag("network-alias", kind=LIST, help="Add network-scoped alias for the container"),
    Flag("publish", "p", kind=LIST, help="Publish a container's port(s) to the host"),
    Flag("publish-all", "P", kind=BOOL, help="Publish all exposed ports to random ports"),
)


def request_of(arguments: Arguments) -> NetworkRequest:
    """Read the flags. Raises: FlagInvalid, PortInvalid, Invalid."""
    from lamina.engine.network_request import Endpoint, NetworkRequest
    from lamina.engine.ports import exposed, published
    from lamina.values import replace

    texts = (*arguments.texts("network"), *arguments.texts("net"))
    endpoints = [Endpoint.parse(text) for text in texts if text != "default"]
    aliases = (*arguments.texts("network-alias"), *arguments.texts("net-alias"))
    ip, ip6, mac = (arguments.text(name) for name in ("ip", "ip6", "mac-address"))
    links = links_of(arguments.texts("link"))
    if aliases or ip or ip6 or mac or links:
        if not endpoints:
            endpoints = [Endpoint("bridge")]
        if len(endpoints) > 1 and (ip or ip6 or mac):
            raise FlagInvalid(
                "conflicting options: cannot specify --ip, --ip6 or --mac-address with several "
                "networks; write --network name=NAME,ip=ADDRESS"
            )
        endpoints[0] = replace(
            endpoints[0],
            aliases=(*endpoints[0].aliases, *aliases),
            ip=ip or endpoints[0].ip,
            ip6=ip6 or endpoints[0].ip6,
            links=links,
            mac=mac or endpoints[0].mac,
        )
    return NetworkRequest(
        endpoints=tuple(endpoints),
        ports=published(arguments.texts("publish")),
        exposed=exposed(arguments.texts("expose")),
        publish_all=arguments.flag("publish-all"),
        dns_search=arguments.texts("dns-search"),
        dns_options=(*arguments.texts("dns-option"), *arguments.texts("dns-opt")),
    )


def links_of(texts: tuple[str, ...]) -> dict[str, str]:
    """Read `--link CONTAINER[:ALIAS]` as alias and container. Raises: FlagInvalid."""
    found = {}
    for text in texts:
        name, colon, alias = text.partition(":")
        if not name or (colon and not alias) or ":" in alias:
            raise FlagInvalid(f"bad format for links: {text}")
        found[alias or name] = name
    return found


def warn(record: ContainerRecord, context: Context) -> None:
    """Say on stderr where ports are not published, or the network is not what was asked for."""
    host = record.host
    asked = bool(host.get("PortBindings") or host.get("PublishAllPorts"))
    mode = str(host.get("NetworkMode"))
    if not asked and mode != "bridge":
        return
    if mode == "host":
        context.say("WARNING: Published ports are discarded when using host network mode")
    elif mode in ("default", "bridge"):
        from lamina.runtime.net.backend import backend

        found = backend(context.engine.settings.tunnel)
        if found.kind == "host":
            context.say(f"WARNING: the container shares the host's network: {found.reason}")
            if asked:
                context.say("WARNING: Published ports are discarded when using host network mode")
