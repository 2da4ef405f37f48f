"""`lamina pause`: hold containers still."""

from __future__ import annotations

from lamina.cli.each import for_each
from lamina.cli.flags import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="pause",
    usage="lamina pause CONTAINER [CONTAINER...]",
    summary="Pause all processes within one or more containers",
    arity=(1, None),
)


def main(arguments: Arguments, context: Context) -> int:
    """Freeze each."""
    return for_each(context, arguments.positional, context.engine.containers.pause)
