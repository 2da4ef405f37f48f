"""`lamina kill`: send a signal to containers."""

from __future__ import annotations

from lamina.cli.each import for_each
from lamina.cli.flags import Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="kill",
    usage="lamina kill [OPTIONS] CONTAINER [CONTAINER...]",
    summary="Kill one or more running containers",
    flags=(Flag("signal", "s", help="Signal to send to the container", default="KILL"),),
    arity=(1, None),
)


def main(arguments: Arguments, context: Context) -> int:
    """Send the signal to each first process."""
    signal = arguments.text("signal")
    kill = context.engine.containers.kill
    return for_each(context, arguments.positional, lambda name: kill(name, signal))
