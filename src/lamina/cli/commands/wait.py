"""`lamina wait`: block until containers end."""

from __future__ import annotations

from lamina.cli.each import for_each
from lamina.cli.flags import Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lamina.cli.context import Context
    from lamina.cli.flags import Arguments

__all__ = ["COMMAND", "main"]

COMMAND = Command(
    name="wait",
    usage="lamina wait [OPTIONS] CONTAINER [CONTAINER...]",
    summary="Block until one or more containers stop, then print their exit codes",
    flags=(
        Flag(
            "condition",
            default="not-running",
            help='What to wait for: "not-running", "next-exit" or "removed"',
        ),
    ),
    arity=(1, None),
)


def main(arguments: Arguments, context: Context) -> int:
    """Print each exit code as it comes."""
    wait = context.engine.containers.wait
    condition = arguments.text("condition")
    return for_each(context, arguments.positional, lambda name: wait(name, condition=condition))
