"""`lamina network connect`: put a container on one more network."""

from __future__ import annotations

from lamina.cli import refused
from lamina.cli.flags import INT, LIST, Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="network connect",
    usage="lamina network connect [OPTIONS] NETWORK CONTAINER",
    summary="Connect a container to a network",
    flags=(
        Flag("alias", kind=LIST, help="Add network-scoped alias for the container"),
        *refused.ENDPOINT,
        Flag(
            "gw-priority",
            kind=INT,
            help="Of several networks the one of the highest priority is the way out",
        ),
        Flag("ip", help='IPv4 address (e.g., "172.30.100.104")'),
        Flag("ip6", help='IPv6 address (e.g., "2001:db8::33")'),
        Flag("link", kind=LIST, help="Add link to another container"),
        *refused.LINK_LOCAL,
    ),
    arity=(2, 2),
)


def main(arguments: Arguments, context: Context) -> int:
    """Say nothing when it worked."""
    refused.refuse(arguments, (*refused.ENDPOINT, *refused.LINK_LOCAL))
    from lamina.cli.networking import links_of

    network, container = arguments.positional
    context.engine.networks.connect(
        network,
        container,
        aliases=arguments.texts("alias"),
        ip=arguments.text("ip"),
        ip6=arguments.text("ip6"),
        links=links_of(arguments.texts("link")),
        gw_priority=arguments.number("gw-priority"),
    )
    return 0
