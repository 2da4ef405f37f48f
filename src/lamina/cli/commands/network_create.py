"""`lamina network create`: make a network."""

from __future__ import annotations

from lamina.cli.flags import BOOL, LIST, MAP, Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="network create",
    usage="lamina network create [OPTIONS] NETWORK",
    summary="Create a network",
    flags=(
        Flag("attachable", kind=BOOL, help="Enable manual container attachment"),
        Flag(
            "aux-address",
            kind=MAP,
            help="Auxiliary IPv4 or IPv6 addresses that containers do not get",
        ),
        Flag("config-from", hidden=True),
        Flag("config-only", kind=BOOL, hidden=True),
        Flag("driver", "d", default="bridge", help="Driver to manage the Network"),
        Flag("gateway", kind=LIST, help="IPv4 or IPv6 Gateway for the master subnet"),
        Flag("ingress", kind=BOOL, hidden=True),
        Flag("internal", kind=BOOL, help="Restrict external access to the network"),
        Flag("ip-range", kind=LIST, help="Allocate container ip from a sub-range"),
        Flag("ipam-driver", default="default", hidden=True),
        Flag("ipam-opt", kind=MAP, hidden=True),
        Flag("ipv4", kind=BOOL, default=True, hidden=True),
        Flag("ipv6", kind=BOOL, help="Enable IPv6 networking"),
        Flag("label", kind=LIST, help="Set metadata on a network"),
        Flag("opt", "o", kind=MAP, help="Set driver specific options"),
        Flag("scope", hidden=True),
        Flag("subnet", kind=LIST, help="Subnet in CIDR format that represents a network segment"),
    ),
    arity=(1, 1),
)
_SWARM = ("config-from", "config-only", "ingress")


def main(arguments: Arguments, context: Context) -> int:
    """Make it, and print its ID."""
    from lamina.engine.network_addresses import AddressRequest

    _refuse(arguments)
    pairs = (row.partition("=") for row in arguments.texts("label"))
    network = context.engine.networks.create(
        arguments.positional[0],
        driver=arguments.text("driver"),
        addresses=AddressRequest(
            subnets=arguments.texts("subnet"),
            gateways=arguments.texts("gateway"),
            ranges=arguments.texts("ip-range"),
            auxiliary=arguments.pairs("aux-address"),
            ipv6=arguments.flag("ipv6"),
        ),
        internal=arguments.flag("internal"),
        labels={key: value for key, _, value in pairs},
        options=arguments.pairs("opt"),
    )
    context.print(network.id)
    return 0


def _refuse(arguments: Arguments) -> None:
    """Refuse what belongs to clusters, and networks without IPv4. Raises: Unsupported."""
    from lamina.errors import Unsupported

    for name in _SWARM:
        if arguments.changed(name) and arguments.text(name) != "false":
            raise Unsupported(f"--{name} is not supported: it is for networks of a swarm")
    if arguments.text("scope") not in ("", "local"):
        raise Unsupported(f"--scope {arguments.text('scope')} is not supported: networks are local")
    if arguments.text("ipam-driver") != "default":
        raise Unsupported(f"--ipam-driver {arguments.text('ipam-driver')} is not there: default is")
    if not arguments.flag("ipv4"):
        raise Unsupported("networks have IPv4 addresses here", hint="leave --ipv4=false out")
