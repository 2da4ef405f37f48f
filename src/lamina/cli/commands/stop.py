"""`lamina stop`: ask containers to end."""

from __future__ import annotations

from lamina.cli.each import for_each
from lamina.cli.flags import INT, Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main", "stop_timeout"]

COMMAND = Command(
    name="stop",
    usage="lamina stop [OPTIONS] CONTAINER [CONTAINER...]",
    summary="Stop one or more running containers",
    flags=(
        Flag("signal", "s", help="Signal to send to the container"),
        Flag("time", kind=INT, hidden=True),
        Flag("timeout", "t", kind=INT, help="Seconds to wait before killing the container"),
    ),
    arity=(1, None),
)


def main(arguments: Arguments, context: Context) -> int:
    """Send the stop signal, wait, then kill."""
    timeout = stop_timeout(arguments)
    signal = arguments.text("signal")
    stop = context.engine.containers.stop
    return for_each(
        context, arguments.positional, lambda name: stop(name, timeout_s=timeout, signal=signal)
    )


def stop_timeout(arguments: Arguments) -> int | None:
    """Give the seconds of `-t`, None when they were not given."""
    for name in ("time", "timeout"):
        if arguments.changed(name):
            return arguments.number(name)
    return None
