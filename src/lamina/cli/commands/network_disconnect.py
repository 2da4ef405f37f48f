"""`lamina network disconnect`: take a container off a network."""

from __future__ import annotations

from lamina.cli.flags import BOOL, Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="network disconnect",
    usage="lamina network disconnect [OPTIONS] NETWORK CONTAINER",
    summary="Disconnect a container from a network",
    flags=(Flag("force", "f", kind=BOOL, help="Force the container to disconnect from a network"),),
    arity=(2, 2),
)


def main(arguments: Arguments, context: Context) -> int:
    """Say nothing when it worked."""
    network, container = arguments.positional
    context.engine.networks.disconnect(network, container, force=arguments.flag("force"))
    return 0
