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
        Flag("attachable", kind=BOOL, hidden=True),
        Flag("driver", "d", default="bridge", help="Driver to manage the Network"),
        Flag("gateway", help="IPv4 Gateway for the master subnet"),
        Flag("internal", kind=BOOL, help="Restrict external access to the network"),
        Flag("ipv6", kind=BOOL, help="Enable IPv6 networking"),
        Flag("label", kind=LIST, help="Set metadata on a network"),
        Flag("opt", "o", kind=MAP, help="Set driver specific options"),
        Flag("subnet", help="Subnet in CIDR format that represents a network segment"),
    ),
    arity=(1, 1),
)


def main(arguments: Arguments, context: Context) -> int:
    """Make it, and print its ID."""
    from lamina.errors import Unsupported

    if arguments.flag("ipv6"):
        raise Unsupported("networks have IPv4 addresses only", hint="leave --ipv6 out")
    pairs = (row.partition("=") for row in arguments.texts("label"))
    network = context.engine.networks.create(
        arguments.positional[0],
        driver=arguments.text("driver"),
        subnet=arguments.text("subnet"),
        gateway=arguments.text("gateway"),
        internal=arguments.flag("internal"),
        labels={key: value for key, _, value in pairs},
        options=arguments.pairs("opt"),
    )
    context.print(network.id)
    return 0
