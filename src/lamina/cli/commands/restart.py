"""`lamina restart`: stop containers and start them again."""

from __future__ import annotations

from lamina.cli.commands.stop import stop_timeout
from lamina.cli.each import for_each
from lamina.cli.flags import INT, Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="restart",
    usage="lamina restart [OPTIONS] CONTAINER [CONTAINER...]",
    summary="Restart one or more containers",
    flags=(
        Flag("signal", "s", help="Signal to send to the container"),
        Flag("time", kind=INT, hidden=True),
        Flag("timeout", "t", kind=INT, help="Seconds to wait before killing the container"),
    ),
    arity=(1, None),
)


def main(arguments: Arguments, context: Context) -> int:
    """Stop each, wait for its end, start it."""
    timeout = stop_timeout(arguments)
    signal = arguments.text("signal")
    context.enter_namespace(containers=arguments.positional)
    restart = context.engine.containers.restart
    return for_each(
        context, arguments.positional, lambda name: restart(name, timeout_s=timeout, signal=signal)
    )
